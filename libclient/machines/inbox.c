#include "libclient/machines/inbox.h"

#include <string.h>

#include "base/mem.h"

/* A message that was handed over and not taken yet, and the position that is reached when it is taken. */
struct handover {
	struct list link;
	struct known *conversation;
	uint64_t seq;
	struct inbox_position after;
};

struct pull {
	struct list link;
	struct known *conversation;
	uint64_t to; /* the seq up to which there should be messages */
	bool is_exhausted; /* the server has none after the last page */
};

/* No inbox ever has this epoch: a sync from it is answered with a reset. */
#define NO_EPOCH "0"

void inbox_init(struct inbox *inbox, const struct inbox_rules *rules)
{
	*inbox = (struct inbox){ .rules = rules };
	known_init(&inbox->conversations);
	list_init(&inbox->untaken);
	list_init(&inbox->pulled);
	list_init(&inbox->synced);
	list_init(&inbox->held);
	list_init(&inbox->pulls);
}

static struct known *inbox_follow(struct inbox *inbox, struct str conversation, uint64_t last)
{
	return known_follow(&inbox->conversations, conversation, last, inbox->rules->max_conversations);
}

void inbox_restore(struct inbox *inbox, const struct inbox_position *position, bool knows_hot)
{
	inbox->at = inbox->taken = *position;
	inbox->knows_hot = knows_hot;
}

void inbox_restore_conversation(struct inbox *inbox, struct str conversation, uint64_t seq)
{
	if (!known_find(&inbox->conversations, conversation))
		inbox_follow(inbox, conversation, seq);
}

/* ---- positions ---- */

static void inbox_set_epoch(char to[INBOX_EPOCH_MAX + 1], struct str epoch)
{
	(void)str_copy(to, INBOX_EPOCH_MAX + 1, epoch);
}

static bool inbox_is_of_connection(const struct inbox *inbox, const struct inbox_position *position)
{
	return *inbox->connected_epoch && strcmp(inbox->connected_epoch, position->epoch) == 0;
}

/* Everything up to there was handed over. It counts as taken when the last handover is. */
static void inbox_advance(struct inbox *inbox, const struct inbox_position *to)
{
	inbox->at = *to;
	inbox->is_dirty = true;
	if (list_is_empty(&inbox->untaken))
		inbox->taken = *to;
	else
		container_of(inbox->untaken.prev, struct handover, link)->after = *to;
}

static void inbox_advance_to_offset(struct inbox *inbox, uint64_t offset)
{
	struct inbox_position to = inbox->at;

	if (offset <= to.offset)
		return;
	to.offset = offset;
	inbox_advance(inbox, &to);
}

/* The offset up to which this connection may be acked: taken, and given out on this connection. */
static uint64_t inbox_can_ack(const struct inbox *inbox)
{
	return inbox_is_of_connection(inbox, &inbox->taken) ? MIN(inbox->taken.offset, inbox->given_out) : 0;
}

/* ---- lists ---- */

static void inbox_let_all_go(struct inbox *inbox, struct list *items)
{
	for (struct list *link; (link = list_pop_front(items));)
		inbox->rules->let_go(container_of(link, struct inbox_item, link));
}

static void inbox_let_held_go(struct inbox *inbox)
{
	inbox_let_all_go(inbox, &inbox->held);
	inbox->held_count = 0;
	inbox->held_bytes = 0;
}

static struct inbox_item *inbox_pop(struct inbox *inbox, struct list *items)
{
	struct inbox_item *item = container_of(list_pop_front(items), struct inbox_item, link);

	if (items == &inbox->held) {
		inbox->held_count--;
		inbox->held_bytes -= item->bytes;
	}
	return item;
}

/* ---- pulls ---- */

static void inbox_add_pull(struct inbox *inbox, struct known *known, uint64_t to)
{
	struct pull *pull = MEM_NEW(struct pull);

	pull->conversation = known;
	pull->to = to;
	known->pins++;
	list_push_back(&inbox->pulls, &pull->link);
}

static void inbox_remove_pull(struct pull *pull)
{
	list_remove(&pull->link);
	pull->conversation->pins--;
	mem_free(pull);
}

