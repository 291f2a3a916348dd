/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/random.h"

static void all_of_the_bytes_are_drawn_and_none_behind_them(void **state)
{
	unsigned char drawn[301] = { 0 }, seen[300] = { 0 };
	(void)state;

	/* A byte that stays zero in 20 draws is one that is never written. */
	for (int i = 0; i < 20; i++) {
		random_bytes(drawn, 300);
		for (int at = 0; at < 300; at++)
			seen[at] |= drawn[at];
	}
	for (int at = 0; at < 300; at++)
		assert_int_not_equal(seen[at], 0);
	assert_int_equal(drawn[300], 0);
	assert_true(random_u64() != random_u64());
}

static void numbers_below_a_bound_are_even(void **state)
{
	int counts[5] = { 0 };
	(void)state;

	for (int i = 0; i < 10000; i++) {
		uint64_t number = random_below(5);
		assert_true(number < 5);
		counts[number]++;
	}
	/* 2000 expected, standard deviation 40. */
	for (int i = 0; i < 5; i++)
		assert_in_range(counts[i], 1600, 2400);
	assert_true(random_below(1) == 0);
	for (int i = 0; i < 100; i++)
		assert_true(random_below(UINT64_MAX) < UINT64_MAX);
}

static void hex_has_as_many_digits_as_asked_for(void **state)
{
	char text[40];
	(void)state;

	for (size_t digits = 0; digits < 32; digits++) {
		memset(text, '#', sizeof(text));
		random_hex(text, digits);
		assert_int_equal(strlen(text), digits);
		assert_int_equal(strspn(text, "0123456789abcdef"), digits);
		assert_int_equal(text[digits + 1], '#');
	}
}

static void every_hex_digit_is_drawn_anew(void **state)
{
	bool seen[7][16] = { 0 };
	char text[8];
	(void)state;

	for (int i = 0; i < 1000; i++) {
		random_hex(text, 7); /* odd: half of the last byte is wanted */
		for (int at = 0; at < 7; at++)
			seen[at][strcspn("0123456789abcdef", (char[]){ text[at], 0 })] = true;
	}
	for (int at = 0; at < 7; at++)
		for (int digit = 0; digit < 16; digit++)
			assert_true(seen[at][digit]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_bytes_are_drawn_and_none_behind_them),
		cmocka_unit_test(numbers_below_a_bound_are_even),
		cmocka_unit_test(hex_has_as_many_digits_as_asked_for),
		cmocka_unit_test(every_hex_digit_is_drawn_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
