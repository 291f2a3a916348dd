#include "gateway/delivery.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/session.h"
#include "proto/delivery.pb-c.h"

struct target {
	uint64_t conn, offset, epoch;
	uint32_t delivery; /* index in the run */
	uint8_t audience;
};

/* A target that was not simply queued. */
struct exception {
	uint64_t conn;
	uint32_t delivery;
	enum verdict verdict;
};

struct exceptions {
	struct exception *items;
	size_t count, capacity;
};

/* What one worker has to do of a batch. */
struct part {
	struct task task;
	struct run *run;
	struct ws_worker *w;
	struct target *targets; /* those of one delivery stand together */
	size_t count;
	struct exceptions exceptions;
};

/* A batch on its way through the workers. */
struct run {
	struct app *app;
	struct rpc_stream *stream;
	atomic_uint open_parts; /* and one for who makes it */
	size_t delivery_count;
	uint64_t *ids;
	struct fanout **fanouts; /* NULL: it cannot be read, or has no target */
	struct exceptions exceptions; /* known before any worker is asked */
	struct part parts[];
};

static void add_exception(struct exceptions *exceptions, uint32_t delivery, uint64_t conn, enum verdict verdict)
{
	if (exceptions->count == exceptions->capacity) {
		exceptions->capacity = exceptions->capacity ? 2 * exceptions->capacity : 8;
		exceptions->items =
			mem_resize(exceptions->items, exceptions->capacity * sizeof(exceptions->items[0]));
	}
	exceptions->items[exceptions->count++] =
		(struct exception){ .conn = conn, .delivery = delivery, .verdict = verdict };
}

/* ---- the answer: on the thread that is through last ---- */

static size_t count_exceptions(const struct run *run)
{
	size_t count = run->exceptions.count;

	for (unsigned i = 0; i < run->app->worker_count; i++)
		count += run->parts[i].exceptions.count;
	return count;
}

static size_t fill_exceptions(const struct run *run, const struct exceptions *from, Skein__V1__Exception *to)
{
	for (size_t i = 0; i < from->count; i++) {
		skein__v1__exception__init(&to[i]);
		to[i].id = run->ids[from->items[i].delivery];
		to[i].conn = from->items[i].conn;
		to[i].verdict = from->items[i].verdict == VERDICT_GONE ? SKEIN__V1__VERDICT__GONE : SKEIN__V1__VERDICT__LAGGING;
	}
	return from->count;
}

static void send_answer(const struct run *run)
{
	Skein__V1__DeliverAnswers answers = SKEIN__V1__DELIVER_ANSWERS__INIT;
	size_t count = count_exceptions(run), filled;
	Skein__V1__Exception *exceptions = mem_alloc(count * sizeof(*exceptions));
	Skein__V1__Exception **pointers = mem_alloc(count * sizeof(*pointers));
	struct buf bytes = { 0 };

	filled = fill_exceptions(run, &run->exceptions, exceptions);
	for (unsigned i = 0; i < run->app->worker_count; i++)
		filled += fill_exceptions(run, &run->parts[i].exceptions, exceptions + filled);
	for (size_t i = 0; i < count; i++)
		pointers[i] = &exceptions[i];
	answers.n_exceptions = count;
	answers.exceptions = pointers;
	answers.n_done = run->delivery_count;
	answers.done = run->ids;
	size_t len = skein__v1__deliver_answers__get_packed_size(&answers);
	bytes.len = skein__v1__deliver_answers__pack(&answers, (uint8_t *)buf_reserve(&bytes, len));
	err_t err = rpc_stream_send(run->stream, buf_str(&bytes));
	if (err && err != ERR_CLOSED) /* down: push delivers again on its next stream */
		log_error("answer to push not sent", LOG_ERR(err), LOG_NUM("deliveries", run->delivery_count));
	buf_release(&bytes);
	mem_free(pointers);
	mem_free(exceptions);
}

