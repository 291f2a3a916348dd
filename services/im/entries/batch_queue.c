#include "im/entries/batch_queue.h"

#include <assert.h>
#include <stdlib.h>

void batch_queue_init(struct batch_queue *queue)
{
	list_init(&queue->waiting);
	queue->len = queue->of_jobs = 0;
}

static struct entry *batch_queue_entry(struct list *link)
{
	return container_of(link, struct entry, link);
}

static void batch_queue_insert(struct batch_queue *queue, struct list *before, struct entry *entry)
{
	list_insert_before(before, &entry->link);
	queue->len++;
	queue->of_jobs += entry->is_of_job;
}

/* Whether entries of users may go before this one: the outcome of one that has been in a batch may be in doubt. */
static bool batch_queue_lets_pass(const struct entry *entry)
{
	return entry->is_of_job && entry->id == 0;
}

void batch_queue_push(struct batch_queue *queue, struct entry *entry)
{
	struct list *before = &queue->waiting;

	if (!entry->is_of_job) {
		while (before->prev != &queue->waiting && batch_queue_lets_pass(batch_queue_entry(before->prev)))
			before = before->prev;
	}
	batch_queue_insert(queue, before, entry);
}

struct entry *batch_queue_first(const struct batch_queue *queue)
{
	return list_is_empty(&queue->waiting) ? NULL : batch_queue_entry(queue->waiting.next);
}

void batch_queue_remove(struct batch_queue *queue, struct entry *entry)
{
	list_remove(&entry->link);
	queue->len--;
	queue->of_jobs -= entry->is_of_job;
}

/* An entry that may go into a batch, and its position in the queue. */
struct candidate {
	struct entry *entry;
	unsigned position;
};

static int batch_queue_compare_keys(const struct entry *a, const struct entry *b)
{
	int order = str_compare(a->conversation, b->conversation);

	return order ? order : a->kind->compare(a, b);
}

static int batch_queue_by_key(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int order = batch_queue_compare_keys(a->entry, b->entry);

	return order ? order : a->position < b->position ? -1 : a->position > b->position;
}

static int batch_queue_by_conversation(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int order = str_compare(a->entry->conversation, b->entry->conversation);

	return order ? order : a->position < b->position ? -1 : a->position > b->position;
}

/* Whether the entry may be in a batch of which `first` is one. */
static bool batch_queue_goes_with(const struct entry *entry, const struct entry *first)
{
	if (entry->kind->is_alone || first->kind->is_alone)
		return entry == first;
	return entry->kind->statement == first->kind->statement;
}

/* Keeps the entries of each conversation that stand before its first one that must not go with `first`; returns how many. */
static unsigned batch_queue_drop_others(struct candidate *candidates, unsigned count, const struct entry *first)
{
	unsigned kept = 0;
	bool is_passed_over = false;

	qsort(candidates, count, sizeof(*candidates), batch_queue_by_conversation);
	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && !str_equal(candidates[i - 1].entry->conversation, candidates[i].entry->conversation))
			is_passed_over = false;
		is_passed_over |= !batch_queue_goes_with(candidates[i].entry, first);
		if (!is_passed_over)
			candidates[kept++] = candidates[i];
	}
	return kept;
}

/* Of entries with the same key keeps the first; returns how many are kept. */
static unsigned batch_queue_drop_repeats(struct candidate *candidates, unsigned count)
{
	unsigned kept = 0;

	qsort(candidates, count, sizeof(*candidates), batch_queue_by_key);
	for (unsigned i = 0; i < count; i++) {
		if (kept == 0 || batch_queue_compare_keys(candidates[kept - 1].entry, candidates[i].entry) != 0)
			candidates[kept++] = candidates[i];
	}
	return kept;
}

/* Chooses the entries for a batch among the first `max` of a queue that is not empty; returns how many. */
static unsigned batch_queue_choose(const struct batch_queue *queue, struct candidate *candidates, unsigned max)
{
	const struct entry *first = batch_queue_first(queue);
	unsigned count = 0;
	bool has_others = false;

	if (first->kind->is_alone)
		max = 1;
	for (struct list *link = queue->waiting.next; link != &queue->waiting && count < max; link = link->next) {
		candidates[count] = (struct candidate){ batch_queue_entry(link), count };
		has_others |= !batch_queue_goes_with(candidates[count].entry, first);
		count++;
	}
	if (has_others)
		count = batch_queue_drop_others(candidates, count, first);
	return first->kind->compare ? batch_queue_drop_repeats(candidates, count) : count;
}

void batch_queue_take(struct batch_queue *queue, struct batch *batch, unsigned max)
{
	struct candidate candidates[BATCH_MAX];

	assert(max > 0 && max <= BATCH_MAX);
	batch->len = 0;
	batch->conversation_count = 0;
	if (!batch_queue_first(queue))
		return;
	unsigned count = batch_queue_choose(queue, candidates, max);
	qsort(candidates, count, sizeof(*candidates), batch_queue_by_conversation);
	for (unsigned i = 0; i < count; i++) {
		struct entry *entry = candidates[i].entry;
		batch_queue_remove(queue, entry);
		if (batch->conversation_count == 0 ||
		    !str_equal(batch->conversations[batch->conversation_count - 1], entry->conversation))
			batch->conversations[batch->conversation_count++] = entry->conversation;
		batch->conversation_of[batch->len] = (int)batch->conversation_count - 1;
		batch->entries[batch->len++] = entry;
	}
}

void batch_queue_put_back(struct batch_queue *queue, struct batch *batch)
{
	for (unsigned i = batch->len; i-- > 0;) {
		if (batch->entries[i])
			batch_queue_insert(queue, queue->waiting.next, batch->entries[i]);
	}
	batch->len = 0;
}
