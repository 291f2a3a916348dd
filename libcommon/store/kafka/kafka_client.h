#ifndef SKEIN_STORE_KAFKA_KAFKA_CLIENT_H
#define SKEIN_STORE_KAFKA_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "store/kafka/kafka.h"

/* Shared by the producer, the consumer and the admin calls: makes handles of librdkafka and takes their events on the loop. */

struct kafka_setting {
	const char *name, *value;
};

/* A configuration with the common settings and `settings`. librdkafka logs to our log. NULL, logged: a setting is invalid. */
rd_kafka_conf_t *kafka_conf_new(const char *brokers, const char *client_id, const struct kafka_setting *settings, size_t count)
	MUST_CHECK;

/* Takes over `conf`. NULL, logged, if it fails. */
rd_kafka_t *kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf) MUST_CHECK;

/* Logs and frees `error`, unless it is NULL. */
void kafka_log_failure(const char *event, const char *topic, rd_kafka_error_t *error);

/* Logs an error that librdkafka reports, unless its own log has it, too. `topic` may be NULL. */
void kafka_log_error(const char *topic, rd_kafka_resp_err_t err, const char *reason);

/*
 * Wakes the loop when an event comes into an empty queue of librdkafka. `serve` then polls the queue until it is empty, or
 * calls kafka_wake_again(). Thread: the worker's.
 */
struct kafka_wake {
	uv_poll_t poll;
	int fd;
	void (*serve)(struct kafka_wake *wake);
};

err_t kafka_wake_init(struct kafka_wake *wake, struct worker *worker, void (*serve)(struct kafka_wake *wake)) MUST_CHECK;
void kafka_wake_on(struct kafka_wake *wake, rd_kafka_queue_t *queue);
void kafka_wake_off(rd_kafka_queue_t *queue);
void kafka_wake_again(struct kafka_wake *wake);
void kafka_wake_close(struct kafka_wake *wake, uv_close_cb closed);

/* Events that `serve` polls before it lets the loop look at other handles. */
#define KAFKA_EVENTS_A_TURN 256

#endif
