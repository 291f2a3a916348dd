#include "gateway/grpc/delivery.h"

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "base/text/ident.h"
#include "base/text/json.h"
#include "gateway/gateway_metrics.h"
#include "gateway/grpc/service.h"
#include "gateway/grpc/verdicts.h"
#include "gateway/grpc/worker_run.h"
#include "gateway/session/session.h"
#include "gateway/session/session_events.h"
#include "gateway/wire/event_frame.h"
#include "gateway/wire/message_frame.h"
#include "gateway/worker/ws_worker.h"
#include "proto/delivery.pb-c.h"
#include "rpc/server/rpc_server.h"

/* How the workers treat one delivery of a batch. */
enum delivery_kind {
	DELIVERY_NOTHING, /* every target has its verdict, or there are none */
	DELIVERY_MESSAGE,
	DELIVERY_EVENT,
};

/* A presence event, while anybody watches. A connection gets it once, though it is told as a watcher's and as a friend's. */
struct delivery_presence {
	char uid[65]; /* whose presence; empty: none of this */
	bool is_for_watchers;
	uint64_t what; /* identifies the event's content */
};

struct delivery_plan {
	enum delivery_kind kind;
	const Skein__V1__Connections *own, *others; /* NULL: none */
	struct shared_frame *frame; /* NULL: the message cannot be shown */
	struct delivery_presence presence;
};

/* One batch. All workers read the same copy: each goes through every target and handles those that are its own. */
struct delivery_batch {
	const struct gateway_service *service;
	struct rpc_stream *stream;
	Skein__V1__DeliverBatch *message;
	struct delivery_plan *plans; /* of each delivery */
	size_t bytes; /* of the message as it came; the stream counts them until the batch is done */
	uint64_t arrived_us;
	struct verdict_list *verdicts; /* one for each worker, then the early verdicts: given before any worker is asked */
	struct worker_run run;
};

static struct verdict_list *delivery_early_verdicts(const struct delivery_batch *batch)
{
	return &batch->verdicts[batch->service->worker_count];
}

/* ---- the answer: on the thread of the last worker ---- */

static void delivery_end(struct worker_run *run)
{
	struct delivery_batch *batch = container_of(run, struct delivery_batch, run);
	struct buf answer = { 0 };

	verdicts_pack(&answer, batch->message, batch->verdicts, batch->service->worker_count + 1);
	err_t err = rpc_stream_send(batch->stream, buf_str(&answer));
	if (err && err != ERR_CLOSED) {
		/* A push without an answer waits. Without a stream it delivers again, on its next one. */
		log_error("answer to push not sent", LOG_ERR(err), LOG_NUM("deliveries", batch->message->n_deliveries));
		counter_add(batch->service->metrics->answers_unread, 1);
		rpc_stream_end(batch->stream, ERR_UNAVAILABLE, "answers are not read");
	}
	buf_release(&answer);
	gauge_add(batch->service->metrics->deliver_bytes, -(int64_t)batch->bytes);
	rpc_stream_give_back_bytes(batch->stream, batch->bytes);
	for (size_t i = 0; i < batch->message->n_deliveries; i++)
		if (batch->plans[i].frame)
			shared_frame_unref(batch->plans[i].frame);
	for (unsigned i = 0; i <= batch->service->worker_count; i++)
		verdict_list_release(&batch->verdicts[i]);
	mem_free(batch->verdicts);
	mem_free(batch->plans);
	skein__v1__deliver_batch__free_unpacked(batch->message, NULL);
	rpc_stream_unref(batch->stream);
	mem_free(batch);
}

/* ---- on each worker's thread ---- */

/* Connections are scattered in memory: the connection of the target this many places ahead is prefetched. */
#define DELIVERY_PREFETCH_AHEAD 6

/* One worker's part of one delivery. */
struct delivery_part {
	struct ws_worker *w;
	struct verdict_list *verdicts;
	uint32_t delivery;
	struct worker_frame *frame; /* NULL: the message cannot be shown */
	const struct delivery_presence *presence;
	uint64_t now_ms;
	size_t *counts; /* of message targets, by verdict */
};

