#include "deliver/gateway.h"

#include <assert.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/telemetry/log.h"

#define NUMBERS_A_DELIVERY 1000
#define WATCH_MS 250

/* Tells a gateway the numbers that it missed, in one delivery or several. */
struct catch_up {
	struct list noted; /* deliveries that are done when the gateway has answered all parts */
	unsigned open; /* parts that it has not answered */
};

struct catch_up_part {
	struct delivery delivery;
	struct catch_up *catch_up;
};

static void gateway_keep_watch(struct gateway *gateway)
{
	if (!timer_is_armed(&gateway->watch))
		worker_arm_in(gateway->context->streams.worker, &gateway->watch, WATCH_MS);
}

/* The delivery is under way from here on, with a reference to the gateway. */
static void gateway_send(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content)
{
	gateway_ref(gateway);
	delivery->gateway = gateway;
	content->node_epoch = gateway->epoch;
	gateway_stream_send(&gateway->stream, delivery, content);
	gateway_keep_watch(gateway);
}

/* Every delivery under way ends here. May free its gateway. */
static void gateway_finish(struct delivery *delivery)
{
	struct gateway *gateway = delivery->gateway;

	payload_unref(delivery->batch);
	delivery->batch = NULL;
	delivery->done(delivery);
	gateway_unref(gateway);
}

/* ---- being behind ---- */

static void gateway_finish_noted(struct list *noted)
{
	for (struct list *link; (link = list_pop_front(noted));)
		gateway_finish(container_of(link, struct delivery, link));
}

static void gateway_fall_behind(struct gateway *gateway)
{
	const struct delivery_load *load = &gateway->stream.message_load;

	gateway->pace = GATEWAY_BEHIND;
	gauge_add(gateway->context->behind, 1);
	log_warn("gateway is behind: only numbers are kept for it", LOG_TEXT("gateway", gateway->name),
	         LOG_NUM("deliveries", load->count), LOG_NUM("bytes", load->bytes));
}

static void gateway_keep_up(struct gateway *gateway)
{
	if (gateway->pace != GATEWAY_KEEPS_UP)
		gauge_add(gateway->context->behind, -1);
	gateway->pace = GATEWAY_KEEPS_UP;
}

/* The next message for that connection removes its route. */
static void gateway_ignore_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery;
	(void)conn;
}

static void gateway_on_caught_up(struct delivery *delivery)
{
	struct catch_up_part *part = container_of(delivery, struct catch_up_part, delivery);
	struct catch_up *catch_up = part->catch_up;

	mem_free(part);
	if (--catch_up->open)
		return;
	gateway_finish_noted(&catch_up->noted);
	mem_free(catch_up);
}

static void gateway_send_numbers(struct gateway *gateway, struct catch_up *catch_up)
{
	Skein__V1__Delivery content;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Connections missed = SKEIN__V1__CONNECTIONS__INIT;
	struct catch_up_part *part = MEM_NEW(struct catch_up_part);

	missed_offsets_take(&gateway->missed, NUMBERS_A_DELIVERY, &missed);
	skein__v1__delivery__init(&content);
	targets.others = &missed;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	content.audience = &audience;
	part->catch_up = catch_up;
	part->delivery.gone = gateway_ignore_gone;
	part->delivery.done = gateway_on_caught_up;
	catch_up->open++;
	gateway_send(gateway, &part->delivery, &content);
	mem_free(missed.conns);
}

/* Tells a gateway that was behind the numbers it missed, once few enough messages are unanswered. */
static void gateway_catch_up(struct gateway *gateway)
{
	const struct delivery_load *load = &gateway->stream.message_load;

	if (gateway->pace != GATEWAY_BEHIND || gateway->state != GATEWAY_ALIVE || load->count > GATEWAY_MAX_IN_FLIGHT / 2 ||
	    load->bytes > GATEWAY_MAX_BYTES / 2)
		return;
	log_info("gateway catches up", LOG_TEXT("gateway", gateway->name), LOG_NUM("connections", gateway->missed.count));
	gateway_keep_up(gateway);
	if (!gateway->missed.count)
		return;
	struct catch_up *catch_up = MEM_NEW(struct catch_up);
	list_init(&catch_up->noted);
	list_splice_back(&catch_up->noted, &gateway->noted);
	while (gateway->missed.count)
		gateway_send_numbers(gateway, catch_up);
}

