#include "push/events/event_batch.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "cluster/routes.h"
#include "deliver/audience_wire.h"
#include "deliver/target_list.h"

struct event_batch {
	struct list link; /* in context->under_way */
	struct event_context *context;
	Skein__V1__EventRecord *record; /* NULL: stopped */
	size_t bytes;
	size_t open_lookups;
	struct target_list targets[]; /* of each event */
};

/* A look-up of one user's routes. */
struct event_lookup {
	struct event_batch *batch;
	uint32_t event, user; /* indexes into the record's events, and into that one's uids */
};

void event_context_init(struct event_context *context, struct redis *redis, struct gateways *gateways)
{
	const char *name = "skein_push_events_dropped_total", *help = EVENTS_DROPPED_HELP;

	*context = (struct event_context){ .redis = redis, .gateways = gateways };
	list_init(&context->under_way);
	context->sent = metrics_counter("skein_push_event_deliveries_sent_total", "Deliveries of events given to gateways.", NULL);
	context->no_routes = metrics_counter(name, help, "reason=\"routes_unknown\"");
	context->gateway_dead = metrics_counter(name, help, "reason=\"gateway_dead\"");
	context->gateway_behind = metrics_counter(name, help, "reason=\"gateway_behind\"");
	context->gateway_full = metrics_counter(name, help, "reason=\"gateway_full\"");
}

static void event_batch_release_content(struct event_batch *batch)
{
	struct event_context *context = batch->context;

	list_remove(&batch->link);
	context->count -= batch->record->n_events;
	context->bytes -= batch->bytes;
	for (size_t i = 0; i < batch->record->n_events; i++)
		target_list_release(&batch->targets[i]);
	skein__v1__event_record__free_unpacked(batch->record, NULL);
	batch->record = NULL;
}

void event_context_stop(struct event_context *context)
{
	while (!list_is_empty(&context->under_way))
		event_batch_release_content(container_of(context->under_way.next, struct event_batch, link));
}

/* ---- sending ---- */

static void event_on_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery; /* the next message for that connection removes its route */
	(void)conn;
}

static void event_on_done(struct delivery *delivery)
{
	mem_free(delivery);
}

static void event_count_told(struct event_context *context, enum gateway_told told)
{
	struct counter *const counters[] = {
		[TOLD] = context->sent,
		[TOLD_NOT_DEAD] = context->gateway_dead,
		[TOLD_NOT_BEHIND] = context->gateway_behind,
		[TOLD_NOT_FULL] = context->gateway_full,
	};

	counter_add(counters[told], 1);
}

static void event_send(struct event_context *context, Skein__V1__Event *event, const struct target_list *targets)
{
	struct audience audience;
	struct fanout_plan plan = target_list_plan(targets, 0, &audience);

	if (plan.dead_count)
		event_count_told(context, TOLD_NOT_DEAD);
	for (size_t i = 0; i < plan.batch_count; i++) {
		const struct fanout_batch *to_gateway = &plan.batches[i];
		struct delivery *delivery = MEM_NEW(struct delivery);
		Skein__V1__Delivery content;
		struct audience_wire to;

		delivery->gone = event_on_gone;
		delivery->done = event_on_done;
		audience_wire_init(&to, &plan, to_gateway);
		skein__v1__delivery__init(&content);
		content.audience = &to.audience;
		content.content_case = SKEIN__V1__DELIVERY__CONTENT_EVENT;
		content.event = event;
		enum gateway_told told = gateway_tell(targets->gateways[to_gateway->gateway], delivery, &content);
		event_count_told(context, told);
		if (told != TOLD)
			mem_free(delivery);
		audience_wire_release(&to);
	}
	fanout_plan_release(&plan);
}

/* Only the gateways know who watches whom: each living one is told. */
static void event_send_to_watchers(struct event_context *context, Skein__V1__EmittedEvent *emitted)
{
	struct gateway *gateways[GATEWAYS_MAX];
	size_t count = gateways_living(context->gateways, gateways, ARRAY_LEN(gateways));

	for (size_t i = 0; i < count; i++) {
		struct delivery *delivery = MEM_NEW(struct delivery);
		Skein__V1__Delivery content;

		delivery->gone = event_on_gone;
		delivery->done = event_on_done;
		skein__v1__delivery__init(&content);
		content.audience = emitted->audience;
		content.content_case = SKEIN__V1__DELIVERY__CONTENT_EVENT;
		content.event = emitted->event;
		enum gateway_told told = gateway_tell(gateways[i], delivery, &content);
		event_count_told(context, told);
		if (told != TOLD)
			mem_free(delivery);
	}
}

