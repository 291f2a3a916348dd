#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/out_queue.h"

static const struct out_limits wide = { .max_bytes = 1u << 30, .max_entries = 1u << 20 };

static char things[5000];

static err_t append(struct out_queue *queue, const struct out_limits *limits, uint64_t number, uint32_t bytes)
{
	return out_queue_append(queue, limits,
	                        &(struct out_entry){ .ref = &things[number], .offset = number, .bytes = bytes });
}

static void pop_expecting(struct out_queue *queue, uint64_t number)
{
	const struct out_entry *entry = out_queue_first(queue);

	assert_non_null(entry);
	assert_int_equal(entry->offset, number);
	assert_ptr_equal(entry->ref, &things[number]);
	out_queue_pop(queue);
}

static void entries_come_out_in_the_order_they_went_in(void **state)
{
	struct out_queue queue = { 0 };
	uint64_t in = 0, out = 0;
	(void)state;

	/* Steps in which the ring wraps at each of its sizes. */
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 20; i++)
			assert_int_equal(append(&queue, &wide, in++, 7), OK);
		for (int i = 0; i < 13; i++)
			pop_expecting(&queue, out++);
		assert_int_equal(out_queue_entries(&queue), in - out);
		assert_int_equal(out_queue_bytes(&queue), 7 * (in - out));
	}
	while (out < in)
		pop_expecting(&queue, out++);
	assert_true(out_queue_is_empty(&queue));
	assert_null(queue.ring);
}

static void an_empty_queue_has_no_entry_and_no_memory(void **state)
{
	struct out_queue queue = { 0 };
	(void)state;

	assert_int_equal(sizeof(queue), sizeof(void *));
	assert_null(out_queue_first(&queue));
	assert_int_equal(out_queue_bytes(&queue), 0);
	assert_int_equal(append(&queue, &wide, 1, 1), OK);
	pop_expecting(&queue, 1);
	assert_null(queue.ring);
}

static void it_is_full_at_the_limit_of_bytes_and_has_room_after_a_pop(void **state)
{
	static const struct out_limits limits = { .max_bytes = 100, .max_entries = 1000 };
	struct out_queue queue = { 0 };
	(void)state;

	assert_int_equal(append(&queue, &limits, 0, 60), OK);
	assert_int_equal(append(&queue, &limits, 1, 41), ERR_FULL);
	assert_int_equal(append(&queue, &limits, 1, 40), OK);
	assert_int_equal(append(&queue, &limits, 2, 1), ERR_FULL);
	assert_int_equal(append(&queue, &limits, 2, UINT32_MAX), ERR_FULL);
	pop_expecting(&queue, 0);
	assert_int_equal(append(&queue, &limits, 2, 60), OK);
	pop_expecting(&queue, 1);
	pop_expecting(&queue, 2);
}

static void it_is_full_at_the_limit_of_entries(void **state)
{
	static const struct out_limits limits = { .max_bytes = 1000, .max_entries = 10 };
	struct out_queue queue = { 0 };
	(void)state;

	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(append(&queue, &limits, i, 1), OK);
	assert_int_equal(append(&queue, &limits, 10, 1), ERR_FULL);
	assert_int_equal(out_queue_entries(&queue), 10);
	for (uint64_t i = 0; i < 10; i++)
		pop_expecting(&queue, i);
}

static void an_entry_alone_may_exceed_the_limit(void **state)
{
	static const struct out_limits limits = { .max_bytes = 100, .max_entries = 10 };
	struct out_queue queue = { 0 };
	(void)state;

	assert_int_equal(append(&queue, &limits, 0, 5000), OK);
	assert_int_equal(append(&queue, &limits, 1, 1), ERR_FULL);
	pop_expecting(&queue, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_out_in_the_order_they_went_in),
		cmocka_unit_test(an_empty_queue_has_no_entry_and_no_memory),
		cmocka_unit_test(it_is_full_at_the_limit_of_bytes_and_has_room_after_a_pop),
		cmocka_unit_test(it_is_full_at_the_limit_of_entries),
		cmocka_unit_test(an_entry_alone_may_exceed_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
