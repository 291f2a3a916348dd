#include <assert.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "store/kafka/kafka_assignment.h"
#include "store/kafka/kafka_client.h"

/*
 * Records, rebalances and errors come through one queue of librdkafka, which is polled one event at a time. A record is
 * handed over before the next event is polled, so no record of a partition is handed over after its revocation. The queue is
 * also polled on every commit tick: after five minutes without a poll (max.poll.interval.ms) librdkafka leaves the group.
 *
 * A pause at first only stops polling, and librdkafka keeps the records it has fetched. After SOFT_PAUSE_MS the partitions are
 * paused in librdkafka, which drops the fetched records, and polling goes on, for rebalances: partitions that the group gives
 * during the pause are paused, too.
 */

#define SOFT_PAUSE_MS 200
#define CLOSE_MS 10000

/*
 * A cooperative rebalance gives a new member nothing in its first round. The partitions that others give up for it come with
 * the second, within two heartbeats (heartbeat.interval.ms). A member without any for this long is one too many.
 */
#define SETTLE_MS 2000

static const struct kafka_setting settings[] = {
	{ "partition.assignment.strategy", "cooperative-sticky" },
	{ "enable.auto.commit", "false" },
	{ "enable.auto.offset.store", "false" },
	{ "auto.offset.reset", "earliest" },
	{ "session.timeout.ms", "6000" },
	/* A member learns of a rebalance with its next heartbeat, and a cooperative rebalance takes two rounds. */
	{ "heartbeat.interval.ms", "500" },
	{ "fetch.min.bytes", "1" },
	{ "fetch.wait.max.ms", "500" },
	{ "fetch.error.backoff.ms", "50" },
	{ "queued.max.messages.kbytes", "16384" },
};

enum consumer_pause { NOT_PAUSED, SOFTLY_PAUSED, PAUSED };

struct kafka_consumer {
	struct worker *worker;
	struct kafka_consumer_handlers handlers;
	void *arg;
	struct kafka_assignment assignment;
	uint64_t commit_interval_ms;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue; /* librdkafka's consumer queue; while closing, one that its events are redirected to */
	struct kafka_wake wake;
	enum consumer_pause pause;
	struct timer commit, pause_timer, give_up;
	uv_work_t destroy;
	uint64_t joined_ms; /* when the first rebalance ended; 0: not yet */
	bool is_closing, is_destroying;
	bool is_left_behind; /* leaving the group took longer than CLOSE_MS */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- rebalances and errors ---- */

static void consumer_on_committed(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	(void)rk;

	kafka_assignment_committed(&consumer->assignment, err, offsets);
}

static void consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions,
                                  void *opaque)
{
	struct kafka_consumer *consumer = opaque;

	log_info("kafka partitions move", LOG_TEXT("topic", consumer->assignment.topic), LOG_NUM("partitions", partitions->cnt),
	         LOG_TEXT("what", err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "given" : "taken"));
	if (!consumer->joined_ms)
		consumer->joined_ms = clock_mono_ms();
	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		kafka_assignment_add(&consumer->assignment, partitions, consumer->pause == PAUSED);
	} else if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		kafka_assignment_remove(&consumer->assignment, partitions, consumer->pause == PAUSED);
	} else {
		log_error("kafka rebalance failed", LOG_TEXT("topic", consumer->assignment.topic),
		          LOG_TEXT("reason", rd_kafka_err2str(err)));
		rd_kafka_assign(rk, NULL);
	}
}

static void consumer_on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	(void)rk;

	kafka_log_error(consumer->assignment.topic, (rd_kafka_resp_err_t)err, reason);
}

/* ---- records ---- */

void kafka_record_free(struct kafka_record *record)
{
	rd_kafka_message_destroy(record->handle);
	record->handle = NULL;
}

unsigned kafka_record_headers(const struct kafka_record *record, struct kafka_header *headers, unsigned max)
{
	rd_kafka_headers_t *all = NULL;
	unsigned count = 0;
	const void *value;
	size_t len;

	if (rd_kafka_message_headers(record->handle, &all))
		return 0;
	while (count < max && !rd_kafka_header_get_all(all, count, &headers[count].name, &value, &len))
		headers[count++].value = str_of(value, len);
	return count;
}

static void consumer_take_message(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
	struct kafka_record record = {
		.partition = message->partition,
		.offset = message->offset,
		.time_ms = rd_kafka_message_timestamp(message, NULL),
		.key = str_of(message->key, message->key_len),
		.value = str_of(message->payload, message->len),
		.handle = message,
	};

	if (message->err)
		kafka_log_error(consumer->assignment.topic, message->err, rd_kafka_message_errstr(message));
	if (!message->err && !consumer->is_closing &&
	    kafka_assignment_receive(&consumer->assignment, record.partition, record.offset))
		consumer->handlers.record(consumer->arg, &record);
	else
		rd_kafka_message_destroy(message);
}