static void run_free(struct run *run)
{
	for (size_t i = 0; i < run->delivery_count; i++)
		if (run->fanouts[i])
			fanout_unref(run->fanouts[i]);
	for (unsigned i = 0; i < run->app->worker_count; i++) {
		mem_free(run->parts[i].targets);
		mem_free(run->parts[i].exceptions.items);
	}
	mem_free(run->exceptions.items);
	mem_free(run->fanouts);
	mem_free(run->ids);
	rpc_stream_unref(run->stream);
	mem_free(run);
}

static void leave(struct run *run)
{
	if (atomic_fetch_sub_explicit(&run->open_parts, 1, memory_order_acq_rel) > 1)
		return;
	send_answer(run);
	run_free(run);
}

/* ---- a part: on its worker's thread ---- */

/* The share of the delivery that this target belongs to; `current` is the one of the target before. */
static struct fanout_share *share_of(const struct part *part, const struct target *target, struct fanout_share *current)
{
	struct fanout *fanout = part->run->fanouts[target->delivery];

	if (current && current->fanout == fanout)
		return current;
	if (current)
		fanout_share_unref(current);
	return fanout ? fanout_share_new(fanout) : NULL;
}

static void count_targets(struct part *part, size_t gone, size_t lagging)
{
	struct gateway_metrics *metrics = &part->run->app->metrics;

	counter_add(metrics->deliveries, part->count);
	if (gone)
		counter_add(metrics->gone, gone);
	if (lagging)
		counter_add(metrics->lagging, lagging);
}

/* Connections lie anywhere in memory: this many targets ahead, theirs is asked for. */
#define PREFETCH_AHEAD 6

static void deliver_part(struct task *task)
{
	struct part *part = container_of(task, struct part, task);
	struct fanout_share *share = NULL;
	uint64_t now_ms = clock_mono_ms();
	size_t counts[] = { [VERDICT_QUEUED] = 0, [VERDICT_GONE] = 0, [VERDICT_LAGGING] = 0 };

	for (size_t i = 0; i < part->count; i++) {
		const struct target *target = &part->targets[i];
		struct session *session = conn_table_find(&part->w->table, target->conn);
		enum verdict verdict = VERDICT_GONE;

		if (i + PREFETCH_AHEAD < part->count)
			conn_table_prefetch(&part->w->table, target[PREFETCH_AHEAD].conn);
		share = share_of(part, target, share);
		if (session)
			verdict = session_deliver(session, target->epoch, target->offset, share, target->audience, now_ms);
		counts[verdict]++;
		if (verdict != VERDICT_QUEUED)
			add_exception(&part->exceptions, target->delivery, target->conn, verdict);
	}
	if (share)
		fanout_share_unref(share);
	count_targets(part, counts[VERDICT_GONE], counts[VERDICT_LAGGING]);
	leave(part->run);
}

/* ---- taking a batch apart: on the queue's thread ---- */

static bool is_well_formed(const Skein__V1__Targets *targets)
{
	return !targets || (targets->n_conns == targets->n_offsets && targets->n_conns == targets->n_epochs);
}

static size_t target_count(const Skein__V1__Targets *targets)
{
	return targets ? targets->n_conns : 0;
}

static void all_are(struct run *run, uint32_t delivery, const Skein__V1__Targets *targets, enum verdict verdict)
{
	for (size_t i = 0; i < target_count(targets); i++)
		add_exception(&run->exceptions, delivery, targets->conns[i], verdict);
}

static void add_target(struct run *run, struct target target)
{
	unsigned worker = conn_worker(target.conn);
	struct part *part = &run->parts[worker];

	/* Powers of two: capacity is known from the count. */
	if ((part->count & (part->count - 1)) == 0)
		part->targets = mem_resize(part->targets, MAX(8, 2 * part->count) * sizeof(target));
	part->targets[part->count++] = target;
}

