#include "store/kafka/kafka_client.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/telemetry/log.h"

/* librdkafka's levels are those of syslog. */
#define LEVEL_WARNING 4

/* A broker that comes back is found within a second; a request to one that hangs is given up after ten. */
static const struct kafka_setting common[] = {
	{ "reconnect.backoff.ms", "50" },
	{ "reconnect.backoff.max.ms", "1000" },
	{ "socket.timeout.ms", "10000" },
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	{ "topic.metadata.refresh.interval.ms", "10000" },
};

/* Thread: any of librdkafka's. */
static void client_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *message)
{
	(void)rk;
	/* A broker that has just started gives this answer to the first idempotent producer, which tries again. */
	if (strcasestr(message, "coordinator load in progress"))
		return;
	if (level <= LEVEL_WARNING)
		log_warn("kafka client", LOG_TEXT("facility", facility), LOG_TEXT("message", message));
	else
		log_debug("kafka client", LOG_TEXT("facility", facility), LOG_TEXT("message", message));
}

void kafka_log_error(const char *topic, rd_kafka_resp_err_t err, const char *reason)
{
	/* One error for each failed connection: librdkafka's log has them. */
	if (err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__RESOLVE)
		return;
	log_warn("kafka client", LOG_TEXT("topic", topic ? topic : "-"), LOG_TEXT("code", rd_kafka_err2name(err)),
	         LOG_TEXT("message", reason));
}

void kafka_log_failure(const char *event, const char *topic, rd_kafka_error_t *error)
{
	if (!error)
		return;
	log_error(event, LOG_TEXT("topic", topic), LOG_TEXT("reason", rd_kafka_error_string(error)));
	rd_kafka_error_destroy(error);
}

static bool client_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char reason[256];

	if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
		return true;
	log_error("kafka client refuses a setting", LOG_TEXT("setting", name), LOG_TEXT("reason", reason));
	return false;
}

static bool client_set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!client_set(conf, settings[i].name, settings[i].value))
			return false;
	}
	return true;
}

rd_kafka_conf_t *kafka_conf_new(const char *brokers, const char *client_id, const struct kafka_setting *settings, size_t count)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set_log_cb(conf, client_on_log);
	if (client_set(conf, "bootstrap.servers", brokers) && client_set(conf, "client.id", client_id) &&
	    client_set_all(conf, common, ARRAY_LEN(common)) && client_set_all(conf, settings, count))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

rd_kafka_t *kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char reason[256];
	rd_kafka_t *rk = rd_kafka_new(type, conf, reason, sizeof(reason));

	if (!rk) {
		log_error("kafka client cannot start", LOG_TEXT("reason", reason));
		rd_kafka_conf_destroy(conf);
	}
	return rk;
}

static void client_on_readable(uv_poll_t *poll, int status, int events)
{
	struct kafka_wake *wake = container_of(poll, struct kafka_wake, poll);
	eventfd_t count;
	(void)status, (void)events;

	(void)eventfd_read(wake->fd, &count);
	wake->serve(wake);
}

err_t kafka_wake_init(struct kafka_wake *wake, struct worker *worker, void (*serve)(struct kafka_wake *wake))
{
	wake->serve = serve;
	wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake->fd < 0)
		return ERR_NO_MEMORY;
	if (uv_poll_init(&worker->loop, &wake->poll, wake->fd)) {
		close(wake->fd);
		return ERR_NO_MEMORY;
	}
	uv_poll_start(&wake->poll, UV_READABLE, client_on_readable);
	return OK;
}

void kafka_wake_on(struct kafka_wake *wake, rd_kafka_queue_t *queue)
{
	const eventfd_t one = 1;

	rd_kafka_queue_io_event_enable(queue, wake->fd, &one, sizeof(one));
	/* For events that were in the queue before. */
	kafka_wake_again(wake);
}

void kafka_wake_off(rd_kafka_queue_t *queue)
{
	rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
}

void kafka_wake_again(struct kafka_wake *wake)
{
	(void)eventfd_write(wake->fd, 1);
}

void kafka_wake_close(struct kafka_wake *wake, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&wake->poll, closed);
	close(wake->fd);
}
