#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/ring.h"

static void each_item_keeps_its_number_wherever_the_ring_began(void **state)
{
	(void)state;

	for (size_t capacity = 1; capacity <= 16; capacity *= 2) {
		for (uint64_t first = 0; first < 3 * capacity; first++) {
			uint64_t ring[16], doubled[32] = { 0 };

			for (uint64_t number = first; number < first + capacity; number++)
				ring[number & (capacity - 1)] = 1000 + number;
			ring_copy_doubled(doubled, ring, sizeof(ring[0]), capacity, first);
			for (uint64_t number = first; number < first + capacity; number++)
				assert_int_equal(doubled[number & (2 * capacity - 1)], 1000 + number);
		}
	}
}

static void numbers_may_be_as_large_as_a_counter_gets(void **state)
{
	uint64_t first = UINT64_MAX - 5;
	uint8_t ring[4], doubled[8] = { 0 };
	(void)state;

	for (uint8_t i = 0; i < 4; i++)
		ring[(first + i) & 3] = 10 + i;
	ring_copy_doubled(doubled, ring, 1, 4, first);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(doubled[(first + i) & 7], 10 + i);
}

static void an_empty_ring_has_nothing_to_copy(void **state)
{
	uint8_t to = 7;
	(void)state;

	ring_copy_doubled(&to, NULL, 1, 0, 0);
	assert_int_equal(to, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_item_keeps_its_number_wherever_the_ring_began),
		cmocka_unit_test(numbers_may_be_as_large_as_a_counter_gets),
		cmocka_unit_test(an_empty_ring_has_nothing_to_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