static void gateway_on_answered(struct delivery *delivery)
{
	struct gateway *gateway = delivery->gateway;

	gateway_ref(gateway);
	gateway_finish(delivery);
	gateway_catch_up(gateway);
	gateway_unref(gateway);
}

/* ---- giving up ---- */

/* The gateway is still behind: it catches up as soon as this delivery has ended. */
static void gateway_on_probe_answered(struct delivery *probe)
{
	if (probe->gateway->pace == GATEWAY_GIVEN_UP)
		probe->gateway->pace = GATEWAY_BEHIND;
}

/*
 * Every delivery ends, so its offset in Kafka may be committed. The gateway is told the numbers when it has answered the
 * probe.
 */
static void gateway_give_up(struct gateway *gateway)
{
	struct list unanswered;
	Skein__V1__Delivery nothing;

	log_error("gateway does not answer, its deliveries are given up", LOG_TEXT("gateway", gateway->name),
	          LOG_NUM("deliveries", gateway->stream.message_load.count));
	counter_add(gateway->context->given_up, 1);
	if (gateway->pace == GATEWAY_KEEPS_UP)
		gateway_fall_behind(gateway);
	gateway->pace = GATEWAY_GIVEN_UP;
	gateway_stream_take_all(&gateway->stream, &unanswered);
	for (struct list *link; (link = list_pop_front(&unanswered));) {
		struct delivery *delivery = container_of(link, struct delivery, link);
		struct str packed = payload_str(delivery->batch);
		Skein__V1__DeliverBatch *batch =
			skein__v1__deliver_batch__unpack(NULL, packed.len, (const uint8_t *)packed.ptr);

		assert(batch); /* gateway_stream_send() packed it */
		for (size_t i = 0; i < batch->n_deliveries; i++)
			missed_offsets_add(&gateway->missed, batch->deliveries[i]->audience);
		skein__v1__deliver_batch__free_unpacked(batch, NULL);
		gateway_finish(delivery);
	}
	gateway_stream_reopen(&gateway->stream);
	gateway->probe.gone = gateway_ignore_gone;
	gateway->probe.done = gateway_on_probe_answered;
	skein__v1__delivery__init(&nothing);
	gateway_send(gateway, &gateway->probe, &nothing);
}

static void gateway_look_whether_it_answers(struct gateway *gateway)
{
	struct delivery *oldest = gateway_stream_oldest(&gateway->stream);

	if (!oldest || gateway->state != GATEWAY_ALIVE ||
	    clock_mono_us() < oldest->since_us + 1000 * gateway->context->give_up_ms)
		return;
	if (gateway->pace == GATEWAY_GIVEN_UP) { /* sends the probe again, on a new stream */
		oldest->since_us = clock_mono_us();
		gateway_stream_reopen(&gateway->stream);
	} else {
		gateway_give_up(gateway);
	}
}

static void gateway_on_watch(struct timer *timer)
{
	struct gateway *gateway = container_of(timer, struct gateway, watch);

	gateway_ref(gateway);
	gateway_look_whether_it_answers(gateway);
	if (gateway->pace == GATEWAY_GIVEN_UP)
		gateway_finish_noted(&gateway->noted);
	if (gateway_stream_oldest(&gateway->stream) || !list_is_empty(&gateway->noted))
		gateway_keep_watch(gateway);
	gateway_unref(gateway);
}

/* ---- life: unknown -> alive -> dead, or unknown -> dead; a dead one may be doubted, and is unknown again ---- */

struct gateway *gateway_new(struct gateway_context *context, struct str name, uint64_t epoch, const char *key)
{
	struct gateway *gateway = MEM_NEW(struct gateway);

