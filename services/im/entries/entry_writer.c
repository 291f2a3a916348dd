#include "im/entries/entry_writer.h"

#include <assert.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"

/* as fn.im_send() -> ord, status, msg_id, seq, time, duplicate, member_version */
static const struct pg_statement batcher_send_statement = {
	"send",
	"select ord, status, msg_id, seq, time, duplicate, member_version from fn.im_send($1::integer, $2::bigint,"
	" $3::bigint, $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],"
	" $11::text[], $12::text[], $13::bigint[], $14::text[])",
};

/* How long a lane rests after a batch that failed. */
#define RETRY_MS 100

/* Of a lane that does not get on. */
#define HEAD_AGE_MAX_MS 1000

static void start_batch(struct lane *lane);

/* ---- the ends of a send; each frees it ---- */

static void end(struct batcher *batcher, struct send *send, const struct send_result *result)
{
	batcher->count--;
	send_answer(send, result);
	send_free(send);
}

static struct stored_fields fields_of(const struct send *send, const struct send_result *result)
{
	return (struct stored_fields){
		.conversation_id = send->conversation,
		.sender = send->sender,
		.client_msg_id = send->client_msg_id,
		.type = send->type,
		.body = send->body,
		.mentions = send->mentions,
		.seq = (uint64_t)result->seq,
		.msg_id = result->msg_id,
		.time = (uint64_t)result->time,
		.reply_to = (uint64_t)send->reply_to,
	};
}

static void keep_for_readers(struct batcher *batcher, const struct stored_fields *fields)
{
	struct stored_message *message = stored_message_new(fields);

	message_cache_put(batcher->messages, message);
	stored_message_unref(message);
}

static void end_stored(struct batcher *batcher, struct send *send, struct send_result *result, int64_t member_version)
{
	bool is_ours = send->id == result->msg_id;

	/* What our own first try has stored is no duplicate, and not published yet. */
	result->is_duplicate &= !is_ours;
	log_debug("stored", LOG_STR("conversation", send->conversation), LOG_NUM("seq", result->seq),
	          LOG_U64("msg_id", result->msg_id), LOG_NUM("duplicate", result->is_duplicate));
	counter_add(result->is_duplicate ? batcher->duplicates : batcher->stored, 1);
	if (is_ours) {
		const struct stored_fields fields = fields_of(send, result);
		keep_for_readers(batcher, &fields);
		publisher_publish(batcher->publisher, send, &fields, member_version);
	} else {
		publisher_cancel(batcher->publisher, send);
		watermark_close(&batcher->keeper->watermark, send->place);
	}
	end(batcher, send, result);
}

static void end_refused(struct batcher *batcher, struct send *send, err_t err, const char *field, const char *detail)
{
	const struct send_result result = { .err = err, .field = field, .detail = detail };

	counter_add(batcher->refused, 1);
	publisher_cancel(batcher->publisher, send);
	if (send->id)
		watermark_close(&batcher->keeper->watermark, send->place);
	end(batcher, send, &result);
}

/* Not stored now; may it be that an earlier try stored it? */
static bool must_be_resolved(const struct batcher *batcher, const struct send *send)
{
	return send->is_in_doubt && watermark_is_current(&batcher->keeper->watermark, send->place);
}

/* ---- the verdicts of fn.im_send() ---- */

enum column { COLUMN_ORD, COLUMN_STATUS, COLUMN_MSG_ID, COLUMN_SEQ, COLUMN_TIME, COLUMN_DUPLICATE, COLUMN_MEMBER_VERSION };

static void explain(const struct send *send, err_t err, const char **field, const char **detail)
{
	bool is_group = send->group.ptr;

	*field = NULL;
	*detail = NULL;
	switch (err) {
	case ERR_NOT_FOUND:
		*field = is_group ? "to.group" : "to.user";
		*detail = is_group ? "there is no such group" : "there is no such user";
		break;
	case ERR_NOT_MEMBER:
		*detail = "only members may send to a group";
		break;
	case ERR_MUTED:
		*detail = "the group or its member is muted";
		break;
	case ERR_PERMISSION_DENIED:
		*field = "mentions";
		*detail = "only the owner and admins may mention everyone";
		break;
	case ERR_IDEMPOTENCY_CONFLICT:
		*field = "client_msg_id";
		*detail = "this client_msg_id was used for another message";
		break;
	case ERR_INVALID_ARGUMENT:
		*field = "reply_to";
		*detail = "reply_to must be the seq of a message of this conversation";
		break;
	default:
		break;
	}
}

