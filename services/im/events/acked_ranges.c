#include "im/events/acked_ranges.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/text/ident.h"
#include "cluster/inbox.h"
#include "cluster/inbox_delivered.h"
#include "im/events/receipts.h"

/* A request whose ranges are looked up. */
struct acked_request {
	struct acked_ranges *ranges;
	Skein__V1__DeliveredRequest *message;
	size_t open; /* look-ups, and one until all have begun */
};

struct acked_range {
	struct acked_request *request;
	const Skein__V1__InboxRange *message;
};

void acked_ranges_init(struct acked_ranges *ranges, struct redis *redis, struct events *events)
{
	*ranges = (struct acked_ranges){
		.redis = redis,
		.events = events,
		.dropped = metrics_counter("skein_im_acked_ranges_dropped_total",
		                           "Ranges of inboxes, read over HTTP, whose senders were not told.", NULL),
	};
}

bool acked_ranges_are_valid(const Skein__V1__DeliveredRequest *request)
{
	if (request->n_ranges > RECEIPTS_MAX)
		return false;
	for (size_t i = 0; i < request->n_ranges; i++) {
		const Skein__V1__InboxRange *range = request->ranges[i];

		if (!ident_is_valid(str_from(range->uid)) || range->after >= range->up_to)
			return false;
	}
	return true;
}

/* The entries of a conversation are nearly in the order of seq: the last one is told. */
struct acked_conversation {
	struct map_node by_id;
	struct str id;
};

static struct str acked_conversation_id(const struct map_node *node)
{
	return container_of(node, struct acked_conversation, by_id)->id;
}

/* The gateway has told of a later message already, with the same request. */
static bool acked_request_tells(const Skein__V1__DeliveredRequest *request, struct str uid, struct str conversation_id,
                                uint64_t seq)
{
	for (size_t i = 0; i < request->n_receipts; i++) {
		const Skein__V1__Receipt *receipt = request->receipts[i];

		if (receipt->seq >= seq && str_equal(str_from(receipt->conversation_id), conversation_id) &&
		    str_equal(str_from(receipt->uid), uid))
			return true;
	}
	return false;
}

static void acked_range_tell(const struct acked_range *range, const struct str *entries, size_t count)
{
	const struct acked_request *request = range->request;
	struct acked_conversation told[INBOX_DELIVERED_MAX];
	struct str uid = str_from(range->message->uid);
	struct map by_id;

	map_init(&by_id, acked_conversation_id);
	for (size_t i = count; i-- > 0;) {
		uint64_t seq;

		if (!inbox_entry_parse(entries[i], &told[i].id, &seq) || map_find(&by_id, told[i].id))
			continue;
		map_put(&by_id, &told[i].by_id);
		if (!acked_request_tells(request->message, uid, told[i].id, seq))
			receipt_emit(request->ranges->events, told[i].id, uid, seq);
	}
	map_release(&by_id);
}

static void acked_request_end_one(struct acked_request *request)
{
	if (--request->open > 0)
		return;
	skein__v1__delivered_request__free_unpacked(request->message, NULL);
	mem_free(request);
}

static void acked_range_on_claimed(void *arg, err_t err, const struct str *entries, size_t count)
{
	struct acked_range *range = arg;
	struct acked_ranges *ranges = range->request->ranges;

	ranges->under_way--;
	if (err)
		counter_add(ranges->dropped, 1);
	else
		acked_range_tell(range, entries, count);
	acked_request_end_one(range->request);
	mem_free(range);
}

static void acked_range_claim(struct acked_request *request, const Skein__V1__InboxRange *message)
{
	const struct inbox_range numbers = { message->epoch, message->after, message->up_to };
	struct acked_ranges *ranges = request->ranges;

	if (ranges->under_way >= ACKED_RANGES_MAX || events_are_behind(ranges->events)) {
		counter_add(ranges->dropped, 1);
		return;
	}
	struct acked_range *range = MEM_NEW(struct acked_range);
	*range = (struct acked_range){ request, message };
	ranges->under_way++;
	request->open++;
	inbox_claim_delivered(ranges->redis, str_from(message->uid), &numbers, acked_range_on_claimed, range);
}

void acked_ranges_take(struct acked_ranges *ranges, Skein__V1__DeliveredRequest *message)
{
	struct acked_request *request = MEM_NEW(struct acked_request);

	*request = (struct acked_request){ ranges, message, .open = 1 };
	for (size_t i = 0; i < message->n_ranges; i++)
		acked_range_claim(request, message->ranges[i]);
	acked_request_end_one(request);
}
