#include <assert.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "deliver/gateway.h"

#define NOTES_A_DELIVERY 1000
#define WATCH_MS 250

/* One time that a gateway is told its notes, in one delivery or several. */
struct telling {
	struct list noted; /* what ends when it is over */
	unsigned open;
};

struct note_delivery {
	struct delivery delivery;
	struct telling *telling;
};

/* ---- being behind ---- */

static void finish_noted(struct list *noted)
{
	for (struct list *link; (link = list_pop_front(noted));) {
		struct delivery *delivery = container_of(link, struct delivery, link);
		struct gateway *gateway = delivery->gateway;

		delivery->done(delivery);
		gateway_unref(gateway);
	}
}

void gateway_fall_behind(struct gateway *gateway)
{
	gateway->is_behind = true;
	gauge_add(gateway->all->behind, 1);
	log_warn("gateway is behind: only numbers are kept for it", LOG_TEXT("gateway", gateway->name),
	         LOG_NUM("deliveries", gateway->in_flight), LOG_NUM("bytes", gateway->in_flight_bytes));
}

static void end_behind(struct gateway *gateway)
{
	if (gateway->is_behind)
		gauge_add(gateway->all->behind, -1);
	gateway->is_behind = false;
}

void gateway_end_noted(struct gateway *gateway)
{
	end_behind(gateway);
	finish_noted(&gateway->noted);
}

void gateway_note(struct gateway *gateway, struct delivery *delivery, const Skein__V1__Delivery *content)
{
	gateway->refs++;
	delivery->gateway = gateway;
	delivery->batch = NULL;
	missed_offsets_add(&gateway->missed, content->audience);
	list_init(&delivery->link);
	list_push_back(&gateway->noted, &delivery->link);
	counter_add(gateway->all->noted, 1);
	gateway_keep_watch(gateway);
}

static void ignore_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery; /* whose route that is, the next message finds out */
	(void)conn;
}

static void on_told(struct delivery *delivery)
{
	struct note_delivery *made = container_of(delivery, struct note_delivery, delivery);
	struct telling *telling = made->telling;

	mem_free(made);
	if (--telling->open)
		return;
	finish_noted(&telling->noted);
	mem_free(telling);
}

static void tell(struct gateway *gateway, struct telling *telling)
{
	Skein__V1__Delivery content;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Connections noted = SKEIN__V1__CONNECTIONS__INIT;
	struct note_delivery *made = MEM_NEW(struct note_delivery);

	missed_offsets_take(&gateway->missed, NOTES_A_DELIVERY, &noted);
	skein__v1__delivery__init(&content);
	targets.others = &noted;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	content.audience = &audience;
	made->telling = telling;
	made->delivery.gone = ignore_gone;
	made->delivery.done = on_told;
	telling->open++;
	gateway_send(gateway, &made->delivery, &content);
	mem_free(noted.conns);
}

void gateway_catch_up(struct gateway *gateway)
{
	if (!gateway->is_behind || gateway->is_given_up || gateway->state != GATEWAY_ALIVE ||
	    gateway->in_flight > GATEWAY_MAX_IN_FLIGHT / 2 || gateway->in_flight_bytes > GATEWAY_MAX_BYTES / 2)
		return;
	log_info("gateway catches up", LOG_TEXT("gateway", gateway->name), LOG_NUM("connections", gateway->missed.count));
	end_behind(gateway);
	if (!gateway->missed.count)
		return;
	struct telling *telling = MEM_NEW(struct telling);
	list_init(&telling->noted);
	list_splice_back(&telling->noted, &gateway->noted);
	while (gateway->missed.count)
		tell(gateway, telling);
}

/* ---- giving up ---- */

static struct delivery *oldest(const struct gateway *gateway)
{
	const struct list *from = list_is_empty(&gateway->sent) ? &gateway->waiting : &gateway->sent;

	return list_is_empty(from) ? NULL : container_of(from->next, struct delivery, link);
}

static void note_batch(struct gateway *gateway, struct str packed)
{
	Skein__V1__DeliverBatch *batch = skein__v1__deliver_batch__unpack(NULL, packed.len, (const uint8_t *)packed.ptr);

	assert(batch); /* gateway_send() made it */
	for (size_t i = 0; i < batch->n_deliveries; i++)
		missed_offsets_add(&gateway->missed, batch->deliveries[i]->audience);
	skein__v1__deliver_batch__free_unpacked(batch, NULL);
}

/* It goes on like one that was behind: delivery_finish() catches up. */
static void on_probe_answered(struct delivery *probe)
{
	probe->gateway->is_given_up = false;
}

static void send_probe(struct gateway *gateway)
{
	Skein__V1__Delivery nothing;

	skein__v1__delivery__init(&nothing);
	gateway->probe.gone = ignore_gone;
	gateway->probe.done = on_probe_answered;
	gateway_send(gateway, &gateway->probe, &nothing);
}

/* Every delivery ends, and so its offset may be committed; the numbers are told when the probe is answered. */
static void give_up(struct gateway *gateway)
{
	struct list under_way;

	log_error("gateway does not answer, nobody waits for it any more", LOG_TEXT("gateway", gateway->name),
	          LOG_NUM("deliveries", gateway->in_flight));
	counter_add(gateway->all->given_up, 1);
	if (!gateway->is_behind)
		gateway_fall_behind(gateway);
	gateway->is_given_up = true;
	gateway_take_under_way(gateway, &under_way);
	while (!list_is_empty(&under_way)) {
		struct delivery *delivery = container_of(under_way.next, struct delivery, link);

		note_batch(gateway, payload_str(delivery->batch));
		delivery_finish(delivery);
	}
	rpc_stream_reopen(gateway->stream);
	send_probe(gateway);
}

static void look_whether_it_answers(struct gateway *gateway)
{
	struct delivery *first = oldest(gateway);

	if (!first || gateway->state != GATEWAY_ALIVE || clock_mono_ms() < first->since_ms + gateway->all->give_up_ms)
		return;
	if (gateway->is_given_up) { /* once more on a new stream */
		first->since_ms = clock_mono_ms();
		rpc_stream_reopen(gateway->stream);
	} else {
		give_up(gateway);
	}
}

static void on_watch(struct timer *timer)
{
	struct gateway *gateway = container_of(timer, struct gateway, watch);

	gateway->refs++;
	look_whether_it_answers(gateway);
	if (gateway->is_given_up)
		finish_noted(&gateway->noted);
	if (gateway->in_flight || !list_is_empty(&gateway->noted))
		gateway_keep_watch(gateway);
	gateway_unref(gateway);
}

void gateway_keep_watch(struct gateway *gateway)
{
	if (!timer_is_armed(&gateway->watch))
		worker_arm(gateway->all->worker, &gateway->watch, clock_mono_ms() + WATCH_MS);
}

void gateway_behind_init(struct gateway *gateway)
{
	list_init(&gateway->noted);
	missed_offsets_init(&gateway->missed);
	timer_init(&gateway->watch, on_watch);
}

void gateway_behind_release(struct gateway *gateway)
{
	assert(list_is_empty(&gateway->noted));
	worker_cancel(gateway->all->worker, &gateway->watch);
	missed_offsets_release(&gateway->missed);
}
