#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "store/kafka/kafka_client.h"

/*
 * Records, rebalances and errors all come through one queue of librdkafka's, polled one by one: a record that was taken
 * out is handed over before anything behind it is looked at, so that no record of a partition comes after its
 * revocation. The queue is also polled on every commit tick, or librdkafka would think after five quiet minutes that we
 * are dead (max.poll.interval.ms).
 *
 * A pause first only stops polling: what was fetched is not thrown away. If it lasts, the partitions are paused in
 * librdkafka (which forgets what it fetched), and polling goes on, for the rebalances: a partition that is given to us
 * then is paused, one that is taken is not any more.
 */

/*
 * A broker that stood still and wakes up believes for a moment that it leads; it lacks what was written meanwhile, says that
 * there is no such offset, and librdkafka begins from the start (auto.offset.reset). It is led forward again. When
 * what we had is missing for LOST_LOG_MS the log itself was lost, and what is in it is new.
 */
#define LOST_LOG_MS 10000
#define SEEK_AGAIN_MS 200
#define CALM_MS 3000 /* without going back: it is over */

#define ASK_MS 1000 /* how long a rebalance may hold up the loop */
#define SOFT_PAUSE_MS 200
#define CLOSE_MS 10000

static const struct kafka_setting settings[] = {
	{ "partition.assignment.strategy", "cooperative-sticky" },
	{ "enable.auto.commit", "false" },
	{ "enable.auto.offset.store", "false" },
	{ "auto.offset.reset", "earliest" },
	{ "session.timeout.ms", "6000" },
	/* A member hears of a rebalance with its next heartbeat, and a cooperative one takes two rounds. */
	{ "heartbeat.interval.ms", "500" },
	{ "fetch.min.bytes", "1" },
	{ "fetch.wait.max.ms", "500" },
	{ "fetch.error.backoff.ms", "50" },
	{ "queued.max.messages.kbytes", "16384" },
};

#define NO_OFFSET INT64_C(-1)

struct partition {
	bool is_ours;
	bool is_announced; /* assigned() was called */
	int64_t taken; /* the offset behind the last record that was handed over, or where we begin */
	uint64_t went_back_ms, sought_ms; /* when records from below that began to come, and when we last asked for it */
	int64_t stored; /* everything below it is done with, or NO_OFFSET */
	int64_t sent; /* in a commit that was sent */
	int64_t committed; /* as far as we know, or NO_OFFSET */
};

enum consumer_pause { NOT_PAUSED, SOFTLY_PAUSED, PAUSED };

struct kafka_consumer {
	struct worker *worker;
	struct kafka_consumer_handlers handlers;
	void *arg;
	char *topic;
	uint64_t commit_interval_ms;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue; /* the consumer's; while closing, one of our own that it is led to */
	struct kafka_wake wake;
	struct partition *partitions; /* by number */
	int32_t partition_count;
	enum consumer_pause pause;
	struct timer commit, pause_timer, give_up;
	uv_work_t destroy;
	bool has_joined;
	bool is_closing, is_destroying;
	bool is_left_behind; /* closing took too long */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- partitions ---- */

static struct partition *find(const struct kafka_consumer *consumer, int32_t number)
{
	if (number < 0 || number >= consumer->partition_count || !consumer->partitions[number].is_ours)
		return NULL;
	return &consumer->partitions[number];
}

static struct partition *make(struct kafka_consumer *consumer, int32_t number)
{
	if (number >= consumer->partition_count) {
		size_t size = ((size_t)number + 1) * sizeof(*consumer->partitions);
		consumer->partitions = mem_resize(consumer->partitions, size);
		memset(consumer->partitions + consumer->partition_count, 0,
		       size - (size_t)consumer->partition_count * sizeof(*consumer->partitions));
		consumer->partition_count = number + 1;
	}
	return &consumer->partitions[number];
}

static void announce(struct kafka_consumer *consumer, int32_t number, int64_t offset)
{
	consumer->partitions[number].is_announced = true;
	consumer->handlers.assigned(consumer->arg, number, offset);
}

void kafka_store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next_offset)
{
	struct partition *p = find(consumer, partition);

	if (p)
		p->stored = MAX(p->stored, next_offset);
}