static bool delivery_is_numbered(const Skein__V1__Connections *targets, size_t i)
{
	return targets->epochs[i] && targets->offsets[i] && targets->offsets[i] <= SEQUENCER_MAX_OFFSET;
}

static size_t delivery_targets(const Skein__V1__Connections *targets)
{
	return targets ? targets->n_conns : 0;
}

/* The session of a target. NULL: it is another worker's, or it is gone; then the target has its verdict. */
static struct session *delivery_find(const struct delivery_part *part, const Skein__V1__Connections *targets, size_t i)
{
	const struct conn_table *table = &part->w->home.table;

	if (i + DELIVERY_PREFETCH_AHEAD < targets->n_conns)
		conn_table_prefetch(table, targets->conns[i + DELIVERY_PREFETCH_AHEAD]);
	if (conn_worker(targets->conns[i]) != part->w->index)
		return NULL;
	struct session *session = conn_table_find(table, targets->conns[i]);
	if (!session) {
		part->counts[VERDICT_GONE]++;
		verdict_list_add(part->verdicts, part->delivery, targets->conns[i], VERDICT_GONE);
	}
	return session;
}

static void delivery_message_to(const struct delivery_part *part, const Skein__V1__Connections *targets, enum viewer viewer)
{
	for (size_t i = 0; i < delivery_targets(targets); i++) {
		struct session *session = delivery_is_numbered(targets, i) ? delivery_find(part, targets, i) : NULL;

		if (!session)
			continue;
		enum verdict verdict =
			session_deliver(session, targets->epochs[i], targets->offsets[i], part->frame, viewer, part->now_ms);
		part->counts[verdict]++;
		if (verdict != VERDICT_QUEUED)
			verdict_list_add(part->verdicts, part->delivery, targets->conns[i], verdict);
	}
}

static bool delivery_is_news(const struct delivery_part *part, const struct session *session)
{
	const struct delivery_presence *presence = part->presence;

	return !*presence->uid || !session->watching ||
	       watch_list_is_news(session->watching, str_from(presence->uid), presence->what);
}

/* A dropped event is counted where it is dropped; push is not told. */
static void delivery_event_to(const struct delivery_part *part, const Skein__V1__Connections *targets)
{
	for (size_t i = 0; i < delivery_targets(targets); i++) {
		struct session *session = delivery_find(part, targets, i);

		if (session && delivery_is_news(part, session))
			session_deliver_event(session, part->frame);
	}
}

static void delivery_event_to_watchers(const struct delivery_part *part)
{
	struct watched *watched = watches_find(&part->w->home.watches, str_from(part->presence->uid));

	if (!watched)
		return;
	list_for_each(link, &watched->watchers) {
		struct watch *watch = container_of(link, struct watch, link);

		if (watch_is_news(watch, part->presence->what))
			session_deliver_event(watch->list->session, part->frame);
	}
}

static void delivery_work(struct worker_run *run, struct ws_worker *w)
{
	const struct delivery_batch *batch = container_of(run, struct delivery_batch, run);
	struct gateway_metrics *metrics = batch->service->metrics;
	size_t messages[3] = { 0 }, events[3] = { 0 };
	struct delivery_part part = { .w = w, .verdicts = &batch->verdicts[w->index], .now_ms = worker_now_ms(&w->worker) };

	for (size_t i = 0; i < batch->message->n_deliveries; i++) {
		const struct delivery_plan *plan = &batch->plans[i];

		if (plan->kind == DELIVERY_NOTHING)
			continue;
		part.delivery = (uint32_t)i;
		part.presence = &plan->presence;
		part.counts = plan->kind == DELIVERY_MESSAGE ? messages : events;
		part.frame = plan->frame ? worker_frame_new(plan->frame) : NULL;
		if (plan->kind == DELIVERY_MESSAGE) {
			delivery_message_to(&part, plan->others, VIEWER_OTHER);
			delivery_message_to(&part, plan->own, VIEWER_SENDER);
		} else {
			delivery_event_to(&part, plan->others);
			delivery_event_to(&part, plan->own);
			if (plan->presence.is_for_watchers)
				delivery_event_to_watchers(&part);
		}
		if (part.frame)
			worker_frame_unref(part.frame);
	}
	if (messages[VERDICT_QUEUED])
		ws_worker_note_arrival(w, batch->arrived_us);
	counter_add(metrics->deliveries, messages[VERDICT_QUEUED] + messages[VERDICT_GONE] + messages[VERDICT_LAGGING]);
	counter_add(metrics->gone, messages[VERDICT_GONE]);
	counter_add(metrics->lagging, messages[VERDICT_LAGGING]);
}

