#include "im/entries/lane.h"

#include <assert.h>

#include "base/clock.h"

/* How long a lane rests after a statement that failed. */
#define RETRY_MS 100

/* A lane whose first entry waits for longer than this is stuck. */
#define HEAD_AGE_MAX_MS 1000

void lane_push(struct lane *lane, struct entry *entry)
{
	batch_queue_push(&lane->queue, entry);
}

static void lane_rest(struct lane *lane)
{
	worker_arm_in(lane->context->worker, &lane->retry, RETRY_MS);
}

/* ---- the answer of a statement ---- */

/* Whether the rows end every entry of the batch. */
static bool lane_is_decided(const PGresult *rows)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		struct str status = pg_text(rows, row, ENTRY_STATUS);
		if (str_equal(status, STR("again")) || str_equal(status, STR("lease")))
			return false;
	}
	return true;
}

/* Takes the rows in the order of the batch, so that each conversation is published in the order of seq. */
static void lane_take_rows(struct lane *lane, struct batch *batch, const PGresult *rows)
{
	int row_of[BATCH_MAX];

	assert(PQntuples(rows) == (int)batch->len);
	for (int row = 0; row < (int)batch->len; row++) {
		int64_t ord = pg_i64(rows, row, ENTRY_ORD);
		assert(ord >= 1 && ord <= batch->len);
		row_of[ord - 1] = row;
	}
	for (unsigned i = 0; i < batch->len; i++) {
		if (finisher_take_row(lane->context->finisher, batch->entries[i], rows, row_of[i]))
			batch->entries[i] = NULL;
	}
}

static void lane_take_error(struct lane *lane, struct batch *batch, err_t err)
{
	struct finisher *finisher = lane->context->finisher;

	for (unsigned i = 0; i < batch->len; i++) {
		struct entry *entry = batch->entries[i];
		if (err == ERR_OUTCOME_UNKNOWN) {
			entry->is_in_doubt = true;
			lease_keeper_fence(lane->context->keeper, entry->epoch);
		}
		if (finisher_must_resolve(finisher, entry))
			continue;
		finisher_refuse(finisher, entry, FINISHER_NO_STORE);
		batch->entries[i] = NULL;
	}
}

/*
 * The server cannot store the entry. That also answers for an earlier try whose outcome was unknown: it is over, since
 * the epoch was raised, and an entry that it had stored would have been found before.
 */
static void lane_blame(struct lane *lane, struct batch *batch)
{
	if (batch->len > 1) {
		lane->singles = batch->len;
		return;
	}
	finisher_refuse(lane->context->finisher, batch->entries[0], FINISHER_NO_STORE);
	batch->entries[0] = NULL;
}

static void lane_on_answer(void *arg, err_t err, const PGresult *rows)
{
	struct lane *lane = arg;
	struct batch *batch = lane->batch;
	bool is_of_an_entry = err && pg_blames_a_value(rows);

	uint64_t took_us = clock_mono_us() - lane->started_us;
	histogram_observe(lane->context->durations, took_us);
	if (batch_queue_first(&lane->queue))
		queue_wait_done(&lane->wait, batch->len, took_us);
	/* PostgreSQL works on a batch that is whole already while this one is taken. */
	if (!err && lane->queue.len >= lane->batch_max && lane_is_decided(rows)) {
		lane->batch = &lane->batches[batch == lane->batches];
		lane_start(lane);
		lane_take_rows(lane, batch, rows);
		batch->len = 0;
		return;
	}
	if (is_of_an_entry)
		lane_blame(lane, batch);
	else if (err)
		lane_take_error(lane, batch, err);
	else
		lane_take_rows(lane, batch, rows);
	batch_queue_put_back(&lane->queue, batch);
	if (!batch_queue_first(&lane->queue))
		return;
	if ((err && !is_of_an_entry) || !lease_keeper_is_held(lane->context->keeper))
		lane_rest(lane);
	else
		lane_start(lane);
}

/* ---- a statement ---- */

/* Without a lease nothing can be stored. Entries in doubt stay: their outcome is asked for once the lease is renewed. */
static void lane_refuse_waiting(struct lane *lane)
{
	struct finisher *finisher = lane->context->finisher;

	lane->singles = 0;
	list_for_each(link, &lane->queue.waiting) {
		struct entry *entry = container_of(link, struct entry, link);
		if (finisher_must_resolve(finisher, entry))
			continue;
		batch_queue_remove(&lane->queue, entry);
		finisher_refuse(finisher, entry, FINISHER_NO_STORE);
	}
	if (batch_queue_first(&lane->queue))
		lane_rest(lane);
}