bool kafka_consumer_has_joined(const struct kafka_consumer *consumer)
{
	return consumer->has_joined;
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer)
{
	int64_t lag = 0, low, high;

	for (int32_t i = 0; i < consumer->partition_count; i++) {
		const struct partition *p = find(consumer, i);
		if (p && !rd_kafka_get_watermark_offsets(consumer->rk, consumer->topic, i, &low, &high))
			lag += MAX(0, high - MAX(low, p->committed));
	}
	return lag;
}

int64_t kafka_consumer_untaken(const struct kafka_consumer *consumer)
{
	int64_t untaken = 0, low, high;

	for (int32_t i = 0; i < consumer->partition_count; i++) {
		const struct partition *p = find(consumer, i);
		if (p && !rd_kafka_get_watermark_offsets(consumer->rk, consumer->topic, i, &low, &high))
			untaken += MAX(0, high - MAX(low, MAX(p->taken, p->committed)));
	}
	return untaken;
}

/* ---- commits ---- */

/* What is stored and not committed, of the partitions in `only` or of all; NULL if there is none. */
static rd_kafka_topic_partition_list_t *take_stored(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *only)
{
	rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(4);

	for (int32_t i = 0; i < consumer->partition_count; i++) {
		struct partition *p = find(consumer, i);
		if (!p || p->stored <= p->sent || (only && !rd_kafka_topic_partition_list_find(only, consumer->topic, i)))
			continue;
		rd_kafka_topic_partition_list_add(offsets, consumer->topic, i)->offset = p->stored;
		p->sent = p->stored;
	}
	if (offsets->cnt > 0)
		return offsets;
	rd_kafka_topic_partition_list_destroy(offsets);
	return NULL;
}

static void take_committed(struct kafka_consumer *consumer, rd_kafka_resp_err_t err,
                           const rd_kafka_topic_partition_list_t *offsets)
{
	for (int i = 0; offsets && i < offsets->cnt; i++) {
		struct partition *p = find(consumer, offsets->elems[i].partition);
		rd_kafka_resp_err_t own = err ? err : offsets->elems[i].err;
		if (!own && p)
			p->committed = MAX(p->committed, offsets->elems[i].offset);
		else if (p)
			p->sent = p->committed; /* the next tick tries again */
		if (own)
			log_warn("commit of a kafka offset failed", LOG_TEXT("topic", consumer->topic),
			         LOG_NUM("partition", offsets->elems[i].partition), LOG_TEXT("reason", rd_kafka_err2str(own)));
	}
}

static void on_committed(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	(void)rk;
	take_committed(opaque, err, offsets);
}

static void commit_in_background(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *offsets = take_stored(consumer, NULL);

	if (!offsets)
		return;
	rd_kafka_resp_err_t err = rd_kafka_commit(consumer->rk, offsets, 1);
	if (err)
		take_committed(consumer, err, offsets);
	rd_kafka_topic_partition_list_destroy(offsets);
}

/* Waits for the answer, but not for long: what is not committed comes again to the next owner. */
static void commit_now(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *partitions)
{
	rd_kafka_topic_partition_list_t *offsets = take_stored(consumer, partitions);

	if (!offsets)
		return;
	rd_kafka_queue_t *answers = rd_kafka_queue_new(consumer->rk);
	rd_kafka_resp_err_t err = rd_kafka_commit_queue(consumer->rk, offsets, answers, NULL, NULL);
	rd_kafka_event_t *event = err ? NULL : rd_kafka_queue_poll(answers, ASK_MS);
	if (event)
		take_committed(consumer, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event));
	else
		take_committed(consumer, err ? err : RD_KAFKA_RESP_ERR__TIMED_OUT, offsets);
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(answers);
	rd_kafka_topic_partition_list_destroy(offsets);
}

/* ---- rebalances ---- */

static void log_error_of(const struct kafka_consumer *consumer, const char *event, rd_kafka_error_t *error)
{
	if (!error)
		return;
	log_error(event, LOG_TEXT("topic", consumer->topic), LOG_TEXT("reason", rd_kafka_error_string(error)));
	rd_kafka_error_destroy(error);
}

