#include "store/kafka/kafka_producer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/list.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "store/kafka/kafka_client.h"

/*
 * librdkafka keeps the records, retries without end and delivers in order, until
 *  - its idempotence breaks: a "fatal" error, for example because a broker lost the producer's state, or
 *  - a broker refuses a record for a temporary reason: a deleted topic, a missing permission.
 * Then the handle is useless. It is purged, delivery reports return its records, and a new handle produces them in their old
 * order. A record that was stored but not reported is stored twice. No record is lost or overtaken.
 *
 *   RUNNING -> PURGING (reports come back) -> REPLACING (a thread destroys the old handle) -> PAUSING (backoff) -> RUNNING
 *
 * Records that are produced in the other three states are kept behind the returned ones.
 */

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define PURGE_AGAIN_MS 100
#define TOPICS_MAX 4

/* The limits of librdkafka's queue are higher than ours (max_waiting). */
static const struct kafka_setting settings[] = {
	{ "enable.idempotence", "true" },
	{ "acks", "all" },
	{ "linger.ms", "0" },
	/* Records produced while a request is under way leave in one request: a third of the CPU here and in the broker. */
	{ "max.in.flight.requests.per.connection", "1" },
	{ "message.timeout.ms", "0" },
	{ "partitioner", "murmur2_random" },
	{ "queue.buffering.max.messages", "10000000" },
	{ "queue.buffering.max.kbytes", "2097151" },
};

enum producer_state { PRODUCER_RUNNING, PRODUCER_PURGING, PRODUCER_REPLACING, PRODUCER_PAUSING };

struct record {
	struct list link; /* in `kept`, by number */
	uint64_t number; /* in the order of kafka_produce() */
	kafka_delivered delivered;
	void *arg;
	size_t size;
	struct record_copy *copy; /* while librdkafka does not have it */
};

struct record_copy {
	char *topic;
	rd_kafka_headers_t *headers;
	bool has_key;
	struct str key, value; /* in `bytes` */
	char bytes[];
};

struct kafka_producer {
	struct worker *worker;
	char *brokers, *client_id;
	unsigned max_waiting;
	uint64_t max_waiting_bytes;
	const char *const *topics; /* to be known from the start; may be NULL */
	enum producer_state state;
	rd_kafka_t *rk;
	rd_kafka_topic_t *known[TOPICS_MAX]; /* of this handle, in the order of `topics` */
	rd_kafka_queue_t *queue;
	struct kafka_wake wake;
	uv_work_t replace;
	struct timer timer; /* PURGING: purge again. PAUSING: start. */
	struct timer give_up; /* closing: the timeout */
	struct backoff backoff;
	unsigned waiting; /* records whose `delivered` was not called */
	unsigned in_handle; /* of those, the ones that librdkafka has */
	uint64_t waiting_bytes;
	uint64_t last_number;
	struct list kept; /* records to be produced by the next handle */
	bool is_closing, has_given_up;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void producer_restart(struct kafka_producer *producer);
static void producer_end_if_done(struct kafka_producer *producer);

/* ---- records ---- */

static void producer_free_copy(struct record *record)
{
	if (!record->copy)
		return;
	mem_free(record->copy->topic);
	if (record->copy->headers)
		rd_kafka_headers_destroy(record->copy->headers);
	mem_free(record->copy);
	record->copy = NULL;
}

static void producer_end_record(struct kafka_producer *producer, struct record *record, err_t err)
{
	producer->waiting--;
	producer->waiting_bytes -= record->size;
	record->delivered(record->arg, err);
	producer_free_copy(record);
	mem_free(record);
}

/* Takes over `headers`. */
static void producer_keep_copy(struct record *record, const char *topic, struct str key, struct str value,
                               rd_kafka_headers_t *headers)
{
	struct record_copy *copy = mem_alloc(sizeof(*copy) + key.len + value.len);

	copy->topic = str_dup(str_from(topic));
	copy->headers = headers;
	copy->has_key = key.ptr != NULL;
	if (key.ptr && key.len)
		memcpy(copy->bytes, key.ptr, key.len);
	if (value.ptr && value.len)
		memcpy(copy->bytes + key.len, value.ptr, value.len);
	copy->key = str_of(copy->bytes, key.len);
	copy->value = str_of(copy->bytes + key.len, value.len);
	record->copy = copy;
}

/* Inserts by number. Reports come partition by partition, so most records belong at the end. */
static void producer_keep(struct kafka_producer *producer, struct record *record)
{
	struct list *after = producer->kept.prev;

	while (after != &producer->kept && container_of(after, struct record, link)->number > record->number)
		after = after->prev;
	list_insert_before(after->next, &record->link);
}

/*
 * Gives the record to librdkafka. `*is_taken`: it has the record and `headers`. Otherwise the record waits for the next
 * handle, because this one is broken or knows that the topic does not exist. An error means that no handle would take it.
 */
static err_t producer_hand_over(struct kafka_producer *producer, struct record *record, const char *topic, struct str key,
                                struct str value, rd_kafka_headers_t *headers, bool *is_taken)
{
	rd_kafka_vu_t args[] = {
		{ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic },
		{ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)key.ptr, key.len } },
		{ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)value.ptr, value.len } },
		{ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
		{ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record },
		{ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers },
	};
	size_t count = ARRAY_LEN(args) - (headers ? 0 : 1);
	rd_kafka_error_t *error = rd_kafka_produceva(producer->rk, args, count);
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);

	*is_taken = !error;
	producer->in_handle += !error;
	rd_kafka_error_destroy(error);
	return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? ERR_TOO_LARGE : OK;
}

