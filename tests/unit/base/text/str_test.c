/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/text/str.h"

static void equal_compares_bytes_and_length(void **state)
{
	(void)state;
	assert_true(str_equal(STR("abc"), str_from("abc")));
	assert_false(str_equal(STR("abc"), STR("abd")));
	assert_false(str_equal(STR("abc"), STR("ab")));
	assert_true(str_equal(STR(""), str_of(NULL, 0)));
	assert_true(str_equal(STR("a\0b"), str_of("a\0b", 3)));
	assert_false(str_equal(STR("a\0b"), STR("a\0c")));
}

static void order_is_bytewise_and_a_prefix_comes_first(void **state)
{
	(void)state;
	assert_true(str_compare(STR("a"), STR("b")) < 0);
	assert_true(str_compare(STR("b"), STR("a")) > 0);
	assert_int_equal(str_compare(STR("a"), STR("a")), 0);
	assert_true(str_compare(STR("a"), STR("ab")) < 0);
	assert_true(str_compare(STR("ab"), STR("a")) > 0);
	assert_true(str_compare(STR("Z"), STR("a")) < 0);
	assert_true(str_compare(STR("a"), STR("\xff")) < 0);
	assert_int_equal(str_compare(str_of(NULL, 0), STR("")), 0);
	assert_true(str_compare(str_of(NULL, 0), STR("a")) < 0);
}

static void starts_with_looks_at_the_beginning_only(void **state)
{
	(void)state;
	assert_true(str_starts_with(STR("Bearer x"), STR("Bearer ")));
	assert_true(str_starts_with(STR("x"), STR("")));
	assert_true(str_starts_with(str_of(NULL, 0), STR("")));
	assert_false(str_starts_with(STR("Bear"), STR("Bearer ")));
	assert_false(str_starts_with(STR("a Bearer "), STR("Bearer ")));
}

static void letters_may_be_equal_in_any_case(void **state)
{
	(void)state;
	assert_true(str_equal_ignoring_case(STR("Content-Length"), STR("cONTENT-lENGTH")));
	assert_true(str_equal_ignoring_case(STR(""), str_of(NULL, 0)));
	assert_false(str_equal_ignoring_case(STR("Host"), STR("Hos")));
	assert_false(str_equal_ignoring_case(STR("Host"), STR("Port")));
	assert_false(str_equal_ignoring_case(STR("[a]"), STR("{a}")));
}

static void trimming_takes_blanks_off_both_ends_only(void **state)
{
	(void)state;
	assert_true(str_equal(str_trim(STR(" \t a b\t\r")), STR("a b")));
	assert_true(str_equal(str_trim(STR("ab")), STR("ab")));
	assert_int_equal(str_trim(STR(" \t\r ")).len, 0);
	assert_int_equal(str_trim(str_of(NULL, 0)).len, 0);
}

static void cutting_walks_through_all_parts_the_empty_ones_too(void **state)
{
	static const char *const parts[] = { "a", "", "bc", "" };
	struct str rest = STR("a,,bc,");
	size_t count = 0;
	(void)state;

	while (rest.ptr) {
		struct str part = str_cut(&rest, ',');
		assert_true(count < ARRAY_LEN(parts));
		assert_true(str_equal(part, str_from(parts[count++])));
	}
	assert_int_equal(count, ARRAY_LEN(parts));
	assert_int_equal(rest.len, 0);
}

static void a_copy_has_a_terminator_and_its_own_memory(void **state)
{
	char *copy = str_dup(str_of("abcdef", 3));
	char *empty = str_dup(str_of(NULL, 0));
	(void)state;

	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	free(copy);
	free(empty);
}

static void copying_into_a_place_too_small_leaves_it_empty(void **state)
{
	char place[4] = "xxx";
	(void)state;

	assert_true(str_copy(place, sizeof(place), STR("abc")));
	assert_string_equal(place, "abc");
	assert_false(str_copy(place, sizeof(place), STR("abcd")));
	assert_string_equal(place, "");
	assert_true(str_copy(place, 1, str_of(NULL, 0)));
	assert_false(str_copy(NULL, 0, STR("a")));
}