/* The server has no more of this conversation: a message that it does not have is not missing. */
static void inbox_end_pull(struct inbox *inbox)
{
	struct pull *pull = container_of(inbox->pulls.next, struct pull, link);
	struct known *known = pull->conversation;

	known->last = MAX(known->last, pull->to);
	inbox_remove_pull(pull);
	if (!known->pins)
		known->taken = known->last;
	inbox->is_dirty = true;
}

/* ---- events ---- */

void inbox_disconnected(struct inbox *inbox)
{
	inbox_let_all_go(inbox, &inbox->pulled);
	inbox_let_all_go(inbox, &inbox->synced);
	inbox_let_held_go(inbox);
	while (!list_is_empty(&inbox->pulls))
		inbox_remove_pull(container_of(inbox->pulls.next, struct pull, link));
	*inbox->connected_epoch = '\0';
	inbox->given_out = inbox->acked = 0;
	inbox->must_sync = inbox->is_asking = inbox->page_is_open = inbox->is_reset = false;
	inbox->accepted_gap = 0;
}

void inbox_release(struct inbox *inbox)
{
	inbox_disconnected(inbox);
	for (struct list *link; (link = list_pop_front(&inbox->untaken));)
		mem_free(container_of(link, struct handover, link));
	known_release(&inbox->conversations);
}

void inbox_connected(struct inbox *inbox, struct str epoch, uint64_t head)
{
	inbox_disconnected(inbox);
	inbox_set_epoch(inbox->connected_epoch, epoch);
	if (!*inbox->at.epoch && !inbox->rules->starts_from_oldest) {
		struct inbox_position start = { .offset = head };

		inbox_set_epoch(start.epoch, epoch);
		inbox_advance(inbox, &start);
	}
	inbox->given_out = head;
	inbox->acked = inbox_is_of_connection(inbox, &inbox->taken) ? inbox->taken.offset : 0;
	inbox->must_sync = inbox->knows_hot || !inbox_is_of_connection(inbox, &inbox->at) || inbox->at.offset > head;
}

void inbox_moved(struct inbox *inbox, uint64_t named_offset)
{
	inbox->acked = MIN(inbox->acked, named_offset);
	inbox->is_dirty = inbox->is_dirty || inbox_can_ack(inbox) > inbox->acked;
}

void inbox_live(struct inbox *inbox, struct inbox_item *item)
{
	inbox->given_out = MAX(inbox->given_out, item->offset);
	inbox->is_dirty = inbox->is_dirty || inbox_can_ack(inbox) > inbox->acked;
	inbox->knows_hot = inbox->knows_hot || !item->offset;
	list_push_back(&inbox->held, &item->link);
	inbox->held_count++;
	inbox->held_bytes += item->bytes;
	if (inbox->held_count <= inbox->rules->max_held && inbox->held_bytes <= inbox->rules->max_held_bytes)
		return;
	inbox_let_held_go(inbox);
	inbox->must_sync = true;
}

void inbox_sync_more(struct inbox *inbox)
{
	inbox->must_sync = true;
}

void inbox_resync(struct inbox *inbox, struct str epoch)
{
	inbox->must_sync = true;
	if (str_equal(epoch, str_from(inbox->connected_epoch)))
		return;
	inbox_set_epoch(inbox->connected_epoch, epoch);
	inbox->given_out = inbox->acked = 0;
	list_for_each(link, &inbox->held)
		container_of(link, struct inbox_item, link)->offset = 0; /* it is an offset of the inbox before */
}

void inbox_synced(struct inbox *inbox, struct inbox_page *page)
{
	bool is_other_epoch = strcmp(page->end.epoch, inbox->at.epoch) != 0;
	uint32_t back = inbox->rules->unknown_history;

	inbox->is_asking = false;
	if (page->is_reset)
		inbox_let_all_go(inbox, &page->items);
	list_splice_back(&inbox->synced, &page->items);
	inbox->must_sync = inbox->must_sync || (page->has_more && (is_other_epoch || page->end.offset > inbox->at.offset));
	if (is_other_epoch && !page->is_reset) {
		inbox->at = page->end;
		inbox->at.offset = 0;
	}
	inbox->page_end = page->end;
	inbox->page_is_open = true;
	inbox->is_reset = page->is_reset;
	/* A mark names the end of a conversation: messages up to it are pulled. */
	for (size_t i = 0; i < page->mark_count; i++) {
		const struct inbox_mark *mark = &page->marks[i];
		struct known *known = known_find(&inbox->conversations, mark->conversation);

		if (!known)
			known = inbox_follow(inbox, mark->conversation,
			                     back && mark->last_seq > back ? mark->last_seq - back : 0);
		if (known->last < mark->last_seq)
			inbox_add_pull(inbox, known, mark->last_seq);
	}
	inbox->knows_hot = inbox->knows_hot || (page->mark_count && !page->is_reset);
}