/* ---- reading a batch: on the queue's thread ---- */

/* A message has a number for each target, an event has none. */
static bool delivery_is_well_formed(const Skein__V1__Connections *targets, enum delivery_kind kind)
{
	size_t wanted = kind == DELIVERY_MESSAGE ? delivery_targets(targets) : 0;

	return !targets || (targets->n_offsets == wanted && targets->n_epochs == wanted);
}

static void delivery_give_all(struct delivery_batch *batch, uint32_t index, enum verdict verdict)
{
	const struct delivery_plan *plan = &batch->plans[index];

	for (size_t i = 0; i < delivery_targets(plan->others); i++)
		verdict_list_add(delivery_early_verdicts(batch), index, plan->others->conns[i], verdict);
	for (size_t i = 0; i < delivery_targets(plan->own); i++)
		verdict_list_add(delivery_early_verdicts(batch), index, plan->own->conns[i], verdict);
}

/* Gives each worker that has targets a part. A target that no worker can serve gets its verdict. */
static void delivery_add_targets(struct delivery_batch *batch, uint32_t index, const Skein__V1__Connections *targets)
{
	bool has_numbers = batch->plans[index].kind == DELIVERY_MESSAGE;

	for (size_t i = 0; i < delivery_targets(targets); i++) {
		uint64_t conn = targets->conns[i];

		if (conn_worker(conn) >= batch->service->worker_count)
			verdict_list_add(delivery_early_verdicts(batch), index, conn, VERDICT_GONE);
		else if (has_numbers && !delivery_is_numbered(targets, i))
			verdict_list_add(delivery_early_verdicts(batch), index, conn, VERDICT_LAGGING);
		else
			(void)worker_run_add(&batch->run, conn);
	}
}

static void delivery_count_malformed(const struct delivery_batch *batch, uint64_t id, const char *why)
{
	counter_add(batch->service->metrics->malformed, 1);
	log_error("malformed delivery", LOG_U64("id", id), LOG_TEXT("why", why));
}

/* An event for watchers names the user in its audience, one for friends in its body. Both have the same body. */
static void delivery_read_presence(struct delivery_presence *presence, const Skein__V1__Delivery *delivery)
{
	const Skein__V1__Audience *audience = delivery->audience;
	struct str body = str_from(delivery->event->body);
	struct json_error ignored = { 0 };

	if (strcmp(delivery->event->kind, "presence") != 0)
		return;
	json_t *root = json_read(body, &ignored);
	struct str uid = json_ident(root, "uid", JSON_REQUIRED, &ignored);
	if (uid.ptr && str_copy(presence->uid, sizeof(presence->uid), uid)) {
		presence->what = str_hash(body);
		presence->is_for_watchers = audience && audience->who_case == SKEIN__V1__AUDIENCE__WHO_WATCHED;
	}
	json_decref(root);
}