err_t kafka_produce(struct kafka_producer *producer, const char *topic, struct str key, struct str value,
                    const struct kafka_header *headers, unsigned header_count, kafka_delivered delivered, void *arg)
{
	size_t size = key.len + value.len;

	if (producer->is_closing)
		return ERR_CLOSED;
	if (producer->waiting >= producer->max_waiting)
		return ERR_FULL;
	rd_kafka_headers_t *made = header_count ? rd_kafka_headers_new(header_count) : NULL;
	for (unsigned i = 0; i < header_count; i++) {
		rd_kafka_header_add(made, headers[i].name, -1, headers[i].value.ptr, (ssize_t)headers[i].value.len);
		size += strlen(headers[i].name) + headers[i].value.len;
	}
	struct record *record = MEM_NEW(struct record);
	bool is_taken = false;
	err_t err = OK;
	*record = (struct record){ .number = ++producer->last_number, .delivered = delivered, .arg = arg, .size = size };
	if (producer->waiting_bytes + size > producer->max_waiting_bytes)
		err = ERR_FULL;
	else if (producer->state == PRODUCER_RUNNING)
		err = producer_hand_over(producer, record, topic, key, value, made, &is_taken);
	if (err) {
		if (made)
			rd_kafka_headers_destroy(made);
		mem_free(record);
		return err;
	}
	producer->waiting++;
	producer->waiting_bytes += size;
	if (is_taken)
		return OK;
	producer_keep_copy(record, topic, key, value, made);
	producer_keep(producer, record);
	if (producer->state == PRODUCER_RUNNING)
		producer_restart(producer);
	return OK;
}

unsigned kafka_producer_waiting(const struct kafka_producer *producer)
{
	return producer->waiting;
}

/* ---- delivery reports ---- */

/* Whether another try would fail, too. */
static bool producer_is_hopeless(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_MSG ||
	       code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
	       code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

static void producer_take_report(struct kafka_producer *producer, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);
	struct record *record = message->_private;
	rd_kafka_headers_t *headers = NULL;

	producer->in_handle--;
	if (!message->err) {
		backoff_reset(&producer->backoff);
		producer_end_record(producer, record, OK);
	} else if (producer_is_hopeless(message->err)) {
		log_error("kafka refused a record", LOG_TEXT("topic", topic), LOG_NUM("bytes", message->len),
		          LOG_TEXT("reason", rd_kafka_err2str(message->err)));
		producer_end_record(producer, record,
		                    message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? ERR_TOO_LARGE :
		                                                                           ERR_INTERNAL);
	} else if (producer->has_given_up) {
		producer_end_record(producer, record, ERR_CLOSED);
	} else {
		/* The next handle produces it. */
		if (rd_kafka_message_detach_headers((rd_kafka_message_t *)message, &headers))
			headers = NULL;
		producer_keep_copy(record, topic, str_of(message->key, message->key_len),
		                   str_of(message->payload, message->len), headers);
		producer_keep(producer, record);
		if (producer->state == PRODUCER_RUNNING) {
			log_error("kafka refused a record; replacing the producer's handle", LOG_TEXT("topic", topic),
			          LOG_TEXT("reason", rd_kafka_err2str(message->err)));
			producer_restart(producer);
		}
	}
}

