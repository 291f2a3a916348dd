/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "im/entries/batch_queue.h"
#include "im/messages/send_entry.h"

static struct entry *make(const char *sender, const char *to, const char *key)
{
	struct send_request request = {
		.client_msg_id = str_from(key),
		.user = str_from(to),
		.type = STR("text"),
	};

	buf_append_text(&request.body, "{}");
	struct entry *entry = send_entry_new(&request, &(struct entry_caller){ .uid = str_from(sender) }, false);
	send_request_release(&request);
	return entry;
}

static struct entry *push(struct batch_queue *queue, const char *sender, const char *to, const char *key)
{
	struct entry *entry = make(sender, to, key);

	batch_queue_push(queue, entry);
	return entry;
}

static struct entry *push_of_job(struct batch_queue *queue, const char *to)
{
	struct entry *entry = make("system", to, "job");

	entry->is_of_job = true;
	batch_queue_push(queue, entry);
	return entry;
}

static void free_batch(struct batch *batch)
{
	for (unsigned i = 0; i < batch->len; i++)
		entry_free(batch->entries[i]);
}

static void a_batch_is_grouped_by_conversation_and_keeps_the_order_within(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *first = push(&queue, "x", "y", "9");
	struct entry *other = push(&queue, "b", "a", "5");
	struct entry *second = push(&queue, "y", "x", "1");
	struct entry *third = push(&queue, "x", "y", "3");
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(queue.len, 0);
	assert_int_equal(batch.len, 4);
	assert_int_equal(batch.conversation_count, 2);
	assert_true(str_equal(batch.conversations[0], STR("u:a:b")));
	assert_true(str_equal(batch.conversations[1], STR("u:x:y")));
	assert_ptr_equal(batch.entries[0], other);
	assert_ptr_equal(batch.entries[1], first);
	assert_ptr_equal(batch.entries[2], second);
	assert_ptr_equal(batch.entries[3], third);
	for (unsigned i = 0; i < batch.len; i++)
		assert_int_equal(batch.conversation_of[i], i == 0 ? 0 : 1);
	free_batch(&batch);
}

static void a_batch_takes_no_more_than_asked_from_the_front(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *first = push(&queue, "z", "z", "1");
	struct entry *second = push(&queue, "b", "a", "2");
	struct entry *third = push(&queue, "a", "a", "3");
	batch_queue_take(&queue, &batch, 2);
	assert_int_equal(batch.len, 2);
	assert_ptr_equal(batch.entries[0], second);
	assert_ptr_equal(batch.entries[1], first);
	assert_int_equal(queue.len, 1);
	assert_ptr_equal(batch_queue_first(&queue), third);
	free_batch(&batch);
	entry_free(third);
}

static void a_key_used_twice_is_in_two_batches(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *first = push(&queue, "a", "b", "k");
	struct entry *repeat = push(&queue, "a", "b", "k");
	struct entry *of_another = push(&queue, "b", "a", "k");
	struct entry *elsewhere = push(&queue, "a", "c", "k");
	struct entry *again = push(&queue, "a", "b", "k");
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 3);
	assert_ptr_equal(batch.entries[0], first);
	assert_ptr_equal(batch.entries[1], of_another);
	assert_ptr_equal(batch.entries[2], elsewhere);
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.entries[0], repeat);
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.entries[0], again);
	free_batch(&batch);
	assert_null(batch_queue_first(&queue));
}

static void entries_put_back_come_first_again_in_their_order(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *first = push(&queue, "a", "b", "1");
	struct entry *second = push(&queue, "a", "b", "2");
	struct entry *third = push(&queue, "a", "b", "3");
	batch_queue_take(&queue, &batch, 64);
	struct entry *later = push(&queue, "a", "b", "4");
	batch.entries[1] = NULL; /* ended */
	batch_queue_put_back(&queue, &batch);
	assert_int_equal(queue.len, 3);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 3);
	assert_ptr_equal(batch.entries[0], first);
	assert_ptr_equal(batch.entries[1], third);
	assert_ptr_equal(batch.entries[2], later);
	free_batch(&batch);
	entry_free(second);
}