static void consumer_end_closing(struct kafka_consumer *consumer);

static void consumer_serve(struct kafka_wake *wake)
{
	struct kafka_consumer *consumer = container_of(wake, struct kafka_consumer, wake);
	int left = KAFKA_EVENTS_A_TURN;

	for (; left > 0 && consumer->pause != SOFTLY_PAUSED && !consumer->is_destroying; left--) {
		rd_kafka_message_t *message = rd_kafka_consume_queue(consumer->queue, 0);
		if (!message)
			break;
		consumer_take_message(consumer, message);
	}
	if (left == 0)
		kafka_wake_again(wake);
	if (consumer->is_closing && !consumer->is_destroying && rd_kafka_consumer_closed(consumer->rk))
		consumer_end_closing(consumer);
}

static void consumer_on_commit_tick(struct timer *timer)
{
	struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, commit);

	worker_arm_in(consumer->worker, timer, consumer->commit_interval_ms);
	if (!consumer->is_closing)
		kafka_assignment_commit(&consumer->assignment);
	consumer_serve(&consumer->wake);
}

/* ---- pausing ---- */

static void consumer_for_our_partitions(struct kafka_consumer *consumer,
                                        rd_kafka_resp_err_t (*change)(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions))
{
	rd_kafka_topic_partition_list_t *partitions = NULL;

	if (rd_kafka_assignment(consumer->rk, &partitions))
		return;
	change(consumer->rk, partitions);
	rd_kafka_topic_partition_list_destroy(partitions);
}

static void consumer_on_pause_timer(struct timer *timer)
{
	struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, pause_timer);

	consumer->pause = PAUSED;
	consumer_for_our_partitions(consumer, rd_kafka_pause_partitions);
	kafka_wake_again(&consumer->wake);
}

void kafka_consumer_pause(struct kafka_consumer *consumer)
{
	if (consumer->pause != NOT_PAUSED || consumer->is_closing)
		return;
	consumer->pause = SOFTLY_PAUSED;
	worker_arm_in(consumer->worker, &consumer->pause_timer, SOFT_PAUSE_MS);
}

void kafka_consumer_resume(struct kafka_consumer *consumer)
{
	if (consumer->pause == PAUSED && !consumer->is_destroying)
		consumer_for_our_partitions(consumer, rd_kafka_resume_partitions);
	consumer->pause = NOT_PAUSED;
	worker_cancel(consumer->worker, &consumer->pause_timer);
	kafka_wake_again(&consumer->wake);
}

/* ---- offsets ---- */

void kafka_store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next_offset)
{
	struct partition *p = kafka_assignment_find(&consumer->assignment, partition);

	if (p)
		partition_offsets_store(&p->offsets, next_offset);
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer)
{
	return kafka_assignment_sum(&consumer->assignment, partition_offsets_lag);
}

int64_t kafka_consumer_untaken(const struct kafka_consumer *consumer)
{
	return kafka_assignment_sum(&consumer->assignment, partition_offsets_untaken);
}

bool kafka_consumer_has_joined(const struct kafka_consumer *consumer)
{
	return kafka_assignment_has_any(&consumer->assignment) ||
	       (consumer->joined_ms && clock_mono_ms() >= consumer->joined_ms + SETTLE_MS);
}

/* ---- the consumer ---- */

static void consumer_free(struct kafka_consumer *consumer)
{
	kafka_assignment_release(&consumer->assignment);
	mem_free(consumer);
}

static void consumer_on_wake_closed(uv_handle_t *handle)
{
	struct kafka_wake *wake = container_of((uv_poll_t *)handle, struct kafka_wake, poll);
	struct kafka_consumer *consumer = container_of(wake, struct kafka_consumer, wake);
	void (*closed)(void *arg) = consumer->closed;
	void *arg = consumer->closed_arg;

	consumer_free(consumer);
	if (closed)
		closed(arg);
}