	gateway->context = context;
	(void)str_copy(gateway->name, sizeof(gateway->name), name);
	(void)str_copy(gateway->key, sizeof(gateway->key), str_from(key));
	gateway->epoch = epoch;
	gateway_stream_init(&gateway->stream, &context->streams, gateway->name, gateway_on_answered);
	missed_offsets_init(&gateway->missed);
	list_init(&gateway->noted);
	timer_init(&gateway->watch, gateway_on_watch);
	return gateway;
}

void gateway_free(struct gateway *gateway)
{
	assert(!gateway_stream_oldest(&gateway->stream) && list_is_empty(&gateway->noted));
	worker_cancel(gateway->context->streams.worker, &gateway->watch);
	missed_offsets_release(&gateway->missed);
	mem_free(gateway);
}

void gateway_ref(struct gateway *gateway)
{
	gateway->refs++;
}

void gateway_unref(struct gateway *gateway)
{
	if (--gateway->refs == 0)
		gateway->context->unused(gateway);
}

void gateway_come_alive(struct gateway *gateway, const char *address)
{
	if (gateway_stream_open(&gateway->stream, address)) {
		gateway_die(gateway);
		return;
	}
	gateway->state = GATEWAY_ALIVE;
	gateway_ref(gateway);
}

void gateway_die(struct gateway *gateway)
{
	struct list unanswered;
	bool was_alive = gateway->state == GATEWAY_ALIVE;

	if (gateway->state == GATEWAY_DEAD)
		return;
	if (was_alive)
		log_info("gateway is gone", LOG_TEXT("gateway", gateway->name), LOG_U64("epoch", gateway->epoch));
	gateway_ref(gateway);
	gateway->state = GATEWAY_DEAD;
	gateway_stream_close(&gateway->stream);
	worker_cancel(gateway->context->streams.worker, &gateway->watch);
	gateway_stream_take_all(&gateway->stream, &unanswered);
	for (struct list *link; (link = list_pop_front(&unanswered));) {
		counter_add(gateway->context->undeliverable, 1);
		gateway_finish(container_of(link, struct delivery, link));
	}
	gateway_keep_up(gateway);
	gateway_finish_noted(&gateway->noted);
	gateway_unref(gateway);
	if (was_alive)
		gateway_unref(gateway);
}

void gateway_doubt(struct gateway *gateway)
{
	assert(gateway->state == GATEWAY_DEAD);
	gateway->state = GATEWAY_UNKNOWN;
}

bool gateway_is_dead(const struct gateway *gateway)
{
	return gateway->state == GATEWAY_DEAD;
}

struct str gateway_name(const struct gateway *gateway)
{
	return str_from(gateway->name);
}

uint64_t gateway_epoch(const struct gateway *gateway)
{
	return gateway->epoch;
}

/* ---- deliveries ---- */

void gateway_deliver(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content)
{
	const struct delivery_load *load = &gateway->stream.message_load;

	assert(gateway->state != GATEWAY_DEAD);
	if (gateway->pace == GATEWAY_KEEPS_UP && (load->count >= GATEWAY_MAX_IN_FLIGHT || load->bytes >= GATEWAY_MAX_BYTES))
		gateway_fall_behind(gateway);
	delivery->is_noted = gateway->pace != GATEWAY_KEEPS_UP;
	if (!delivery->is_noted) {
		gateway_send(gateway, delivery, content);
		return;
	}
	gateway_ref(gateway);
	delivery->gateway = gateway;
	delivery->batch = NULL;
	missed_offsets_add(&gateway->missed, content->audience);
	list_init(&delivery->link);
	list_push_back(&gateway->noted, &delivery->link);
	counter_add(gateway->context->noted, 1);
	gateway_keep_watch(gateway);
}

enum gateway_told gateway_tell(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content)
{
	const struct delivery_load *load = &gateway->stream.event_load;

	if (gateway->state == GATEWAY_DEAD)
		return TOLD_NOT_DEAD;
	if (gateway->pace != GATEWAY_KEEPS_UP)
		return TOLD_NOT_BEHIND;
	if (load->count >= GATEWAY_MAX_EVENTS || load->bytes >= GATEWAY_MAX_EVENT_BYTES)
		return TOLD_NOT_FULL;
	delivery->is_event = true;
	gateway_send(gateway, delivery, content);
	return TOLD;
}
