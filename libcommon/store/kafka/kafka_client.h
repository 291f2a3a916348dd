#ifndef SKEIN_STORE_KAFKA_KAFKA_CLIENT_H
#define SKEIN_STORE_KAFKA_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "store/kafka/kafka.h"

/* What producer, consumer and checks share: making a handle, and hearing from its threads on the loop. Internal to store. */

struct kafka_setting {
	const char *name, *value;
};

/* With what is the same for all set; librdkafka's log goes to ours. NULL, logged, if a setting is refused. */
rd_kafka_conf_t *kafka_conf_new(const char *brokers, const char *client_id, const struct kafka_setting *settings, size_t count)
	MUST_CHECK;

/* Takes `conf` over. NULL, logged, if it fails. */
rd_kafka_t *kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf) MUST_CHECK;

/* Logs what librdkafka tells, unless its log has it, too. `topic` may be NULL. */
void kafka_log_error(const char *topic, rd_kafka_resp_err_t err, const char *reason);

/*
 * Wakes the loop when something comes into an empty queue of librdkafka's: `serve` then takes out all there is, or asks
 * to be called again. Thread: the worker's.
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

/* How much `serve` takes out before the loop looks at the others. */
#define KAFKA_EVENTS_A_TURN 256

#endif
