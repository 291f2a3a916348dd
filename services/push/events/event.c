#include "push/events/event.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "cluster/routes.h"
#include "deliver/audience_wire.h"
#include "deliver/target_list.h"

struct event {
	struct list link; /* in context->under_way */
	struct event_context *context;
	Skein__V1__EventRecord *record; /* NULL: stopped */
	size_t bytes;
	size_t open_lookups;
	struct target_list targets;
};

/* A look-up of one user's routes. */
struct event_lookup {
	struct event *event;
	uint32_t user; /* index into the record's uids */
};

void event_context_init(struct event_context *context, struct redis *redis, struct gateways *gateways)
{
	const char *name = "skein_push_events_dropped_total", *help = "Events, or records of one for a gateway, by why not sent.";

	*context = (struct event_context){ .redis = redis, .gateways = gateways };
	list_init(&context->under_way);
	context->sent = metrics_counter("skein_push_event_records_sent_total", "Records of events given to gateways.", NULL);
	context->no_routes = metrics_counter(name, help, "reason=\"routes_unknown\"");
	context->gateway_dead = metrics_counter(name, help, "reason=\"gateway_dead\"");
	context->gateway_behind = metrics_counter(name, help, "reason=\"gateway_behind\"");
	context->gateway_full = metrics_counter(name, help, "reason=\"gateway_full\"");
}

static void event_release_content(struct event *event)
{
	list_remove(&event->link);
	event->context->count--;
	event->context->bytes -= event->bytes;
	target_list_release(&event->targets);
	skein__v1__event_record__free_unpacked(event->record, NULL);
	event->record = NULL;
}

void event_context_stop(struct event_context *context)
{
	while (!list_is_empty(&context->under_way))
		event_release_content(container_of(context->under_way.next, struct event, link));
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

static void event_send_batch(struct event *event, const struct fanout_plan *plan, const struct fanout_batch *batch)
{
	Skein__V1__Delivery content;
	struct audience_wire to;
	struct delivery *delivery = MEM_NEW(struct delivery);

	delivery->gone = event_on_gone;
	delivery->done = event_on_done;
	audience_wire_init(&to, plan, batch);
	skein__v1__delivery__init(&content);
	content.audience = &to.audience;
	content.content_case = SKEIN__V1__DELIVERY__CONTENT_EVENT;
	content.event = event->record->event;
	enum gateway_told told = gateway_tell(event->targets.gateways[batch->gateway], delivery, &content);
	event_count_told(event->context, told);
	if (told != TOLD)
		mem_free(delivery);
	audience_wire_release(&to);
}

static void event_send(struct event *event)
{
	struct audience audience;
	struct fanout_plan plan = target_list_plan(&event->targets, &audience);

	if (plan.dead_count)
		event_count_told(event->context, TOLD_NOT_DEAD);
	for (size_t i = 0; i < plan.batch_count; i++)
		event_send_batch(event, &plan, &plan.batches[i]);
	fanout_plan_release(&plan);
}

/* ---- looking the routes up ---- */

static void event_on_routes(void *arg, err_t err, const struct device_route *routes, size_t count)
{
	struct event_lookup *lookup = arg;
	struct event *event = lookup->event;
	struct event_context *context = event->context;
	uint32_t user = lookup->user;

	mem_free(lookup);
	context->lookups--;
	event->open_lookups--;
	if (event->record && err)
		counter_add(context->no_routes, 1);
	for (size_t i = 0; event->record && !err && i < count; i++) {
		uint32_t gateway = target_list_gateway(&event->targets, context->gateways, &routes[i].route);

		*target_list_add(&event->targets) = (struct fanout_target){
			.gateway = gateway,
			.recipient = user,
			.conn = routes[i].route.conn,
		};
	}
	if (event->open_lookups)
		return;
	if (event->record) {
		event_send(event);
		event_release_content(event);
	}
	mem_free(event);
}

void event_start(struct event_context *context, Skein__V1__EventRecord *record, size_t bytes)
{
	const Skein__V1__Users *users = record->audience->users;
	struct event *event = MEM_NEW(struct event);

	event->context = context;
	event->record = record;
	event->bytes = bytes;
	event->open_lookups = users->n_uids;
	list_push_back(&context->under_way, &event->link);
	context->count++;
	context->bytes += bytes;
	context->lookups += users->n_uids;
	for (size_t i = 0; i < users->n_uids; i++) {
		struct event_lookup *lookup = MEM_NEW(struct event_lookup);

		lookup->event = event;
		lookup->user = (uint32_t)i;
		route_list(context->redis, str_from(users->uids[i]), event_on_routes, lookup);
	}
}