static bool event_is_for_watchers(const Skein__V1__EmittedEvent *emitted)
{
	return emitted->audience->who_case == SKEIN__V1__AUDIENCE__WHO_WATCHED;
}

/* Every look-up of the batch has ended. */
static void event_batch_leave(struct event_batch *batch)
{
	if (batch->record) {
		for (size_t i = 0; i < batch->record->n_events; i++) {
			Skein__V1__EmittedEvent *emitted = batch->record->events[i];

			if (event_is_for_watchers(emitted))
				event_send_to_watchers(batch->context, emitted);
			else
				event_send(batch->context, emitted->event, &batch->targets[i]);
		}
		event_batch_release_content(batch);
	}
	mem_free(batch);
}

/* ---- looking the routes up ---- */

static bool event_is_known_to(const Skein__V1__EmittedEvent *emitted, const struct route *route)
{
	return emitted->except && emitted->except->node_epoch == route->node_epoch && emitted->except->conn == route->conn;
}

static void event_batch_add_routes(struct event_batch *batch, const struct event_lookup *lookup,
                                   const struct device_route *routes, size_t count)
{
	struct target_list *targets = &batch->targets[lookup->event];

	for (size_t i = 0; i < count; i++) {
		if (event_is_known_to(batch->record->events[lookup->event], &routes[i].route))
			continue;
		uint32_t gateway = target_list_gateway(targets, batch->context->gateways, &routes[i].route);

		*target_list_add(targets) = (struct fanout_target){
			.gateway = gateway,
			.recipient = lookup->user,
			.conn = routes[i].route.conn,
		};
	}
}

static void event_batch_end(struct event_batch *batch)
{
	struct event_context *context = batch->context;
	struct event_batch *held = context->held;

	if (sabotaged(SABOTAGE_EVENTS_SWAPPED) && !held) {
		context->held = batch;
		return;
	}
	event_batch_leave(batch);
	if (held)
		event_batch_leave(held);
	context->held = NULL;
}

static void event_on_routes(void *arg, err_t err, const struct device_route *routes, size_t count)
{
	struct event_lookup *lookup = arg;
	struct event_batch *batch = lookup->batch;
	bool is_last = --batch->open_lookups == 0;

	batch->context->lookups--;
	if (batch->record && err)
		counter_add(batch->context->no_routes, 1);
	else if (batch->record)
		event_batch_add_routes(batch, lookup, routes, count);
	mem_free(lookup);
	if (is_last)
		event_batch_end(batch);
}

void event_batch_start(struct event_context *context, Skein__V1__EventRecord *record, size_t bytes)
{
	struct event_batch *batch = mem_zalloc(sizeof(*batch) + record->n_events * sizeof(batch->targets[0]));
	size_t lookups = 0;

	for (size_t i = 0; i < record->n_events; i++)
		if (!event_is_for_watchers(record->events[i]))
			lookups += record->events[i]->audience->users->n_uids;
	batch->context = context;
	batch->record = record;
	batch->bytes = bytes;
	batch->open_lookups = lookups;
	list_push_back(&context->under_way, &batch->link);
	context->count += record->n_events;
	context->bytes += bytes;
	context->lookups += lookups;
	for (size_t i = 0; i < record->n_events; i++) {
		const Skein__V1__Users *users = record->events[i]->audience->users;

		if (event_is_for_watchers(record->events[i]))
			continue;
		for (size_t j = 0; j < users->n_uids; j++) {
			struct event_lookup *lookup = MEM_NEW(struct event_lookup);

			*lookup = (struct event_lookup){ batch, (uint32_t)i, (uint32_t)j };
			route_list(context->redis, str_from(users->uids[j]), event_on_routes, lookup);
		}
	}
	if (!lookups)
		event_batch_end(batch);
}