static void assign(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *partitions)
{
	rd_kafka_resp_err_t err = rd_kafka_committed(consumer->rk, partitions, ASK_MS);

	for (int i = 0; i < partitions->cnt; i++) {
		rd_kafka_topic_partition_t *given = &partitions->elems[i];
		bool is_known = !err && !given->err;
		int64_t committed = is_known && given->offset >= 0 ? given->offset : NO_OFFSET;
		*make(consumer, given->partition) = (struct partition){
			.is_ours = true, .taken = MAX(committed, 0), .stored = committed, .sent = committed, .committed = committed,
		};
		/* Nothing committed: auto.offset.reset finds the beginning. Not known: librdkafka asks once more. */
		given->offset = committed == NO_OFFSET ? RD_KAFKA_OFFSET_INVALID : committed;
		if (is_known)
			announce(consumer, given->partition, MAX(committed, 0));
	}
	log_error_of(consumer, "kafka partitions cannot be taken", rd_kafka_incremental_assign(consumer->rk, partitions));
	if (consumer->pause == PAUSED)
		rd_kafka_pause_partitions(consumer->rk, partitions);
}

static void unassign(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *partitions)
{
	bool is_lost = rd_kafka_assignment_lost(consumer->rk);

	for (int i = 0; i < partitions->cnt; i++) {
		struct partition *p = find(consumer, partitions->elems[i].partition);
		if (p && p->is_announced)
			consumer->handlers.revoked(consumer->arg, partitions->elems[i].partition, is_lost);
	}
	if (!is_lost)
		commit_now(consumer, partitions);
	for (int i = 0; i < partitions->cnt; i++) {
		struct partition *p = find(consumer, partitions->elems[i].partition);
		if (p)
			p->is_ours = false;
	}
	/* A pause outlives the assignment in librdkafka, and kafka_consumer_resume() only ends it for what is assigned then. */
	if (consumer->pause == PAUSED)
		rd_kafka_resume_partitions(consumer->rk, partitions);
	log_error_of(consumer, "kafka partitions cannot be given back", rd_kafka_incremental_unassign(consumer->rk, partitions));
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct kafka_consumer *consumer = opaque;

	log_info("kafka partitions move", LOG_TEXT("topic", consumer->topic), LOG_NUM("partitions", partitions->cnt),
	         LOG_TEXT("what", err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "given" : "taken"));
	consumer->has_joined = true;
	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		assign(consumer, partitions);
	} else if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		unassign(consumer, partitions);
	} else {
		log_error("kafka rebalance failed", LOG_TEXT("topic", consumer->topic), LOG_TEXT("reason", rd_kafka_err2str(err)));
		rd_kafka_assign(rk, NULL);
	}
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	(void)rk;

	kafka_log_error(consumer->topic, (rd_kafka_resp_err_t)err, reason);
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

static void seek(struct kafka_consumer *consumer, int32_t number, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, consumer->topic, number)->offset = offset;
	log_error_of(consumer, "kafka consumer cannot seek", rd_kafka_seek_partitions(consumer->rk, list, 0));
	rd_kafka_topic_partition_list_destroy(list);
}

static void take_for_new(struct kafka_consumer *consumer, int32_t number)
{
	struct partition *p = &consumer->partitions[number];

	log_error("kafka has lost what was taken, the records that it has are taken for new ones",
	          LOG_TEXT("topic", consumer->topic), LOG_NUM("partition", number), LOG_NUM("taken", p->taken));
	if (p->is_announced)
		consumer->handlers.revoked(consumer->arg, number, true);
	*p = (struct partition){ .is_ours = true, .stored = NO_OFFSET, .sent = NO_OFFSET, .committed = NO_OFFSET };
}

/* Whether this was handed over before; then librdkafka is led forward to where we were. */
static bool was_taken(struct kafka_consumer *consumer, struct partition *p, const rd_kafka_message_t *message)
{
	uint64_t now = clock_mono_ms();

	if (message->offset >= p->taken)
		return false;
	if (now >= p->sought_ms + CALM_MS) {
		p->went_back_ms = now;
		log_warn("kafka went back to what was taken", LOG_TEXT("topic", consumer->topic),
		         LOG_NUM("partition", message->partition), LOG_NUM("offset", message->offset), LOG_NUM("taken", p->taken));
	} else if (now >= p->went_back_ms + LOST_LOG_MS) {
		take_for_new(consumer, message->partition);
		return false;
	}
	if (now >= p->sought_ms + SEEK_AGAIN_MS) {
		p->sought_ms = now;
		seek(consumer, message->partition, p->taken);
	}
	return true;
}

