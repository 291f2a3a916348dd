#include "push/order/reorder_buffer.h"

#include "base/macros.h"

static struct outgoing *reorder_buffer_outgoing_of(const struct list *link)
{
	return container_of(link, struct outgoing, link);
}

void reorder_buffer_init(struct reorder_buffer *pending)
{
	list_init(&pending->messages);
	pending->whole = pending->whole_bytes = 0;
}

struct outgoing *reorder_buffer_first(const struct reorder_buffer *pending)
{
	return list_is_empty(&pending->messages) ? NULL : reorder_buffer_outgoing_of(pending->messages.next);
}

static void reorder_buffer_count_whole(struct reorder_buffer *pending, const struct outgoing *outgoing)
{
	pending->whole++;
	pending->whole_bytes += outgoing->bytes;
}

void reorder_buffer_add(struct reorder_buffer *pending, struct outgoing *outgoing)
{
	struct list *at = &pending->messages;
	bool is_full = pending->whole >= REORDER_MAX || pending->whole_bytes >= REORDER_MAX_BYTES;

	while (at->prev != &pending->messages && reorder_buffer_outgoing_of(at->prev)->seq > outgoing->seq)
		at = at->prev;
	list_insert_before(at, &outgoing->link);
	if (is_full && reorder_buffer_first(pending) != outgoing)
		outgoing_slim(outgoing);
	else
		reorder_buffer_count_whole(pending, outgoing);
}

enum reorder_buffer_fill reorder_buffer_fill(struct reorder_buffer *pending, struct outgoing *outgoing)
{
	struct list *at = pending->messages.next;

	while (at != &pending->messages && reorder_buffer_outgoing_of(at)->seq < outgoing->seq)
		at = at->next;
	struct outgoing *same = at != &pending->messages && reorder_buffer_outgoing_of(at)->seq == outgoing->seq ?
	                                reorder_buffer_outgoing_of(at) :
	                                NULL;
	if (same && !same->is_slim)
		return FILL_USELESS;
	if (same) {
		outgoing_take_content(same, outgoing);
		reorder_buffer_count_whole(pending, same);
		return FILL_REFILLED;
	}
	list_insert_before(at, &outgoing->link);
	reorder_buffer_count_whole(pending, outgoing);
	return FILL_NEW;
}

void reorder_buffer_remove(struct reorder_buffer *pending, struct outgoing *outgoing)
{
	list_remove(&outgoing->link);
	if (!outgoing->is_slim) {
		pending->whole--;
		pending->whole_bytes -= outgoing->bytes;
	}
}
