#include "gateway/grpc/delivery.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/session/session.h"
#include "proto/delivery.pb-c.h"

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

/* What one worker has to do of a batch: what is its own among all targets. */
struct part {
	struct task task;
	struct run *run;
	struct ws_worker *w;
	bool is_concerned; /* there is such a target */
	size_t counts[3]; /* of its targets, by verdict */
	struct exceptions exceptions;
};

struct plan {
	const Skein__V1__Connections *own, *others; /* NULL: none */
	struct fanout *fanout; /* NULL: it cannot be read */
	bool is_to_deliver;
};

/* A batch on its way through the workers. */
struct run {
	struct app *app;
	struct rpc_stream *stream;
	Skein__V1__DeliverBatch *batch; /* the workers read it where it is: a target is met by each, used by one */
	atomic_uint open_parts; /* and one for who makes it */
	struct plan *plans; /* of each delivery */
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
		to[i].id = run->batch->deliveries[from->items[i].delivery]->id;
		to[i].conn = from->items[i].conn;
		to[i].verdict = from->items[i].verdict == VERDICT_GONE ? SKEIN__V1__VERDICT__GONE : SKEIN__V1__VERDICT__LAGGING;
	}
	return from->count;
}

static void send_answer(const struct run *run)
{
	Skein__V1__DeliverAnswers answers = SKEIN__V1__DELIVER_ANSWERS__INIT;
	size_t count = count_exceptions(run), filled;
	uint64_t *ids = mem_alloc(run->batch->n_deliveries * sizeof(*ids));
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
	for (size_t i = 0; i < run->batch->n_deliveries; i++)
		ids[i] = run->batch->deliveries[i]->id;
	answers.n_done = run->batch->n_deliveries;
	answers.done = ids;
	size_t len = skein__v1__deliver_answers__get_packed_size(&answers);
	bytes.len = skein__v1__deliver_answers__pack(&answers, (uint8_t *)buf_reserve(&bytes, len));
	err_t err = rpc_stream_send(run->stream, buf_str(&bytes));
	if (err && err != ERR_CLOSED) /* down: push delivers again on its next stream */
		log_error("answer to push not sent", LOG_ERR(err), LOG_NUM("deliveries", answers.n_done));
	buf_release(&bytes);
	mem_free(ids);
	mem_free(pointers);
	mem_free(exceptions);
}

static void run_free(struct run *run)
{
	for (size_t i = 0; i < run->batch->n_deliveries; i++)
		if (run->plans[i].fanout)
			fanout_unref(run->plans[i].fanout);
	for (unsigned i = 0; i < run->app->worker_count; i++)
		mem_free(run->parts[i].exceptions.items);
	mem_free(run->exceptions.items);
	mem_free(run->plans);
	skein__v1__deliver_batch__free_unpacked(run->batch, NULL);
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

/* Connections lie anywhere in memory: this many targets ahead, theirs is asked for. */
#define PREFETCH_AHEAD 6

static bool is_numbered(const Skein__V1__Connections *targets, size_t i)
{
	return targets->epochs[i] && targets->offsets[i] && targets->offsets[i] <= SEQUENCER_MAX_OFFSET;
}

static size_t target_count(const Skein__V1__Connections *targets)
{
	return targets ? targets->n_conns : 0;
}

static void deliver_to(struct part *part, uint32_t delivery, const Skein__V1__Connections *targets, enum audience audience,
                       struct fanout_share *share, uint64_t now_ms)
{
	const struct conn_table *table = &part->w->table;

	for (size_t i = 0; i < target_count(targets); i++) {
		uint64_t conn = targets->conns[i];

		if (i + PREFETCH_AHEAD < targets->n_conns)
			conn_table_prefetch(table, targets->conns[i + PREFETCH_AHEAD]);
		if (conn_worker(conn) != part->w->index || !is_numbered(targets, i))
			continue;
		struct session *session = conn_table_find(table, conn);
		enum verdict verdict = VERDICT_GONE;
		if (session)
			verdict = session_deliver(session, targets->epochs[i], targets->offsets[i], share, audience, now_ms);
		part->counts[verdict]++;
		if (verdict != VERDICT_QUEUED)
			add_exception(&part->exceptions, delivery, conn, verdict);
	}
}

static void count_targets(const struct part *part)
{
	struct gateway_metrics *metrics = &part->run->app->metrics;
	size_t gone = part->counts[VERDICT_GONE], lagging = part->counts[VERDICT_LAGGING];

	counter_add(metrics->deliveries, part->counts[VERDICT_QUEUED] + gone + lagging);
	if (gone)
		counter_add(metrics->gone, gone);
	if (lagging)
		counter_add(metrics->lagging, lagging);
}

static void deliver_part(struct task *task)
{
	struct part *part = container_of(task, struct part, task);
	const struct run *run = part->run;
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < run->batch->n_deliveries; i++) {
		const struct plan *plan = &run->plans[i];

		if (!plan->is_to_deliver)
			continue;
		struct fanout_share *share = plan->fanout ? fanout_share_new(plan->fanout) : NULL;
		deliver_to(part, (uint32_t)i, plan->others, AUDIENCE_OTHERS, share, now_ms);
		deliver_to(part, (uint32_t)i, plan->own, AUDIENCE_OWN, share, now_ms);
		if (share)
			fanout_share_unref(share);
	}
	count_targets(part);
	leave(part->run);
}