static void add_targets(struct run *run, uint32_t delivery, const Skein__V1__Targets *targets, enum audience audience)
{
	for (size_t i = 0; i < target_count(targets); i++) {
		const struct target target = {
			.conn = targets->conns[i],
			.offset = targets->offsets[i],
			.epoch = targets->epochs[i],
			.delivery = delivery,
			.audience = (uint8_t)audience,
		};

		if (conn_worker(target.conn) >= run->app->worker_count)
			add_exception(&run->exceptions, delivery, target.conn, VERDICT_GONE);
		else if (!target.epoch || !target.offset || target.offset > SEQUENCER_MAX_OFFSET)
			add_exception(&run->exceptions, delivery, target.conn, VERDICT_LAGGING);
		else
			add_target(run, target);
	}
}

static void count_malformed(struct run *run, uint64_t id, const char *why)
{
	counter_add(run->app->metrics.malformed, 1);
	log_error("malformed delivery", LOG_U64("id", id), LOG_TEXT("why", why));
}

static void plan(struct run *run, uint32_t index, const Skein__V1__Delivery *delivery)
{
	run->ids[index] = delivery->id;
	if (!is_well_formed(delivery->others) || !is_well_formed(delivery->own)) {
		count_malformed(run, delivery->id, "lists of different lengths");
		all_are(run, index, delivery->others, VERDICT_LAGGING);
		all_are(run, index, delivery->own, VERDICT_LAGGING);
		return;
	}
	if (delivery->node_epoch != atomic_load(&run->app->node_epoch)) {
		all_are(run, index, delivery->others, VERDICT_GONE);
		all_are(run, index, delivery->own, VERDICT_GONE);
		return;
	}
	if (!target_count(delivery->others) && !target_count(delivery->own))
		return;
	run->fanouts[index] = fanout_new(str_of(delivery->message.data, delivery->message.len),
	                                 target_count(delivery->own) > 0, str_from(delivery->client_msg_id));
	/* Its connections are told the number all the same: they notice the hole, and the client reads it. */
	if (!run->fanouts[index])
		count_malformed(run, delivery->id, "the message cannot be shown");
	add_targets(run, index, delivery->others, AUDIENCE_OTHERS);
	add_targets(run, index, delivery->own, AUDIENCE_OWN);
}

static struct run *run_new(struct app *app, struct rpc_stream *stream, size_t delivery_count)
{
	struct run *run = mem_zalloc(sizeof(*run) + app->worker_count * sizeof(run->parts[0]));

	run->app = app;
	run->stream = rpc_stream_ref(stream);
	run->delivery_count = delivery_count;
	run->ids = mem_zalloc(delivery_count * sizeof(run->ids[0]));
	run->fanouts = mem_zalloc(delivery_count * sizeof(struct fanout *));
	atomic_init(&run->open_parts, 1);
	return run;
}

static void post_parts(struct run *run)
{
	for (unsigned i = 0; i < run->app->worker_count; i++) {
		struct part *part = &run->parts[i];

		if (!part->count)
			continue;
		part->run = run;
		part->w = &run->app->workers[i];
		part->task.run = deliver_part;
		atomic_fetch_add_explicit(&run->open_parts, 1, memory_order_relaxed);
		worker_post(&part->w->worker, &part->task);
	}
	leave(run);
}

static void on_batch(struct rpc_stream *stream, struct str message, void *arg)
{
	struct app *app = arg;
	Skein__V1__DeliverBatch *batch =
		skein__v1__deliver_batch__unpack(NULL, message.len, (const uint8_t *)message.ptr);

	if (!batch) {
		counter_add(app->metrics.malformed, 1);
		log_error("push sent something that is not a DeliverBatch", LOG_NUM("bytes", message.len));
		rpc_stream_end(stream, ERR_INVALID_ARGUMENT, "not a DeliverBatch"); /* whose deliveries nobody can answer */
		return;
	}
	if (batch->n_deliveries) {
		struct run *run = run_new(app, stream, batch->n_deliveries);

		for (size_t i = 0; i < batch->n_deliveries; i++)
			plan(run, (uint32_t)i, batch->deliveries[i]);
		post_parts(run);
	}
	skein__v1__deliver_batch__free_unpacked(batch, NULL);
}

const struct rpc_stream_handlers delivery_handlers = { .message = on_batch };