static void take_message(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
	struct partition *p = message->err ? NULL : find(consumer, message->partition);
	struct kafka_record record = {
		.partition = message->partition,
		.offset = message->offset,
		.time_ms = rd_kafka_message_timestamp(message, NULL),
		.key = str_of(message->key, message->key_len),
		.value = str_of(message->payload, message->len),
		.handle = message,
	};

	if (message->err)
		kafka_log_error(consumer->topic, message->err, rd_kafka_message_errstr(message));
	if (!p || consumer->is_closing || was_taken(consumer, p, message)) {
		rd_kafka_message_destroy(message);
		return;
	}
	if (!p->is_announced)
		announce(consumer, record.partition, record.offset);
	p->taken = record.offset + 1;
	consumer->handlers.record(consumer->arg, &record);
}

static void end_closing(struct kafka_consumer *consumer);

static void serve(struct kafka_wake *wake)
{
	struct kafka_consumer *consumer = container_of(wake, struct kafka_consumer, wake);
	int left = KAFKA_EVENTS_A_TURN;

	for (; left > 0 && consumer->pause != SOFTLY_PAUSED && !consumer->is_destroying; left--) {
		rd_kafka_message_t *message = rd_kafka_consume_queue(consumer->queue, 0);
		if (!message)
			break;
		take_message(consumer, message);
	}
	if (left == 0)
		kafka_wake_again(wake);
	if (consumer->is_closing && !consumer->is_destroying && rd_kafka_consumer_closed(consumer->rk))
		end_closing(consumer);
}

static void on_commit_tick(struct timer *timer)
{
	struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, commit);

	worker_arm(consumer->worker, timer, clock_mono_ms() + consumer->commit_interval_ms);
	if (!consumer->is_closing)
		commit_in_background(consumer);
	serve(&consumer->wake);
}

/* ---- pausing ---- */

static void for_our_partitions(struct kafka_consumer *consumer,
                               rd_kafka_resp_err_t (*change)(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions))
{
	rd_kafka_topic_partition_list_t *partitions = NULL;

	if (rd_kafka_assignment(consumer->rk, &partitions))
		return;
	change(consumer->rk, partitions);
	rd_kafka_topic_partition_list_destroy(partitions);
}

static void on_pause_timer(struct timer *timer)
{
	struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, pause_timer);

	consumer->pause = PAUSED;
	for_our_partitions(consumer, rd_kafka_pause_partitions);
	kafka_wake_again(&consumer->wake);
}

void kafka_consumer_pause(struct kafka_consumer *consumer)
{
	if (consumer->pause != NOT_PAUSED || consumer->is_closing)
		return;
	consumer->pause = SOFTLY_PAUSED;
	worker_arm(consumer->worker, &consumer->pause_timer, clock_mono_ms() + SOFT_PAUSE_MS);
}

void kafka_consumer_resume(struct kafka_consumer *consumer)
{
	if (consumer->pause == PAUSED && !consumer->is_destroying)
		for_our_partitions(consumer, rd_kafka_resume_partitions);
	consumer->pause = NOT_PAUSED;
	worker_cancel(consumer->worker, &consumer->pause_timer);
	kafka_wake_again(&consumer->wake);
}

/* ---- the consumer ---- */

static void free_consumer(struct kafka_consumer *consumer)
{
	mem_free(consumer->partitions);
	mem_free(consumer->topic);
	mem_free(consumer);
}

static void on_wake_closed(uv_handle_t *handle)
{
	struct kafka_wake *wake = container_of((uv_poll_t *)handle, struct kafka_wake, poll);
	struct kafka_consumer *consumer = container_of(wake, struct kafka_consumer, wake);
	void (*closed)(void *arg) = consumer->closed;
	void *arg = consumer->closed_arg;

	free_consumer(consumer);
	if (closed)
		closed(arg);
}

static rd_kafka_t *make_handle(struct kafka_consumer *consumer, const struct kafka_consumer_options *options)
{
	rd_kafka_conf_t *conf = kafka_conf_new(options->brokers, options->client_id, settings, ARRAY_LEN(settings));

	if (!conf)
		return NULL;
	if (rd_kafka_conf_set(conf, "group.id", options->group, NULL, 0) != RD_KAFKA_CONF_OK) {
		log_error("this is no kafka group", LOG_TEXT("group", options->group));
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, consumer);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(conf, on_committed);
	rd_kafka_conf_set_error_cb(conf, on_error);
	return kafka_handle_new(RD_KAFKA_CONSUMER, conf);
}