static void producer_take_reports(struct kafka_producer *producer, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;

	while ((message = rd_kafka_event_message_next(event)))
		producer_take_report(producer, message);
}

static void producer_take_error(struct kafka_producer *producer, rd_kafka_event_t *event)
{
	char reason[256];

	if (!rd_kafka_event_error_is_fatal(event)) {
		kafka_log_error(NULL, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
		return;
	}
	rd_kafka_fatal_error(producer->rk, reason, sizeof(reason));
	log_error("kafka producer lost its idempotence; replacing its handle", LOG_TEXT("reason", reason));
	if (producer->state == PRODUCER_RUNNING)
		producer_restart(producer);
}

static void producer_start_replacing(struct kafka_producer *producer);

static void producer_serve(struct kafka_wake *wake)
{
	struct kafka_producer *producer = container_of(wake, struct kafka_producer, wake);
	int left = KAFKA_EVENTS_A_TURN;

	for (; left > 0 && producer->queue; left--) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(producer->queue, 0);
		if (!event)
			break;
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
			producer_take_reports(producer, event);
		else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
			producer_take_error(producer, event);
		rd_kafka_event_destroy(event);
	}
	if (left == 0)
		kafka_wake_again(wake);
	if (producer->state == PRODUCER_PURGING && producer->in_handle == 0)
		producer_start_replacing(producer);
	producer_end_if_done(producer);
}

/* ---- the handle ---- */

static err_t producer_start_handle(struct kafka_producer *producer)
{
	rd_kafka_conf_t *conf = kafka_conf_new(producer->brokers, producer->client_id, settings, ARRAY_LEN(settings));

	if (!conf)
		return ERR_BAD_CONFIG;
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
	producer->rk = kafka_handle_new(RD_KAFKA_PRODUCER, conf);
	if (!producer->rk)
		return ERR_NO_MEMORY;
	for (unsigned i = 0; producer->topics && producer->topics[i]; i++) {
		assert(i < TOPICS_MAX);
		producer->known[i] = rd_kafka_topic_new(producer->rk, producer->topics[i], NULL);
	}
	producer->queue = rd_kafka_queue_get_main(producer->rk);
	kafka_wake_on(&producer->wake, producer->queue);
	producer->state = PRODUCER_RUNNING;
	return OK;
}