static rd_kafka_t *consumer_make_handle(struct kafka_consumer *consumer, const struct kafka_consumer_options *options)
{
	rd_kafka_conf_t *conf = kafka_conf_new(options->brokers, options->client_id, settings, ARRAY_LEN(settings));

	if (!conf)
		return NULL;
	if (rd_kafka_conf_set(conf, "group.id", options->group, NULL, 0) != RD_KAFKA_CONF_OK) {
		log_error("invalid kafka consumer group", LOG_TEXT("group", options->group));
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, consumer);
	rd_kafka_conf_set_rebalance_cb(conf, consumer_on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(conf, consumer_on_committed);
	rd_kafka_conf_set_error_cb(conf, consumer_on_error);
	return kafka_handle_new(RD_KAFKA_CONSUMER, conf);
}

static err_t consumer_start(struct kafka_consumer *consumer, const struct kafka_consumer_options *options)
{
	consumer->rk = consumer->assignment.rk = consumer_make_handle(consumer, options);
	if (!consumer->rk)
		return ERR_BAD_CONFIG;
	rd_kafka_poll_set_consumer(consumer->rk);
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(topics, options->topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	if (err) {
		log_error("cannot subscribe to a kafka topic", LOG_TEXT("topic", options->topic),
		          LOG_TEXT("reason", rd_kafka_err2str(err)));
		rd_kafka_destroy(consumer->rk);
		return ERR_BAD_CONFIG;
	}
	consumer->queue = rd_kafka_queue_get_consumer(consumer->rk);
	kafka_wake_on(&consumer->wake, consumer->queue);
	return OK;
}

err_t kafka_consumer_new(struct kafka_consumer **out, struct worker *worker, const struct kafka_consumer_options *options,
                         const struct kafka_consumer_handlers *handlers, void *arg)
{
	struct kafka_consumer *consumer = MEM_NEW(struct kafka_consumer);

	consumer->worker = worker;
	consumer->handlers = *handlers;
	consumer->arg = arg;
	kafka_assignment_init(&consumer->assignment, options->topic, &consumer->handlers, arg);
	consumer->commit_interval_ms = options->commit_interval_ms;
	timer_init(&consumer->commit, consumer_on_commit_tick);
	timer_init(&consumer->pause_timer, consumer_on_pause_timer);
	err_t err = kafka_wake_init(&consumer->wake, worker, consumer_serve);
	if (err) {
		consumer_free(consumer);
		return err;
	}
	err = consumer_start(consumer, options);
	if (err) {
		kafka_wake_close(&consumer->wake, consumer_on_wake_closed);
		return err;
	}
	worker_arm_in(worker, &consumer->commit, consumer->commit_interval_ms);
	*out = consumer;
	return OK;
}

/* ---- closing: leave the group, destroy the handle on a thread of libuv's pool, close the handles on the loop ---- */

static void consumer_destroy_handle(uv_work_t *work)
{
	struct kafka_consumer *consumer = container_of(work, struct kafka_consumer, destroy);

	rd_kafka_destroy_flags(consumer->rk, consumer->is_left_behind ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
}

static void consumer_on_destroyed(uv_work_t *work, int status)
{
	struct kafka_consumer *consumer = container_of(work, struct kafka_consumer, destroy);
	(void)status;

	kafka_wake_close(&consumer->wake, consumer_on_wake_closed);
}

static void consumer_end_closing(struct kafka_consumer *consumer)
{
	consumer->is_destroying = true;
	/* Closing in the middle of a rebalance, or by force, revokes nothing. */
	kafka_assignment_lose(&consumer->assignment);
	worker_cancel(consumer->worker, &consumer->commit);
	worker_cancel(consumer->worker, &consumer->give_up);
	kafka_wake_off(consumer->queue);
	rd_kafka_queue_destroy(consumer->queue);
	uv_queue_work(&consumer->worker->loop, &consumer->destroy, consumer_destroy_handle, consumer_on_destroyed);
}

static void consumer_on_give_up(struct timer *timer)
{
	struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, give_up);

	log_warn("kafka consumer could not leave its group in time", LOG_TEXT("topic", consumer->assignment.topic));
	consumer->is_left_behind = true;
	consumer_end_closing(consumer);
}

void kafka_consumer_close(struct kafka_consumer *consumer, void (*closed)(void *arg), void *arg)
{
	assert(!consumer->is_closing);
	kafka_consumer_resume(consumer);
	consumer->is_closing = true;
	consumer->closed = closed;
	consumer->closed_arg = arg;
	timer_init(&consumer->give_up, consumer_on_give_up);
	worker_arm_in(consumer->worker, &consumer->give_up, CLOSE_MS);
	/* The last events (the revocation of all partitions) come through a queue of their own. */
	kafka_wake_off(consumer->queue);
	rd_kafka_queue_destroy(consumer->queue);
	consumer->queue = rd_kafka_queue_new(consumer->rk);
	kafka_wake_on(&consumer->wake, consumer->queue);
	kafka_log_failure("kafka consumer cannot close", consumer->assignment.topic,
	                  rd_kafka_consumer_close_queue(consumer->rk, consumer->queue));
}