static void delivery_make_plan(struct delivery_batch *batch, uint32_t index)
{
	const Skein__V1__Delivery *delivery = batch->message->deliveries[index];
	const Skein__V1__Audience *audience = delivery->audience;
	struct delivery_plan *plan = &batch->plans[index];
	bool is_event = delivery->content_case == SKEIN__V1__DELIVERY__CONTENT_EVENT;
	bool has_message = delivery->content_case == SKEIN__V1__DELIVERY__CONTENT_MESSAGE && delivery->message.len;
	enum delivery_kind kind = is_event ? DELIVERY_EVENT : DELIVERY_MESSAGE;

	if (audience && audience->who_case == SKEIN__V1__AUDIENCE__WHO_TARGETS) {
		plan->own = audience->targets->own;
		plan->others = audience->targets->others;
	} else if (audience && audience->who_case != SKEIN__V1__AUDIENCE__WHO__NOT_SET &&
	           !(is_event && audience->who_case == SKEIN__V1__AUDIENCE__WHO_WATCHED)) {
		delivery_count_malformed(batch, delivery->id, "an audience that this gateway does not serve");
	}
	if (!delivery_is_well_formed(plan->others, kind) || !delivery_is_well_formed(plan->own, kind)) {
		delivery_count_malformed(batch, delivery->id, "lists of different lengths");
		if (!is_event)
			delivery_give_all(batch, index, VERDICT_LAGGING);
		return;
	}
	if (delivery->node_epoch != atomic_load(batch->service->node_epoch)) {
		delivery_give_all(batch, index, VERDICT_GONE);
		return;
	}
	if (is_event && gauge_value(batch->service->metrics->watching))
		delivery_read_presence(&plan->presence, delivery);
	if (!delivery_targets(plan->others) && !delivery_targets(plan->own) && !plan->presence.is_for_watchers)
		return;
	if (is_event)
		plan->frame = event_frame_new(delivery->event);
	else if (has_message)
		plan->frame = message_frame_new(str_of(delivery->message.data, delivery->message.len),
		                                delivery_targets(plan->own) > 0, str_from(delivery->client_msg_id));
	if (!plan->frame && (has_message || is_event))
		delivery_count_malformed(batch, delivery->id, has_message ? "the message cannot be shown" : "not an event");
	if (!plan->frame && is_event)
		return;
	/* A message without a frame is delivered as a number: its connections notice the hole and read the inbox. */
	plan->kind = kind;
	delivery_add_targets(batch, index, plan->others);
	delivery_add_targets(batch, index, plan->own);
	if (plan->presence.is_for_watchers)
		worker_run_add_all(&batch->run);
}

static void delivery_on_batch(struct rpc_stream *stream, struct str bytes, void *arg)
{
	const struct gateway_service *service = arg;
	uint64_t arrived_us = clock_mono_us();
	Skein__V1__DeliverBatch *message =
		skein__v1__deliver_batch__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);

	if (!message) {
		counter_add(service->metrics->malformed, 1);
		log_error("push sent something that is not a DeliverBatch", LOG_NUM("bytes", bytes.len));
		rpc_stream_end(stream, ERR_INVALID_ARGUMENT, "not a DeliverBatch"); /* its deliveries cannot be answered */
		return;
	}
	if (!message->n_deliveries) {
		skein__v1__deliver_batch__free_unpacked(message, NULL);
		return;
	}
	struct delivery_batch *batch = mem_zalloc(sizeof(*batch) + worker_run_size(service->worker_count));
	batch->service = service;
	batch->stream = rpc_stream_ref(stream);
	batch->message = message;
	batch->bytes = bytes.len;
	gauge_add(service->metrics->deliver_bytes, (int64_t)bytes.len);
	rpc_stream_keep_bytes(stream, bytes.len);
	batch->arrived_us = arrived_us;
	batch->plans = mem_zalloc(message->n_deliveries * sizeof(batch->plans[0]));
	batch->verdicts = mem_zalloc((service->worker_count + 1) * sizeof(batch->verdicts[0]));
	worker_run_init(&batch->run, service, delivery_work, delivery_end);
	for (size_t i = 0; i < message->n_deliveries; i++)
		delivery_make_plan(batch, (uint32_t)i);
	worker_run_start(&batch->run);
}

const struct rpc_stream_handlers delivery_handlers = { .message = delivery_on_batch };