static void an_entry_of_a_user_goes_before_those_of_jobs_that_were_in_no_batch_yet(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *tried = push_of_job(&queue, "a");
	batch_queue_take(&queue, &batch, 1);
	tried->id = 1;
	struct entry *of_job = push_of_job(&queue, "b");
	batch_queue_put_back(&queue, &batch);
	struct entry *first = push(&queue, "b", "system", "1");
	struct entry *last_of_job = push_of_job(&queue, "c");
	struct entry *second = push(&queue, "b", "system", "2");
	assert_int_equal(queue.len, 5);
	assert_int_equal(queue.of_jobs, 3);
	struct entry *const expected[] = { tried, first, second, of_job, last_of_job };
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		batch_queue_take(&queue, &batch, 1);
		assert_ptr_equal(batch.entries[0], expected[i]);
		free_batch(&batch);
	}
	assert_int_equal(queue.of_jobs, 0);
}

/* A kind of entry that goes alone. */
static const struct entry_kind alone = { .is_alone = true };

static struct entry *push_alone(struct batch_queue *queue, const char *conversation)
{
	struct entry *entry = entry_new(&alone, sizeof(*entry), str_from(conversation), &(struct entry_caller){ 0 }, NULL, 0);

	batch_queue_push(queue, entry);
	return entry;
}

static void an_entry_that_goes_alone_keeps_its_place_in_its_conversation(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *before = push(&queue, "a", "b", "1");
	struct entry *change = push_alone(&queue, "u:a:b");
	struct entry *behind = push(&queue, "a", "b", "2");
	struct entry *elsewhere = push(&queue, "a", "c", "1");
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 2);
	assert_ptr_equal(batch.entries[0], before);
	assert_ptr_equal(batch.entries[1], elsewhere);
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.entries[0], change);
	assert_true(str_equal(batch.conversations[0], STR("u:a:b")));
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.entries[0], behind);
	free_batch(&batch);
	assert_int_equal(queue.len, 0);
}

static void two_entries_that_go_alone_are_two_batches(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct entry *first = push_alone(&queue, "u:a:b");
	struct entry *second = push_alone(&queue, "u:a:a");
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.entries[0], first);
	batch_queue_put_back(&queue, &batch); /* it is in doubt: it comes first again */
	batch_queue_take(&queue, &batch, 64);
	assert_ptr_equal(batch.entries[0], first);
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_ptr_equal(batch.entries[0], second);
	free_batch(&batch);
}

#define MIXED 2000

/* Random entries of few conversations, of both kinds; each batch may be put back in part. */
static void entries_of_a_conversation_leave_in_the_order_in_which_they_came(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	uint64_t last[5] = { 0 };
	unsigned taken = 0, seed = 4711;
	(void)state;

	batch_queue_init(&queue);
	for (uint64_t number = 1; number <= MIXED; number++) {
		char key[24], to[2] = { (char)('a' + rand_r(&seed) % 5), 0 }, id[8];
		snprintf(key, sizeof(key), "%llu", (unsigned long long)number);
		snprintf(id, sizeof(id), "u:a:%s", to);
		struct entry *entry = rand_r(&seed) % 4 ? push(&queue, "a", to, key) : push_alone(&queue, id);
		entry->id = number;
	}
	while (queue.len) {
		batch_queue_take(&queue, &batch, 1 + (unsigned)rand_r(&seed) % 30);
		assert_in_range(batch.len, 1, 30);
		if (rand_r(&seed) % 3 == 0) {
			batch_queue_put_back(&queue, &batch);
			continue;
		}
		taken += batch.len;
		for (unsigned i = 0; i < batch.len; i++) {
			struct entry *entry = batch.entries[i];
			uint64_t *last_id = &last[entry->conversation.ptr[4] - 'a'];
			assert_true(entry->id > *last_id);
			*last_id = entry->id;
		}
		free_batch(&batch);
	}
	assert_int_equal(taken, MIXED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_is_grouped_by_conversation_and_keeps_the_order_within),
		cmocka_unit_test(a_batch_takes_no_more_than_asked_from_the_front),
		cmocka_unit_test(a_key_used_twice_is_in_two_batches),
		cmocka_unit_test(entries_put_back_come_first_again_in_their_order),
		cmocka_unit_test(an_entry_of_a_user_goes_before_those_of_jobs_that_were_in_no_batch_yet),
		cmocka_unit_test(an_entry_that_goes_alone_keeps_its_place_in_its_conversation),
		cmocka_unit_test(two_entries_that_go_alone_are_two_batches),
		cmocka_unit_test(entries_of_a_conversation_leave_in_the_order_in_which_they_came),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