void inbox_pulled(struct inbox *inbox, struct list *items, bool is_last)
{
	struct pull *pull = container_of(inbox->pulls.next, struct pull, link);
	bool moves = !list_is_empty(items) &&
	             container_of(items->prev, struct inbox_item, link)->seq > pull->conversation->last;

	inbox->is_asking = false;
	list_splice_back(&inbox->pulled, items);
	pull->is_exhausted = is_last || !moves;
}

bool inbox_refused(struct inbox *inbox)
{
	inbox->is_asking = false;
	if (inbox->is_pulling) {
		inbox_end_pull(inbox);
		return true;
	}
	if (!*inbox->at.epoch || strcmp(inbox->at.epoch, NO_EPOCH) == 0)
		return false;
	inbox->at = (struct inbox_position){ .epoch = NO_EPOCH };
	inbox->must_sync = true;
	return true;
}

void inbox_taken(struct inbox *inbox, uint64_t delivery)
{
	while (inbox->untaken_count && inbox->deliveries - inbox->untaken_count < delivery) {
		struct handover *handover = container_of(list_pop_front(&inbox->untaken), struct handover, link);

		handover->conversation->taken = MAX(handover->conversation->taken, handover->seq);
		handover->conversation->pins--;
		inbox->taken = handover->after;
		inbox->untaken_count--;
		inbox->unsettled++;
		mem_free(handover);
	}
}

/* ---- actions ---- */

static enum inbox_action inbox_hand_over(struct inbox *inbox, struct known *known, struct inbox_item *item,
                                         struct inbox_effect *effect)
{
	struct handover *handover = MEM_NEW(struct handover);

	known = known ? known : inbox_follow(inbox, item->conversation, 0);
	known->last = item->seq;
	known->pins++;
	known_touch(&inbox->conversations, known);
	inbox->at.offset = MAX(inbox->at.offset, item->offset);
	handover->conversation = known;
	handover->seq = item->seq;
	handover->after = inbox->at;
	list_push_back(&inbox->untaken, &handover->link);
	inbox->untaken_count++;
	effect->item = item;
	effect->delivery = ++inbox->deliveries;
	return INBOX_HAND_OVER;
}

/*
 * True for a message of history after the last one that the pull asked for; the pull ends there. The inbox has that message
 * too, and may have others before it that history does not show: after a user was removed from a group and added again, history
 * may begin with the second join, while the inbox still has messages of the first membership.
 */
static bool inbox_is_behind_pull(struct inbox *inbox, const struct inbox_item *item)
{
	struct pull *pull = container_of(inbox->pulls.next, struct pull, link);

	if (item->seq <= pull->to)
		return false;
	pull->is_exhausted = true;
	return true;
}

/* Hands over the first of `items`, or asks for the messages that are missing before it. */
static enum inbox_action inbox_take_message(struct inbox *inbox, struct list *items, struct inbox_effect *effect)
{
	struct inbox_item *item = container_of(items->next, struct inbox_item, link);
	struct known *known = known_find(&inbox->conversations, item->conversation);

	if (known && item->seq > known->last + 1 && items != &inbox->pulled) {
		inbox_add_pull(inbox, known, item->seq - 1);
		return INBOX_NOTHING;
	}
	(void)inbox_pop(inbox, items);
	if (items == &inbox->pulled && inbox_is_behind_pull(inbox, item)) {
		inbox->rules->let_go(item);
		return INBOX_NOTHING;
	}
	if (!known || item->seq > known->last)
		return inbox_hand_over(inbox, known, item, effect);
	inbox_advance_to_offset(inbox, item->offset);
	inbox->rules->let_go(item);
	return INBOX_NOTHING;
}

/* The first live message: its offset tells whether messages are missing before it. */
static enum inbox_action inbox_take_live(struct inbox *inbox, struct inbox_effect *effect)
{
	struct inbox_item *item = container_of(inbox->held.next, struct inbox_item, link);

