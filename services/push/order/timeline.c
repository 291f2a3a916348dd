#include "push/order/timeline.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "base/telemetry/log.h"
#include "push/order/delivery_wait.h"
#include "push/order/stored_messages.h"

#define RETRY_MS 200
#define GAP_READ_MAX 200

static void timeline_advance(struct timeline *timeline);

static void timeline_try_in(struct timeline *timeline, uint64_t delay_ms)
{
	worker_arm_in(timeline->context->worker, &timeline->timer, delay_ms);
}

/* ---- counting: a message counts, as whole or as slim, from when it is taken until it is dropped ---- */

static void timeline_count_in(struct timeline_context *context, const struct outgoing *outgoing)
{
	if (outgoing->is_slim) {
		context->slim++;
		return;
	}
	context->messages++;
	context->bytes += outgoing->bytes;
}

static void timeline_drop(struct timeline *timeline, struct outgoing *outgoing)
{
	struct timeline_context *context = timeline->context;

	if (outgoing->is_slim) {
		context->slim--;
	} else {
		context->messages--;
		context->bytes -= outgoing->bytes;
	}
	list_remove(&outgoing->link);
	outgoing_free(outgoing);
}

static void timeline_drop_all(struct timeline *timeline, struct list *messages)
{
	while (!list_is_empty(messages))
		timeline_drop(timeline, container_of(messages->next, struct outgoing, link));
}

static void timeline_drop_waiting(struct timeline *timeline)
{
	timeline_drop_all(timeline, &timeline->waiting.messages);
	reorder_buffer_init(&timeline->waiting);
}

/* The message is answered: the offset of its record may be committed. */
static void timeline_finish(struct timeline *timeline, struct outgoing *outgoing)
{
	struct timeline_context *context = timeline->context;
	bool has_place = outgoing->has_place && !timeline->is_orphan;
	int32_t partition = outgoing->partition;
	int64_t offset = outgoing->offset;

	timeline_drop(timeline, outgoing);
	if (has_place)
		context->finished(context->arg, partition, offset);
}

bool timeline_rests(const struct timeline *timeline)
{
	return (timeline->stage == TIMELINE_READY || timeline->stage == TIMELINE_UNKNOWN) &&
	       !reorder_buffer_first(&timeline->waiting) && list_is_empty(&timeline->delivering);
}

static void timeline_rest(struct timeline *timeline)
{
	if (timeline_rests(timeline))
		timeline->context->rested(timeline);
}

/* ---- the last dispatched seq ---- */

static void timeline_know(struct timeline *timeline, uint64_t dispatched)
{
	timeline->stage = TIMELINE_READY;
	timeline->dispatched = timeline->base = timeline->saved = dispatched;
	timeline_advance(timeline);
}

static void timeline_on_loaded(void *arg, err_t err, uint64_t seq)
{
	struct timeline *timeline = arg;

	if (err) {
		timeline->stage = TIMELINE_UNKNOWN;
		timeline_try_in(timeline, RETRY_MS);
	} else {
		timeline_know(timeline, seq);
	}
}

static void timeline_load(struct timeline *timeline)
{
	const struct outgoing *first = reorder_buffer_first(&timeline->waiting);

	if (first->seq == 1) { /* a new conversation: nothing was before */
		timeline_know(timeline, 0);
		return;
	}
	timeline->stage = TIMELINE_LOADING;
	timeline->loading = (struct progress_query){
		.progress = &timeline->context->progress,
		.conversation_id = timeline->place.id,
		.first_seq = first->seq,
		.done = timeline_on_loaded,
		.arg = timeline,
	};
	progress_load(&timeline->loading);
}

/* ---- the batch ---- */

