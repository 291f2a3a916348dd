#include "push/order/conversations.h"

#include "base/macros.h"
#include "base/mem.h"
#include "push/order/timeline.h"

struct conversations {
	struct timeline_context context;
	struct map by_place;
	struct list idle; /* timelines that rest; the longest idle first */
	size_t count, max;
};

static struct conversations *conversations_of(const struct timeline *timeline)
{
	return container_of(timeline->context, struct conversations, context);
}

static struct str conversations_key_of(const struct map_node *node)
{
	return timeline_place_key(&container_of(node, struct timeline, link)->place);
}

/* An orphan is not in the map: another timeline may have its place. */
static void conversations_forget(struct timeline *timeline)
{
	struct conversations *all = conversations_of(timeline);

	if (!timeline->is_orphan)
		map_remove(&all->by_place, &timeline->link);
	list_remove(&timeline->idle);
	all->count--;
	timeline_free(timeline);
}

static void conversations_on_rested(struct timeline *timeline)
{
	struct conversations *all = conversations_of(timeline);

	if (timeline->is_orphan) {
		conversations_forget(timeline);
		return;
	}
	list_remove(&timeline->idle);
	list_push_back(&all->idle, &timeline->idle);
	if (all->count > all->max)
		conversations_forget(container_of(all->idle.next, struct timeline, idle));
}

void conversations_take(struct conversations *all, struct outgoing *outgoing)
{
	const char *id = outgoing->record->message->conversation_id;
	struct timeline_place place = timeline_place(outgoing->partition, id);
	struct map_node *found = map_find(&all->by_place, timeline_place_key(&place));
	struct timeline *timeline = found ? container_of(found, struct timeline, link) : timeline_new(&all->context, &place);

	if (!found) {
		map_put(&all->by_place, &timeline->link);
		all->count++;
	}
	list_remove(&timeline->idle);
	timeline_take(timeline, outgoing);
}

void conversations_drop_partition(struct conversations *all, int32_t partition)
{
	for (struct map_node *node = map_first(&all->by_place), *next; node; node = next) {
		struct timeline *timeline = container_of(node, struct timeline, link);

		next = map_next(&all->by_place, node);
		if (timeline->place.partition != partition)
			continue;
		map_remove(&all->by_place, &timeline->link);
		timeline_orphan(timeline);
		if (timeline_rests(timeline))
			conversations_forget(timeline);
	}
}

struct conversations *conversations_new(const struct conversations_options *options)
{
	static const char name[] = "skein_push_messages_total", help[] = "Messages by what became of their record.";
	static const char order_help[] = "From taking a record until the batch of its message starts.";
	static const char append_help[] = "From a batch's start until all its inbox entries are written.";
	static const char total_help[] = "From a message's time until every gateway has answered.";
	struct conversations *all = MEM_NEW(struct conversations);

	all->max = options->max_conversations;
	map_init(&all->by_place, conversations_key_of);
	list_init(&all->idle);
	all->context = (struct timeline_context){
		.worker = options->worker,
		.pg = options->pg,
		.batches = {
			.inboxes = {
				.worker = options->worker,
				.redis = options->redis,
				.gateways = options->gateways,
				.limits = options->inbox_limits,
				.bytes_in_flight = &all->context.bytes,
			},
			.members = options->members,
			.order_time = metrics_histogram("skein_push_order_seconds", order_help, NULL),
			.append_time = metrics_histogram("skein_push_append_seconds", append_help, NULL),
		},
		.wait = options->wait,
		.dispatched = metrics_counter(name, help, "outcome=\"dispatched\""),
		.repeated = metrics_counter(name, help, "outcome=\"repeated\""),
		.dropped = metrics_counter(name, help, "outcome=\"dropped\""),
		.from_postgres = metrics_counter(name, help, "outcome=\"read_from_postgres\""),
		.total_time = metrics_histogram("skein_push_total_seconds", total_help, NULL),
		.finished = options->finished,
		.unknown = options->unknown,
		.eased = options->eased,
		.arg = options->arg,
		.rested = conversations_on_rested,
	};
	inboxes_init(&all->context.batches.inboxes, options->max_cached_routes);
	progress_start(&all->context.progress, options->worker, options->redis, options->pg);
	return all;
}

void conversations_stop(struct conversations *all)
{
	progress_stop(&all->context.progress);
}

void conversations_free(struct conversations *all)
{
	for (struct map_node *node; (node = map_first(&all->by_place));)
		conversations_forget(container_of(node, struct timeline, link));
	map_release(&all->by_place);
	inboxes_release(&all->context.batches.inboxes);
	mem_free(all);
}

struct conversations_load conversations_load(const struct conversations *all)
{
	return (struct conversations_load){
		.messages = all->context.messages,
		.bytes = all->context.bytes,
		.slim = all->context.slim,
		.known = all->count,
	};
}

size_t conversations_in_flight(const struct conversations *all)
{
	return all->context.messages + all->context.slim;
}