/* ---- taking a batch apart: on the queue's thread ---- */

static bool is_well_formed(const Skein__V1__Connections *targets)
{
	return !targets || (targets->n_conns == targets->n_offsets && targets->n_conns == targets->n_epochs);
}

static void all_are(struct run *run, uint32_t delivery, const Skein__V1__Connections *targets, enum verdict verdict)
{
	for (size_t i = 0; i < target_count(targets); i++)
		add_exception(&run->exceptions, delivery, targets->conns[i], verdict);
}

/* Which workers have targets here; those that nobody has get their verdict. */
static void look_at_targets(struct run *run, uint32_t delivery, const Skein__V1__Connections *targets)
{
	for (size_t i = 0; i < target_count(targets); i++) {
		unsigned worker = conn_worker(targets->conns[i]);

		if (worker >= run->app->worker_count)
			add_exception(&run->exceptions, delivery, targets->conns[i], VERDICT_GONE);
		else if (!is_numbered(targets, i))
			add_exception(&run->exceptions, delivery, targets->conns[i], VERDICT_LAGGING);
		else
			run->parts[worker].is_concerned = true;
	}
}

static void count_malformed(struct run *run, uint64_t id, const char *why)
{
	counter_add(run->app->metrics.malformed, 1);
	log_error("malformed delivery", LOG_U64("id", id), LOG_TEXT("why", why));
}

static struct str message_of(const Skein__V1__Delivery *delivery)
{
	if (delivery->content_case != SKEIN__V1__DELIVERY__CONTENT_MESSAGE)
		return (struct str){ 0 };
	return str_of(delivery->message.data, delivery->message.len);
}

static void make_plan(struct run *run, uint32_t index)
{
	const Skein__V1__Delivery *delivery = run->batch->deliveries[index];
	const Skein__V1__Audience *audience = delivery->audience;
	struct str message = message_of(delivery);
	struct plan *plan = &run->plans[index];

	if (delivery->content_case == SKEIN__V1__DELIVERY__CONTENT_EVENT)
		return; /* events are not shown yet: done, to nobody */
	if (audience && audience->who_case == SKEIN__V1__AUDIENCE__WHO_TARGETS) {
		plan->own = audience->targets->own;
		plan->others = audience->targets->others;
	}
	if (!is_well_formed(plan->others) || !is_well_formed(plan->own)) {
		count_malformed(run, delivery->id, "lists of different lengths");
		all_are(run, index, plan->others, VERDICT_LAGGING);
		all_are(run, index, plan->own, VERDICT_LAGGING);
		return;
	}
	if (delivery->node_epoch != atomic_load(&run->app->node_epoch)) {
		all_are(run, index, plan->others, VERDICT_GONE);
		all_are(run, index, plan->own, VERDICT_GONE);
		return;
	}
	plan->is_to_deliver = target_count(plan->others) || target_count(plan->own);
	if (!plan->is_to_deliver)
		return;
	if (message.len)
		plan->fanout = fanout_new(message, target_count(plan->own) > 0, str_from(delivery->client_msg_id));
	/* Without it connections are told the number all the same: they notice the hole, and read it from the inbox. */
	if (!plan->fanout && message.len)
		count_malformed(run, delivery->id, "the message cannot be shown");
	look_at_targets(run, index, plan->others);
	look_at_targets(run, index, plan->own);
}

static struct run *run_new(struct app *app, struct rpc_stream *stream, Skein__V1__DeliverBatch *batch)
{
	struct run *run = mem_zalloc(sizeof(*run) + app->worker_count * sizeof(run->parts[0]));

	run->app = app;
	run->stream = rpc_stream_ref(stream);
	run->batch = batch;
	run->plans = mem_zalloc(batch->n_deliveries * sizeof(run->plans[0]));
	atomic_init(&run->open_parts, 1);
	return run;
}

static void post_parts(struct run *run)
{
	for (unsigned i = 0; i < run->app->worker_count; i++) {
		struct part *part = &run->parts[i];

		if (!part->is_concerned)
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
	if (!batch->n_deliveries) {
		skein__v1__deliver_batch__free_unpacked(batch, NULL);
		return;
	}
	struct run *run = run_new(app, stream, batch);
	for (size_t i = 0; i < batch->n_deliveries; i++)
		make_plan(run, (uint32_t)i);
	post_parts(run);
}

const struct rpc_stream_handlers delivery_handlers = { .message = on_batch };