/* True if the send has ended; otherwise it has to be tried again. */
static bool end_by_row(struct batcher *batcher, struct send *send, const PGresult *rows, int row)
{
	struct str status = pg_text(rows, row, COLUMN_STATUS);

	if (str_equal(status, STR("ok"))) {
		struct send_result result = {
			.conversation_id = send->conversation,
			.msg_id = (uint64_t)pg_i64(rows, row, COLUMN_MSG_ID),
			.seq = pg_i64(rows, row, COLUMN_SEQ),
			.time = pg_i64(rows, row, COLUMN_TIME),
			.is_duplicate = pg_bool(rows, row, COLUMN_DUPLICATE),
		};
		end_stored(batcher, send, &result, pg_i64(rows, row, COLUMN_MEMBER_VERSION));
		return true;
	}
	if (str_equal(status, STR("again")))
		return false;
	if (str_equal(status, STR("lease"))) {
		if (watermark_is_current(&batcher->keeper->watermark, send->place))
			lease_keeper_doubt(batcher->keeper);
		if (must_be_resolved(batcher, send))
			return false;
		end_refused(batcher, send, ERR_UNAVAILABLE, NULL, "messages cannot be stored at the moment");
		return true;
	}
	const char *field, *detail;
	err_t err = err_from_code(status.ptr);
	explain(send, err, &field, &detail);
	end_refused(batcher, send, err, field, detail);
	return true;
}

/* In the order of the batch, so that each conversation is published in the order of seq. */
static void end_by_rows(struct lane *lane, const PGresult *rows)
{
	int row_of[BATCH_MAX];
	struct batch *batch = &lane->batch;

	assert(PQntuples(rows) == (int)batch->len);
	for (int row = 0; row < (int)batch->len; row++) {
		int64_t ord = pg_i64(rows, row, COLUMN_ORD);
		assert(ord >= 1 && ord <= batch->len);
		row_of[ord - 1] = row;
	}
	for (unsigned i = 0; i < batch->len; i++) {
		if (end_by_row(lane->batcher, batch->sends[i], rows, row_of[i]))
			batch->sends[i] = NULL;
	}
}

static void end_by_error(struct lane *lane, err_t err)
{
	struct batch *batch = &lane->batch;

	for (unsigned i = 0; i < batch->len; i++) {
		struct send *send = batch->sends[i];
		if (err == ERR_OUTCOME_UNKNOWN)
			send->is_in_doubt = true;
		if (must_be_resolved(lane->batcher, send))
			continue;
		end_refused(lane->batcher, send, ERR_UNAVAILABLE, NULL, "messages cannot be stored at the moment");
		batch->sends[i] = NULL;
	}
}

static void on_batch_done(void *arg, err_t err, const PGresult *rows)
{
	struct lane *lane = arg;
	struct batcher *batcher = lane->batcher;

	uint64_t took_us = clock_mono_us() - lane->started_us;
	histogram_observe(batcher->durations, took_us);
	if (batch_queue_first(&lane->queue))
		queue_wait_done(&lane->wait, lane->batch.len, took_us);
	if (err)
		end_by_error(lane, err);
	else
		end_by_rows(lane, rows);
	batch_queue_put_back(&lane->queue, &lane->batch);
	if (!batch_queue_first(&lane->queue))
		return;
	if (err || !lease_keeper_is_held(batcher->keeper))
		worker_arm(batcher->worker, &lane->retry, clock_mono_ms() + RETRY_MS);
	else
		start_batch(lane);
}

/* ---- a batch ---- */

static void put_texts(struct pg_params *params, const struct batch *batch, size_t member)
{
	pg_array_begin(params, PG_TEXT);
	for (unsigned i = 0; i < batch->len; i++) {
		const struct str *text = (const struct str *)((const char *)batch->sends[i] + member);
		if (text->ptr)
			pg_array_text(params, *text);
		else
			pg_array_null(params);
	}
	pg_array_end(params);
}

static void put_conversations(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_TEXT);
	for (unsigned i = 0; i < batch->conversation_count; i++)
		pg_array_text(params, batch->conversations[i]);
	pg_array_end(params);
	pg_array_begin(params, PG_INT4);
	for (unsigned i = 0; i < batch->len; i++)
		pg_array_i32(params, batch->conversation_of[i] + 1);
	pg_array_end(params);
}

static void put_ids(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < batch->len; i++)
		pg_array_i64(params, (int64_t)batch->sends[i]->id);
	pg_array_end(params);
}

static void put_replies(struct pg_params *params, const struct batch *batch)
{
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < batch->len; i++) {
		if (batch->sends[i]->reply_to)
			pg_array_i64(params, batch->sends[i]->reply_to);
		else
			pg_array_null(params);
	}
	pg_array_end(params);
}