static void timeline_on_delivered(struct outgoing *outgoing, void *arg)
{
	struct timeline *timeline = arg;
	struct timeline_context *context = timeline->context;
	uint64_t now = clock_wall_ms(), stored = outgoing->time;

	log_debug("answered", LOG_TEXT("conversation", timeline->place.id), LOG_U64("seq", outgoing->seq));
	histogram_observe(context->total_time, now > stored ? (now - stored) * 1000 : 0);
	delivery_wait_ended(context->wait, clock_mono_us() - outgoing->taken_us);
	timeline_finish(timeline, outgoing);
	timeline_rest(timeline);
}

/* The message was whole and counted so. */
static void timeline_on_slimmed(struct outgoing *outgoing, void *arg)
{
	struct timeline_context *context = ((struct timeline *)arg)->context;

	context->messages--;
	context->bytes -= outgoing->bytes;
	context->slim++;
	context->eased(context->arg);
}

static const struct outgoing_handlers timeline_outgoing_handlers = {
	.delivered = timeline_on_delivered,
	.slimmed = timeline_on_slimmed,
};

static void timeline_deliver_batch(struct timeline *timeline)
{
	struct list messages;

	timeline->stage = TIMELINE_DELIVERING;
	list_init(&messages);
	list_splice_back(&messages, &timeline->batch.messages);
	for (struct list *link; (link = list_pop_front(&messages));) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		list_push_back(&timeline->delivering, &outgoing->link);
		log_debug("appended", LOG_TEXT("conversation", timeline->place.id), LOG_U64("seq", outgoing->seq),
		          LOG_NUM("recipients", outgoing->recipients->count), LOG_NUM("targets", outgoing->targets.count));
		counter_add(timeline->context->dispatched, 1);
		outgoing_deliver(outgoing, &timeline_outgoing_handlers, timeline);
	}
}

static void timeline_on_batch(void *arg, enum batch_end end)
{
	struct timeline *timeline = arg;

	if (end == BATCH_UNRESOLVED) {
		timeline->stage = TIMELINE_UNRESOLVED;
		timeline_try_in(timeline, RETRY_MS);
		return;
	}
	/* The inboxes have everything up to `dispatched`. */
	if (!timeline->is_orphan && timeline->dispatched != timeline->saved) {
		timeline->saved = timeline->dispatched;
		progress_save(&timeline->context->progress, timeline->place.id, timeline->saved);
	}
	if (end == BATCH_WRITTEN)
		timeline_deliver_batch(timeline);
	while (!list_is_empty(&timeline->batch.messages)) /* for nobody */
		timeline_finish(timeline, container_of(timeline->batch.messages.next, struct outgoing, link));
	timeline->stage = TIMELINE_READY;
	timeline_advance(timeline);
}

static void timeline_start_batch(struct timeline *timeline)
{
	timeline->stage = TIMELINE_WRITING;
	batch_start(&timeline->batch, &timeline->context->batches, &timeline->parsed, timeline_on_batch, timeline);
}

/* ---- order ---- */

static struct outgoing *timeline_find(const struct list *messages, uint64_t seq)
{
	list_for_each(link, messages) {
		struct outgoing *outgoing = container_of(link, struct outgoing, link);

		if (outgoing->seq == seq)
			return outgoing;
	}
	return NULL;
}

/* A record of a message that this process dispatched. */
static void timeline_take_repeat(struct timeline *timeline, struct outgoing *repeat)
{
	struct outgoing *under_way = timeline_find(&timeline->delivering, repeat->seq);

	if (!under_way)
		under_way = timeline_find(&timeline->batch.messages, repeat->seq);
	counter_add(timeline->context->dropped, 1);
	if (under_way && !under_way->has_place && repeat->has_place) {
		under_way->has_place = true; /* it was read from PostgreSQL before its record came */
		under_way->partition = repeat->partition;
		under_way->offset = repeat->offset;
		timeline_drop(timeline, repeat);
		return;
	}
	timeline_finish(timeline, repeat); /* answered, or the first record holds the partition's offset back */
}