static void unsigned_numbers_are_read_up_to_the_last_one(void **state)
{
	static const char *const wrong[] = {
		"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616", "99999999999999999999", "1e3",
	};
	uint64_t number;
	(void)state;

	assert_true(str_to_u64(STR("0"), &number));
	assert_true(number == 0);
	assert_true(str_to_u64(STR("18446744073709551615"), &number));
	assert_true(number == UINT64_MAX);
	assert_true(str_to_u64(STR("007"), &number));
	assert_true(number == 7);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(str_to_u64(str_from(wrong[i]), &number));
	assert_false(str_to_u64(STR("1\0"), &number));
}

static void signed_numbers_are_read_from_the_first_to_the_last(void **state)
{
	static const char *const wrong[] = {
		"", "-", "--1", "+1", "9223372036854775808", "-9223372036854775809", "- 1",
	};
	int64_t number;
	(void)state;

	assert_true(str_to_i64(STR("-9223372036854775808"), &number));
	assert_true(number == INT64_MIN);
	assert_true(str_to_i64(STR("9223372036854775807"), &number));
	assert_true(number == INT64_MAX);
	assert_true(str_to_i64(STR("-0"), &number));
	assert_true(number == 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(str_to_i64(str_from(wrong[i]), &number));
}

/* From CPython 3.11, whose hash() of bytes is SipHash-1-3, with PYTHONHASHSEED=0. */
static void the_stable_hash_is_siphash_and_never_changes(void **state)
{
	char bytes[64];
	(void)state;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	assert_true(str_hash_stable(STR("a")) == 0x407448d2b89b1813u);
	assert_true(str_hash_stable(STR("alice")) == 0x11af1c347e79d641u);
	assert_true(str_hash_stable(STR("1234567")) == 0xa33d651594fdae81u);
	assert_true(str_hash_stable(STR("12345678")) == 0x3489982430560a87u);
	assert_true(str_hash_stable(STR("123456789")) == 0x0fbc0f0007965fcfu);
	assert_true(str_hash_stable(str_of(bytes, sizeof(bytes))) == 0x75e05fd5bbc870c6u);
}

static void *hash_alice(void *result)
{
	*(uint64_t *)result = str_hash(STR("alice"));
	return NULL;
}

static void all_threads_hash_under_one_key_that_is_not_the_fixed_one(void **state)
{
	pthread_t threads[4];
	uint64_t results[4];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_alice, &results[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_true(results[i] == str_hash(STR("alice")));
	assert_true(str_hash(STR("alice")) != str_hash_stable(STR("alice")));
	assert_true(str_hash(STR("alice")) != str_hash(STR("alicf")));
	assert_true(str_hash(STR("")) == str_hash(str_of(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: the threads race for drawing the key. */
		cmocka_unit_test(all_threads_hash_under_one_key_that_is_not_the_fixed_one),
		cmocka_unit_test(equal_compares_bytes_and_length),
		cmocka_unit_test(order_is_bytewise_and_a_prefix_comes_first),
		cmocka_unit_test(starts_with_looks_at_the_beginning_only),
		cmocka_unit_test(letters_may_be_equal_in_any_case),
		cmocka_unit_test(trimming_takes_blanks_off_both_ends_only),
		cmocka_unit_test(cutting_walks_through_all_parts_the_empty_ones_too),
		cmocka_unit_test(a_copy_has_a_terminator_and_its_own_memory),
		cmocka_unit_test(copying_into_a_place_too_small_leaves_it_empty),
		cmocka_unit_test(unsigned_numbers_are_read_up_to_the_last_one),
		cmocka_unit_test(signed_numbers_are_read_from_the_first_to_the_last),
		cmocka_unit_test(the_stable_hash_is_siphash_and_never_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