/* The parameters of fn.im_send(). */
static void put_batch(struct pg_params *params, const struct lease *lease, const struct batch *batch)
{
	pg_put_i32(params, lease->node);
	pg_put_i64(params, lease->epoch);
	pg_put_i64(params, (int64_t)clock_wall_ms());
	put_conversations(params, batch);
	put_texts(params, batch, offsetof(struct send, sender));
	put_texts(params, batch, offsetof(struct send, user));
	put_texts(params, batch, offsetof(struct send, group));
	put_texts(params, batch, offsetof(struct send, client_msg_id));
	put_ids(params, batch);
	put_texts(params, batch, offsetof(struct send, type));
	put_texts(params, batch, offsetof(struct send, body));
	put_replies(params, batch);
	put_texts(params, batch, offsetof(struct send, mentions));
}

/* An id belongs to the lease under which it was drawn. */
static void draw_ids(struct batcher *batcher, struct batch *batch)
{
	struct lease_keeper *keeper = batcher->keeper;

	for (unsigned i = 0; i < batch->len; i++) {
		struct send *send = batch->sends[i];
		if (!send->id || !watermark_is_current(&keeper->watermark, send->place))
			send->id = lease_keeper_draw_id(keeper, &send->place);
	}
}

/* Without a lease nothing can be stored, and what may have been stored under a lost one is its next holder's to find. */
static void refuse_waiting(struct lane *lane)
{
	struct batcher *batcher = lane->batcher;

	list_for_each(link, &lane->queue.waiting) {
		struct send *send = container_of(link, struct send, link);
		if (must_be_resolved(batcher, send))
			continue;
		batch_queue_remove(&lane->queue, send);
		end_refused(batcher, send, ERR_UNAVAILABLE, NULL, "messages cannot be stored at the moment");
	}
	if (batch_queue_first(&lane->queue))
		worker_arm(batcher->worker, &lane->retry, clock_mono_ms() + RETRY_MS);
}

/* How long the first send of the queue has been waiting; 0 if there is none. */
static unsigned head_age_ms(const struct lane *lane, uint64_t now_ms)
{
	const struct send *first = batch_queue_first(&lane->queue);

	return first ? (unsigned)(now_ms + lane->batcher->timeout_ms - first->deadline_ms) : 0;
}

static void start_batch(struct lane *lane)
{
	struct batcher *batcher = lane->batcher;
	struct pg_params params = { 0 };

	if (lane->batch.len || timer_is_armed(&lane->retry) || !batch_queue_first(&lane->queue))
		return;
	if (!lease_keeper_is_held(batcher->keeper)) {
		refuse_waiting(lane);
		return;
	}
	queue_wait_cut(&lane->wait, head_age_ms(lane, clock_mono_ms()));
	batch_queue_take(&lane->queue, &lane->batch, batcher->batch_max);
	draw_ids(batcher, &lane->batch);
	put_batch(&params, &batcher->keeper->lease, &lane->batch);
	counter_add(batcher->batches, 1);
	lane->started_us = clock_mono_us();
	pg_query(batcher->pg, lane->index, &batcher_send_statement, &params, on_batch_done, lane);
}

static void on_retry(struct timer *timer)
{
	start_batch(container_of(timer, struct lane, retry));
}

static void on_end_of_turn(uv_check_t *check)
{
	struct batcher *batcher = check->data;

	uv_check_stop(check);
	for (unsigned i = 0; i < batcher->lane_count; i++)
		start_batch(&batcher->lanes[i]);
}

/* ---- deadlines ---- */

static bool is_under_way(const struct send *send)
{
	return list_is_empty(&send->link);
}

static void expire(struct batcher *batcher, struct send *send)
{
	const struct send_result result = { .err = ERR_UNAVAILABLE, .detail = "it took too long; send it again" };

	if (is_under_way(send) || must_be_resolved(batcher, send)) {
		send_answer(send, &result);
	} else {
		batch_queue_remove(&batcher->lanes[send->conversation_hash % batcher->lane_count].queue, send);
		end_refused(batcher, send, ERR_UNAVAILABLE, NULL, result.detail);
	}
}

static void on_deadline(struct timer *timer)
{
	struct batcher *batcher = container_of(timer, struct batcher, deadline);
	uint64_t now = clock_mono_ms();

	while (!list_is_empty(&batcher->by_deadline)) {
		struct send *send = container_of(batcher->by_deadline.next, struct send, by_deadline);
		if (send->deadline_ms > now) {
			worker_arm(batcher->worker, &batcher->deadline, send->deadline_ms);
			return;
		}
		expire(batcher, send);
	}
}

/* ---- the door ---- */

static bool is_congested(const struct batcher *batcher, const struct lane *lane, uint64_t now_ms)
{
	return batcher->count >= batcher->max_waiting || lane->queue.len >= queue_wait_room(&lane->wait) ||
	       head_age_ms(lane, now_ms) > HEAD_AGE_MAX_MS;
}