static size_t timeline_form_batch(struct timeline *timeline)
{
	struct reorder_buffer *waiting = &timeline->waiting;
	size_t count = 0;
	struct outgoing *first;

	while ((first = reorder_buffer_first(waiting)) && count < BATCH_MAX &&
	       (first->seq <= timeline->dispatched + 1 || sabotaged(SABOTAGE_NO_REORDER))) {
		bool is_repeat = first->seq <= timeline->dispatched && first->seq > timeline->base &&
		                 !sabotaged(SABOTAGE_NO_REORDER);

		if (!is_repeat && (first->is_slim || !batch_fits(&timeline->batch, first)))
			break;
		reorder_buffer_remove(waiting, first);
		if (is_repeat) {
			timeline_take_repeat(timeline, first);
			continue;
		}
		if (first->seq <= timeline->dispatched)
			counter_add(timeline->context->repeated, 1);
		else
			timeline->dispatched = first->seq;
		list_push_back(&timeline->batch.messages, &first->link);
		count++;
	}
	return count;
}

/* ---- the gap ---- */

/* The next message is missing, or is slim. */
static bool timeline_has_gap(const struct timeline *timeline)
{
	const struct outgoing *first = reorder_buffer_first(&timeline->waiting);

	return first && (first->is_slim || first->seq > timeline->dispatched + 1);
}

/* PostgreSQL has the message behind the gap and none in it: the missing ones are lost, and later ones must not wait. */
static void timeline_skip_lost(struct timeline *timeline, const struct outgoing *first)
{
	log_error("messages are missing in PostgreSQL", LOG_TEXT("conversation", timeline->place.id),
	          LOG_U64("after", timeline->dispatched), LOG_U64("before", first->seq));
	timeline->dispatched = first->seq - 1;
}

/* PostgreSQL does not have the message, so no sender was told that it is stored: it must not move the timeline on. */
static void timeline_discard_false(struct timeline *timeline, struct outgoing *first)
{
	struct timeline_context *context = timeline->context;

	reorder_buffer_remove(&timeline->waiting, first);
	if (first->has_place && !timeline->is_orphan)
		context->unknown(context->arg, first);
	timeline_drop(timeline, first);
}

static void timeline_take_page(struct timeline *timeline, const PGresult *result)
{
	struct timeline_context *context = timeline->context;
	int count = PQntuples(result);

	for (int row = 0; row < count; row++) {
		struct outgoing *stored = outgoing_new(stored_message_record(result, row, timeline->place.id));
		enum reorder_buffer_fill fill = reorder_buffer_fill(&timeline->waiting, stored);

		if (fill == FILL_REFILLED) { /* the slim one counts as whole now, with these bytes */
			context->slim--;
			context->messages++;
			context->bytes += stored->bytes;
		}
		if (fill == FILL_NEW)
			timeline_count_in(context, stored);
		else
			outgoing_free(stored);
	}
	timeline->reads_on = count == GAP_READ_MAX;
	counter_add(context->from_postgres, (uint64_t)count);
}

static void timeline_on_gap_read(void *arg, err_t err, const PGresult *result)
{
	struct timeline *timeline = arg;

	timeline->stage = TIMELINE_READY;
	if (err) {
		timeline_try_in(timeline, RETRY_MS);
		return;
	}
	/* Meanwhile the missing records may have come, or the partition may have been revoked. */
	if (timeline_has_gap(timeline)) {
		struct outgoing *first = reorder_buffer_first(&timeline->waiting);

		if (stored_messages_first_seq(result) > first->seq)
			timeline_discard_false(timeline, first);
		else if (stored_messages_first_seq(result) == first->seq && !first->is_slim)
			timeline_skip_lost(timeline, first);
		else
			timeline_take_page(timeline, result);
	}
	timeline_advance(timeline);
}