static void producer_purge(struct kafka_producer *producer)
{
	rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/* producer_serve() starts the replacement when all reports have come. */
static void producer_restart(struct kafka_producer *producer)
{
	producer->state = PRODUCER_PURGING;
	producer_purge(producer);
	worker_arm_in(producer->worker, &producer->timer, PURGE_AGAIN_MS);
	kafka_wake_again(&producer->wake);
}

/* Thread: one of libuv's pool. Joins librdkafka's threads, which takes time. */
static void producer_destroy_handle(uv_work_t *work)
{
	struct kafka_producer *producer = container_of(work, struct kafka_producer, replace);

	for (unsigned i = 0; i < TOPICS_MAX; i++)
		if (producer->known[i])
			rd_kafka_topic_destroy(producer->known[i]);
	rd_kafka_destroy(producer->rk);
}

static void producer_pause_before_next(struct kafka_producer *producer)
{
	producer->state = PRODUCER_PAUSING;
	worker_arm_in(producer->worker, &producer->timer, backoff_next_ms(&producer->backoff));
}

static void producer_on_wake_closed(uv_handle_t *handle)
{
	struct kafka_wake *wake = container_of((uv_poll_t *)handle, struct kafka_wake, poll);
	struct kafka_producer *producer = container_of(wake, struct kafka_producer, wake);
	void (*closed)(void *arg) = producer->closed;
	void *arg = producer->closed_arg;

	mem_free(producer->brokers);
	mem_free(producer->client_id);
	mem_free(producer);
	if (closed)
		closed(arg);
}

static void producer_on_handle_destroyed(uv_work_t *work, int status)
{
	struct kafka_producer *producer = container_of(work, struct kafka_producer, replace);
	(void)status;

	producer->rk = NULL;
	if (producer->is_closing && producer->waiting == 0)
		kafka_wake_close(&producer->wake, producer_on_wake_closed);
	else
		producer_pause_before_next(producer);
}

static void producer_start_replacing(struct kafka_producer *producer)
{
	worker_cancel(producer->worker, &producer->timer);
	kafka_wake_off(producer->queue);
	rd_kafka_queue_destroy(producer->queue);
	producer->queue = NULL;
	producer->state = PRODUCER_REPLACING;
	uv_queue_work(&producer->worker->loop, &producer->replace, producer_destroy_handle, producer_on_handle_destroyed);
}

/* Gives the kept records to the new handle. If it does not take one, it is replaced, too. */
static void producer_produce_kept(struct kafka_producer *producer)
{
	for (struct list *link; producer->state == PRODUCER_RUNNING && (link = list_pop_front(&producer->kept));) {
		struct record *record = container_of(link, struct record, link);
		struct record_copy *copy = record->copy;
		assert(copy);
		struct str key = copy->has_key ? copy->key : (struct str){ NULL, 0 };
		bool is_taken;
		err_t err = producer_hand_over(producer, record, copy->topic, key, copy->value, copy->headers, &is_taken);
		if (err) {
			producer_end_record(producer, record, err);
		} else if (is_taken) {
			copy->headers = NULL;
			producer_free_copy(record);
		} else {
			list_push_front(&producer->kept, link);
			producer_restart(producer);
		}
	}
}

static void producer_on_timer(struct timer *timer)
{
	struct kafka_producer *producer = container_of(timer, struct kafka_producer, timer);

	if (producer->state == PRODUCER_PURGING) {
		producer_purge(producer);
		worker_arm_in(producer->worker, &producer->timer, PURGE_AGAIN_MS);
	} else if (producer_start_handle(producer) == OK) {
		producer_produce_kept(producer);
	} else {
		producer_pause_before_next(producer);
	}
}

/* ---- the producer ---- */

/* Closing ends when `delivered` was called for every record and the handle is destroyed. */
static void producer_end_if_done(struct kafka_producer *producer)
{
	if (!producer->is_closing || producer->waiting > 0)
		return;
	worker_cancel(producer->worker, &producer->give_up);
	if (producer->state == PRODUCER_RUNNING || producer->state == PRODUCER_PURGING) {
		producer_start_replacing(producer);
	} else if (producer->state == PRODUCER_PAUSING && timer_is_armed(&producer->timer)) {
		worker_cancel(producer->worker, &producer->timer);
		kafka_wake_close(&producer->wake, producer_on_wake_closed);
	}
}

static void producer_on_give_up(struct timer *timer)
{
	struct kafka_producer *producer = container_of(timer, struct kafka_producer, give_up);

	log_warn("kafka producer closes with records not delivered", LOG_NUM("records", producer->waiting));
	producer->has_given_up = true;
	for (struct list *link; (link = list_pop_front(&producer->kept));)
		producer_end_record(producer, container_of(link, struct record, link), ERR_CLOSED);
	if (producer->state == PRODUCER_RUNNING)
		producer_restart(producer);
	producer_end_if_done(producer);
}

err_t kafka_producer_new(struct kafka_producer **out, struct worker *worker, const struct kafka_producer_options *options)
{
	struct kafka_producer *producer = MEM_NEW(struct kafka_producer);

	producer->worker = worker;
	producer->brokers = str_dup(str_from(options->brokers));
	producer->client_id = str_dup(str_from(options->client_id));
	producer->max_waiting = options->max_waiting;
	producer->max_waiting_bytes = options->max_waiting_bytes;
	producer->topics = options->topics;
	backoff_init(&producer->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	timer_init(&producer->timer, producer_on_timer);
	timer_init(&producer->give_up, producer_on_give_up);
	list_init(&producer->kept);
	err_t err = kafka_wake_init(&producer->wake, worker, producer_serve);
	if (err) {
		mem_free(producer->brokers);
		mem_free(producer->client_id);
		mem_free(producer);
		return err;
	}
	err = producer_start_handle(producer);
	if (err)
		kafka_wake_close(&producer->wake, producer_on_wake_closed);
	else
		*out = producer;
	return err;
}

void kafka_producer_close(struct kafka_producer *producer, uint64_t timeout_ms, void (*closed)(void *arg), void *arg)
{
	assert(!producer->is_closing);
	producer->is_closing = true;
	producer->closed = closed;
	producer->closed_arg = arg;
	worker_arm_in(producer->worker, &producer->give_up, timeout_ms);
	kafka_wake_again(&producer->wake);
}

void kafka_producer_break(struct kafka_producer *producer)
{
	rd_kafka_test_fatal_error(producer->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "broken by a test");
}