/* The counter of the reason for which a send is not let in, or NULL if it is. */
static struct counter *refusal(struct batcher *batcher, const struct lane *lane, const struct send *send, uint64_t now_ms)
{
	if (!lease_keeper_is_held(batcher->keeper))
		return batcher->refused_without_lease;
	if (is_congested(batcher, lane, now_ms))
		return batcher->refused_by_queue;
	if (!publisher_reserve(batcher->publisher, send))
		return batcher->refused_by_backlog;
	return NULL;
}

err_t batcher_send(struct batcher *batcher, struct send *send)
{
	struct lane *lane = &batcher->lanes[send->conversation_hash % batcher->lane_count];
	uint64_t now = clock_mono_ms();

	struct counter *refused = refusal(batcher, lane, send, now);
	if (refused) {
		counter_add(refused, 1);
		send_free(send);
		return ERR_UNAVAILABLE;
	}
	send->deadline_ms = now + batcher->timeout_ms;
	list_push_back(&batcher->by_deadline, &send->by_deadline);
	if (!timer_is_armed(&batcher->deadline))
		worker_arm(batcher->worker, &batcher->deadline, send->deadline_ms);
	batch_queue_push(&lane->queue, send);
	batcher->count++;
	uv_check_start(&batcher->end_of_turn, on_end_of_turn);
	return OK;
}

unsigned batcher_end_interval(struct batcher *batcher, uint64_t now_ms)
{
	unsigned longest_ms = 0;

	for (unsigned i = 0; i < batcher->lane_count; i++) {
		struct lane *lane = &batcher->lanes[i];
		longest_ms = MAX(longest_ms, queue_wait_end_interval(&lane->wait, lane->queue.len, head_age_ms(lane, now_ms)));
	}
	return longest_ms;
}

bool batcher_is_idle(const struct batcher *batcher)
{
	return batcher->count == 0;
}

static int64_t read_count(void *arg)
{
	return ((const struct batcher *)arg)->count;
}

struct counter *batcher_refusal_counter(const char *reason)
{
	return metrics_counter("skein_im_refused_total", "Requests to send that were refused before anything was asked, by reason.",
	                       reason);
}

static void make_metrics(struct batcher *batcher)
{
	batcher->refused_without_lease = batcher_refusal_counter("reason=\"lease\"");
	batcher->refused_by_queue = batcher_refusal_counter("reason=\"queue\"");
	batcher->refused_by_backlog = batcher_refusal_counter("reason=\"kafka\"");
	batcher->batches = metrics_counter("skein_im_batches_total", "Statements that stored sends.", NULL);
	batcher->stored = metrics_counter("skein_im_sends_total", "Sends, by what became of them.", "outcome=\"stored\"");
	batcher->duplicates = metrics_counter("skein_im_sends_total", "Sends, by what became of them.",
	                                      "outcome=\"duplicate\"");
	batcher->refused = metrics_counter("skein_im_sends_total", "Sends, by what became of them.", "outcome=\"refused\"");
	batcher->durations = metrics_histogram("skein_im_batch_seconds", "From a batch's start to its commit.", NULL);
	metrics_gauge_fn("skein_im_sends_waiting", "Sends that wait for the database.", NULL, read_count, batcher);
}

void batcher_init(struct batcher *batcher, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                  struct publisher *publisher, const struct batcher_options *options)
{
	assert(options->lanes > 0 && options->lanes <= BATCHER_LANES_MAX && options->batch_max <= BATCH_MAX);
	*batcher = (struct batcher){
		.worker = worker,
		.pg = pg,
		.keeper = keeper,
		.publisher = publisher,
		.messages = options->messages,
		.batch_max = options->batch_max,
		.max_waiting = options->max_waiting,
		.timeout_ms = options->timeout_ms,
		.lane_count = options->lanes,
	};
	list_init(&batcher->by_deadline);
	timer_init(&batcher->deadline, on_deadline);
	uv_check_init(&worker->loop, &batcher->end_of_turn); /* never fails */
	batcher->end_of_turn.data = batcher;
	for (unsigned i = 0; i < batcher->lane_count; i++) {
		struct lane *lane = &batcher->lanes[i];
		lane->batcher = batcher;
		lane->index = i;
		batch_queue_init(&lane->queue);
		queue_wait_init(&lane->wait, batcher->batch_max);
		timer_init(&lane->retry, on_retry);
	}
	make_metrics(batcher);
}

void batcher_close(struct batcher *batcher)
{
	for (unsigned i = 0; i < batcher->lane_count; i++) {
		struct lane *lane = &batcher->lanes[i];
		worker_cancel(batcher->worker, &lane->retry);
		list_for_each(link, &lane->queue.waiting)
			end_refused(batcher, container_of(link, struct send, link), ERR_UNAVAILABLE, NULL, "this im is leaving");
	}
	worker_cancel(batcher->worker, &batcher->deadline);
	uv_close((uv_handle_t *)&batcher->end_of_turn, NULL);
}