static err_t subscribe(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(topics, consumer->topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	if (!err)
		return OK;
	log_error("cannot subscribe to a kafka topic", LOG_TEXT("topic", consumer->topic),
	          LOG_TEXT("reason", rd_kafka_err2str(err)));
	return ERR_BAD_CONFIG;
}

static err_t start(struct kafka_consumer *consumer, const struct kafka_consumer_options *options)
{
	consumer->rk = make_handle(consumer, options);
	if (!consumer->rk)
		return ERR_BAD_CONFIG;
	rd_kafka_poll_set_consumer(consumer->rk);
	err_t err = subscribe(consumer);
	if (err) {
		rd_kafka_destroy(consumer->rk);
		return err;
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
	consumer->topic = str_dup(str_from(options->topic));
	consumer->commit_interval_ms = options->commit_interval_ms;
	timer_init(&consumer->commit, on_commit_tick);
	timer_init(&consumer->pause_timer, on_pause_timer);
	err_t err = kafka_wake_init(&consumer->wake, worker, serve);
	if (err) {
		free_consumer(consumer);
		return err;
	}
	err = start(consumer, options);
	if (err) {
		kafka_wake_close(&consumer->wake, on_wake_closed);
		return err;
	}
	worker_arm(worker, &consumer->commit, clock_mono_ms() + consumer->commit_interval_ms);
	*out = consumer;
	return OK;
}

/* ---- closing: leave the group, destroy the handle on a thread of the pool, let the loop go ---- */

static void destroy_handle(uv_work_t *work)
{
	struct kafka_consumer *consumer = container_of(work, struct kafka_consumer, destroy);

	rd_kafka_destroy_flags(consumer->rk, consumer->is_left_behind ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
}

static void on_destroyed(uv_work_t *work, int status)
{
	struct kafka_consumer *consumer = container_of(work, struct kafka_consumer, destroy);
	(void)status;

	kafka_wake_close(&consumer->wake, on_wake_closed);
}

/* Left in the middle of a rebalance, or by force: nobody else told the owner. */
static void lose_the_rest(struct kafka_consumer *consumer)
{
	for (int32_t i = 0; i < consumer->partition_count; i++) {
		struct partition *p = find(consumer, i);
		if (p && p->is_announced)
			consumer->handlers.revoked(consumer->arg, i, true);
		if (p)
			p->is_ours = false;
	}
}

static void end_closing(struct kafka_consumer *consumer)
{
	consumer->is_destroying = true;
	lose_the_rest(consumer);
	worker_cancel(consumer->worker, &consumer->commit);
	worker_cancel(consumer->worker, &consumer->give_up);
	kafka_wake_off(consumer->queue);
	rd_kafka_queue_destroy(consumer->queue);
	uv_queue_work(&consumer->worker->loop, &consumer->destroy, destroy_handle, on_destroyed);
}

static void on_give_up(struct timer *timer)
{
	struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, give_up);

	log_warn("kafka consumer does not get out of its group and leaves it behind", LOG_TEXT("topic", consumer->topic));
	consumer->is_left_behind = true;
	end_closing(consumer);
}

void kafka_consumer_close(struct kafka_consumer *consumer, void (*closed)(void *arg), void *arg)
{
	assert(!consumer->is_closing);
	kafka_consumer_resume(consumer);
	consumer->is_closing = true;
	consumer->closed = closed;
	consumer->closed_arg = arg;
	timer_init(&consumer->give_up, on_give_up);
	worker_arm(consumer->worker, &consumer->give_up, clock_mono_ms() + CLOSE_MS);
	/* What comes from here on (the last revocation) is led into a queue of its own. */
	kafka_wake_off(consumer->queue);
	rd_kafka_queue_destroy(consumer->queue);
	consumer->queue = rd_kafka_queue_new(consumer->rk);
	kafka_wake_on(&consumer->wake, consumer->queue);
	log_error_of(consumer, "kafka consumer cannot close", rd_kafka_consumer_close_queue(consumer->rk, consumer->queue));
}