/*
 * Ends the entries in doubt whose lease was lost: whoever took the number over publishes what was stored. Under an id of another
 * lease they would be stored once more. No entry in doubt is behind one that was in no batch yet.
 */
static void lane_end_foreign_doubts(struct lane *lane)
{
	struct finisher *finisher = lane->context->finisher;

	list_for_each(link, &lane->queue.waiting) {
		struct entry *entry = container_of(link, struct entry, link);
		if (entry->id == 0)
			return;
		if (!entry->is_in_doubt || finisher_must_resolve(finisher, entry))
			continue;
		batch_queue_remove(&lane->queue, entry);
		finisher_refuse(finisher, entry, FINISHER_NO_STORE);
	}
}

/* How long the first entry of the queue has been waiting; 0 if there is none. */
static unsigned lane_head_age_ms(const struct lane *lane, uint64_t now_ms)
{
	const struct entry *first = batch_queue_first(&lane->queue);

	return first ? (unsigned)(now_ms + lane->context->timeout_ms - first->deadline_ms) : 0;
}

void lane_start(struct lane *lane)
{
	const struct lane_context *context = lane->context;
	struct lease_keeper *keeper = context->keeper;
	struct batch *batch = lane->batch;
	struct pg_params params = { 0 };

	if (batch->len || timer_is_armed(&lane->retry) || !batch_queue_first(&lane->queue))
		return;
	if (!lease_keeper_is_held(keeper)) {
		lane_refuse_waiting(lane);
		return;
	}
	if (lease_keeper_is_fencing(keeper)) {
		lane_rest(lane);
		return;
	}
	lane_end_foreign_doubts(lane);
	if (!batch_queue_first(&lane->queue))
		return;
	lane->started_us = clock_mono_us();
	queue_wait_cut(&lane->wait, lane_head_age_ms(lane, lane->started_us / 1000));
	batch_queue_take(&lane->queue, batch, lane->singles ? 1 : lane->batch_max);
	if (lane->singles)
		lane->singles--;
	/* An id belongs to the lease under which it was drawn. */
	for (unsigned i = 0; i < batch->len; i++) {
		struct entry *entry = batch->entries[i];
		histogram_observe(context->waits, lane->started_us - entry->submitted_us);
		if (!entry->id || !watermark_is_current(&keeper->watermark, entry->place))
			entry->id = lease_keeper_draw_id(keeper, &entry->place);
		entry->epoch = keeper->lease.epoch;
	}
	const struct entry *first = batch->entries[0];
	pg_put_i32(&params, keeper->lease.node);
	pg_put_i64(&params, keeper->lease.epoch);
	pg_put_i64(&params, (int64_t)clock_wall_ms());
	first->kind->put(&params, batch);
	counter_add(context->statements, 1);
	pg_query(context->pg, lane->index, first->kind->statement, &params, lane_on_answer, lane);
}

static void lane_on_retry(struct timer *timer)
{
	lane_start(container_of(timer, struct lane, retry));
}

void lane_expire(struct lane *lane, struct entry *entry)
{
	static const struct entry_result late = { .err = ERR_UNAVAILABLE, .detail = "it took too long; send it again" };
	bool is_under_way = list_is_empty(&entry->link);

	if (is_under_way || finisher_must_resolve(lane->context->finisher, entry)) {
		entry_answer(entry, &late);
	} else {
		batch_queue_remove(&lane->queue, entry);
		finisher_refuse(lane->context->finisher, entry, late.detail);
	}
}

bool lane_is_congested(const struct lane *lane, uint64_t now_ms)
{
	return lane->queue.len >= queue_wait_room(&lane->wait) || lane_head_age_ms(lane, now_ms) > HEAD_AGE_MAX_MS;
}

unsigned lane_end_interval(struct lane *lane, uint64_t now_ms)
{
	unsigned of_users = lane->queue.len - lane->queue.of_jobs;

	return queue_wait_end_interval(&lane->wait, of_users, lane_head_age_ms(lane, now_ms));
}

void lane_init(struct lane *lane, struct lane_context *context, unsigned index, unsigned batch_max)
{
	lane->context = context;
	lane->index = index;
	lane->batch = lane->batches;
	lane->batch_max = batch_max;
	batch_queue_init(&lane->queue);
	queue_wait_init(&lane->wait, batch_max);
	timer_init(&lane->retry, lane_on_retry);
}

void lane_close(struct lane *lane)
{
	worker_cancel(lane->context->worker, &lane->retry);
	list_for_each(link, &lane->queue.waiting)
		finisher_refuse(lane->context->finisher, container_of(link, struct entry, link), "this im is leaving");
}