/* Reads the next page of the gap, and whether PostgreSQL has the message behind it. */
static void timeline_read_gap(struct timeline *timeline)
{
	const struct timeline_context *context = timeline->context;
	const struct outgoing *first = reorder_buffer_first(&timeline->waiting);
	const struct stored_messages_range range = {
		.conversation_id = timeline->place.id,
		.after = MIN(timeline->dispatched, first->seq - 1),
		.before = first->is_slim ? first->seq + GAP_READ_MAX : first->seq + 1,
		.limit = GAP_READ_MAX,
	};

	if (sabotaged(SABOTAGE_NO_GAP_READ) && !first->is_slim) {
		timeline->dispatched = first->seq - 1;
		timeline_advance(timeline);
		return;
	}
	timeline->stage = TIMELINE_FILLING;
	log_debug("reading a gap", LOG_TEXT("conversation", timeline->place.id), LOG_U64("after", range.after),
	          LOG_U64("before", range.before));
	stored_messages_read(context->pg, &range, timeline_on_gap_read, timeline);
}

/* ---- the next step ---- */

static void timeline_advance(struct timeline *timeline)
{
	const struct outgoing *first = reorder_buffer_first(&timeline->waiting);

	if (timeline->stage != TIMELINE_READY && timeline->stage != TIMELINE_UNKNOWN)
		return;
	if (first && timeline->stage == TIMELINE_UNKNOWN) {
		timeline_load(timeline);
		return;
	}
	if (first && timeline_form_batch(timeline)) {
		worker_cancel(timeline->context->worker, &timeline->timer);
		timeline_start_batch(timeline);
		return;
	}
	first = reorder_buffer_first(&timeline->waiting); /* forming a batch drops repeats */
	if (!first) {
		timeline_rest(timeline);
	} else if (timer_is_armed(&timeline->timer)) {
		return; /* until it fires */
	} else if (first->is_slim || timeline->reads_on) {
		timeline->reads_on = false;
		timeline_read_gap(timeline);
	} else {
		timeline_try_in(timeline, GAP_WAIT_MS);
	}
}

static void timeline_on_timer(struct timer *timer)
{
	struct timeline *timeline = container_of(timer, struct timeline, timer);

	if (timeline->stage == TIMELINE_UNRESOLVED && timeline->is_orphan) {
		timeline_drop_all(timeline, &timeline->batch.messages);
		timeline->stage = TIMELINE_READY;
	}
	if (timeline->stage == TIMELINE_UNRESOLVED)
		timeline_start_batch(timeline);
	else if (timeline->stage == TIMELINE_READY && timeline_has_gap(timeline))
		timeline_read_gap(timeline);
	else
		timeline_advance(timeline);
}

/* ---- called by conversations.c ---- */

struct timeline_place timeline_place(int32_t partition, const char *id)
{
	struct timeline_place place = { .partition = partition };
	struct str text = str_from(id);

	(void)str_copy(place.id, sizeof(place.id), text);
	place.id_len = (uint16_t)text.len;
	return place;
}

struct str timeline_place_key(const struct timeline_place *place)
{
	return str_of((const char *)place, offsetof(struct timeline_place, id) + place->id_len);
}

struct timeline *timeline_new(struct timeline_context *context, const struct timeline_place *place)
{
	struct timeline *timeline = MEM_NEW(struct timeline);

	timeline->context = context;
	timeline->place = *place;
	(void)conversation_parse(str_from(timeline->place.id), &timeline->parsed);
	list_init(&timeline->idle);
	reorder_buffer_init(&timeline->waiting);
	batch_init(&timeline->batch);
	list_init(&timeline->delivering);
	timer_init(&timeline->timer, timeline_on_timer);
	return timeline;
}

void timeline_free(struct timeline *timeline)
{
	timeline_drop_waiting(timeline);
	timeline_drop_all(timeline, &timeline->batch.messages);
	batch_release(&timeline->batch);
	worker_cancel(timeline->context->worker, &timeline->timer);
	mem_free(timeline);
}

void timeline_take(struct timeline *timeline, struct outgoing *outgoing)
{
	reorder_buffer_add(&timeline->waiting, outgoing);
	timeline_count_in(timeline->context, outgoing);
	timeline_advance(timeline);
}

void timeline_orphan(struct timeline *timeline)
{
	timeline->is_orphan = true;
	timeline_drop_waiting(timeline);
}