	if (!inbox_is_of_connection(inbox, &inbox->at))
		item->offset = 0;
	if (item->offset && item->offset <= inbox->at.offset) {
		(void)inbox_pop(inbox, &inbox->held);
		inbox->rules->let_go(item);
		return INBOX_NOTHING;
	}
	if (item->offset > inbox->at.offset + 1 && inbox->accepted_gap != item->offset) {
		inbox->accepted_gap = item->offset;
		inbox->must_sync = true;
		return INBOX_NOTHING;
	}
	return inbox_take_message(inbox, &inbox->held, effect);
}

static enum inbox_action inbox_go_on_pulling(struct inbox *inbox, struct inbox_effect *effect)
{
	const struct pull *pull = container_of(inbox->pulls.next, struct pull, link);

	if (pull->is_exhausted || pull->conversation->last >= pull->to) {
		inbox_end_pull(inbox);
		return INBOX_NOTHING;
	}
	inbox->is_asking = inbox->is_pulling = true;
	effect->conversation = known_id(pull->conversation);
	effect->after_seq = pull->conversation->last;
	return INBOX_PULL;
}

static enum inbox_action inbox_end_page(struct inbox *inbox)
{
	inbox->page_is_open = false;
	if (inbox->is_reset)
		inbox_advance(inbox, &inbox->page_end);
	else
		inbox_advance_to_offset(inbox, inbox->page_end.offset);
	inbox->is_reset = false;
	return INBOX_NOTHING;
}

static enum inbox_action inbox_ask_for_sync(struct inbox *inbox, struct inbox_effect *effect)
{
	inbox->must_sync = inbox->is_pulling = false;
	inbox->is_asking = true;
	effect->from = inbox->at;
	return INBOX_SYNC;
}

static bool inbox_has_work(const struct inbox *inbox)
{
	return !list_is_empty(&inbox->pulled) || !list_is_empty(&inbox->pulls) || inbox->page_is_open || inbox->must_sync ||
	       !list_is_empty(&inbox->held);
}

/* Takes the oldest source first. Each step leaves less to do, except one that finds a gap and asks for it. */
static enum inbox_action inbox_step(struct inbox *inbox, struct inbox_effect *effect)
{
	if (!list_is_empty(&inbox->pulled))
		return inbox_take_message(inbox, &inbox->pulled, effect);
	if (!list_is_empty(&inbox->pulls))
		return inbox_go_on_pulling(inbox, effect);
	if (!list_is_empty(&inbox->synced))
		return inbox_take_message(inbox, &inbox->synced, effect);
	if (inbox->page_is_open)
		return inbox_end_page(inbox);
	if (inbox->must_sync)
		return inbox_ask_for_sync(inbox, effect);
	return inbox_take_live(inbox, effect);
}

enum inbox_action inbox_take(struct inbox *inbox, uint64_t now_ms, struct inbox_effect *effect)
{
	enum inbox_action action = INBOX_NOTHING;

	if (inbox->unsettled >= inbox->rules->settle_every || (inbox->settle_ms && now_ms >= inbox->settle_ms)) {
		uint64_t offset = inbox_can_ack(inbox);

		effect->offset = offset > inbox->acked ? offset : 0;
		inbox->acked = MAX(inbox->acked, offset);
		inbox->unsettled = 0;
		inbox->is_dirty = false;
		inbox->settle_ms = 0;
		return INBOX_SETTLE;
	}
	while (action == INBOX_NOTHING && !inbox->is_asking && inbox->untaken_count < inbox->rules->max_untaken &&
	       *inbox->connected_epoch && inbox_has_work(inbox))
		action = inbox_step(inbox, effect);
	if ((inbox->is_dirty || inbox->unsettled) && !inbox->settle_ms)
		inbox->settle_ms = now_ms + inbox->rules->settle_after_ms;
	return action;
}

const struct inbox_position *inbox_stored(const struct inbox *inbox,
                                          void (*each)(void *arg, struct str conversation, uint64_t seq), void *arg)
{
	const struct list *quiet = &inbox->conversations.quiet;

	for (const struct list *link = quiet->next; link != quiet; link = link->next) {
		const struct known *known = container_of(link, struct known, quiet);

		each(arg, known_id(known), known->taken);
	}
	return &inbox->taken;
}
