#include "im/entries/batch_queue.h"

#include <assert.h>
#include <stdlib.h>

void batch_queue_init(struct batch_queue *queue)
{
	list_init(&queue->waiting);
	queue->len = 0;
}

void batch_queue_push(struct batch_queue *queue, struct send *send)
{
	list_push_back(&queue->waiting, &send->link);
	queue->len++;
}

struct send *batch_queue_first(const struct batch_queue *queue)
{
	return list_is_empty(&queue->waiting) ? NULL : container_of(queue->waiting.next, struct send, link);
}

void batch_queue_remove(struct batch_queue *queue, struct send *send)
{
	list_remove(&send->link);
	queue->len--;
}

/* A send that might go into a batch, and where it stood. */
struct candidate {
	struct send *send;
	unsigned position;
};

static int compare_keys(const struct send *a, const struct send *b)
{
	int order = str_compare(a->conversation, b->conversation);

	if (order == 0)
		order = str_compare(a->sender, b->sender);
	if (order == 0)
		order = str_compare(a->client_msg_id, b->client_msg_id);
	return order;
}

static int compare_positions(const struct candidate *a, const struct candidate *b)
{
	return a->position < b->position ? -1 : a->position > b->position;
}

static int by_key(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int order = compare_keys(a->send, b->send);

	return order ? order : compare_positions(a, b);
}

static int by_conversation(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int order = str_compare(a->send->conversation, b->send->conversation);

	return order ? order : compare_positions(a, b);
}

/* Keeps the first use of each key; returns how many there are. */
static unsigned drop_repeats(struct candidate *candidates, unsigned count)
{
	unsigned kept = 0;

	qsort(candidates, count, sizeof(*candidates), by_key);
	for (unsigned i = 0; i < count; i++) {
		if (kept == 0 || compare_keys(candidates[kept - 1].send, candidates[i].send) != 0)
			candidates[kept++] = candidates[i];
	}
	return kept;
}

static void add(struct batch *batch, struct send *send)
{
	unsigned last = batch->conversation_count - 1;

	if (batch->conversation_count == 0 || !str_equal(batch->conversations[last], send->conversation))
		batch->conversations[batch->conversation_count++] = send->conversation;
	batch->conversation_of[batch->len] = (int)batch->conversation_count - 1;
	batch->sends[batch->len++] = send;
}

void batch_queue_take(struct batch_queue *queue, struct batch *batch, unsigned max)
{
	struct candidate candidates[BATCH_MAX];
	unsigned count = 0;

	assert(max > 0 && max <= BATCH_MAX);
	batch->len = 0;
	batch->conversation_count = 0;
	for (struct list *link = queue->waiting.next; link != &queue->waiting && count < max; link = link->next) {
		candidates[count] = (struct candidate){ container_of(link, struct send, link), count };
		count++;
	}
	count = drop_repeats(candidates, count);
	qsort(candidates, count, sizeof(*candidates), by_conversation);
	for (unsigned i = 0; i < count; i++) {
		batch_queue_remove(queue, candidates[i].send);
		add(batch, candidates[i].send);
	}
}

void batch_queue_put_back(struct batch_queue *queue, struct batch *batch)
{
	for (unsigned i = batch->len; i-- > 0;) {
		struct send *send = batch->sends[i];
		if (!send)
			continue;
		list_push_front(&queue->waiting, &send->link);
		queue->len++;
	}
	batch->len = 0;
}
