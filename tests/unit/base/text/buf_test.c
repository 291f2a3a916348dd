/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/text/buf.h"

static void an_empty_buffer_has_text_and_can_be_released_twice(void **state)
{
	struct buf buf = { 0 };
	(void)state;

	assert_int_equal(buf_str(&buf).len, 0);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf.len, 0);
	buf_release(&buf);
	buf_release(&buf);
}

static void appending_keeps_all_that_was_appended(void **state)
{
	struct buf buf = { 0 };
	(void)state;

	for (int i = 0; i < 100000; i++)
		buf_append_char(&buf, (char)('a' + i % 26));
	assert_int_equal(buf.len, 100000);
	for (size_t i = 0; i < buf.len; i++)
		assert_int_equal(buf.ptr[i], 'a' + i % 26);
	buf_release(&buf);
}

static void each_kind_is_written_as_it_reads(void **state)
{
	struct buf buf = { 0 };
	(void)state;

	buf_append(&buf, "ab", 2);
	buf_append(&buf, NULL, 0);
	buf_append_str(&buf, STR("cd"));
	buf_append_str(&buf, str_of(NULL, 0));
	buf_append_text(&buf, "ef ");
	buf_append_u64(&buf, 0);
	buf_append_char(&buf, ' ');
	buf_append_u64(&buf, UINT64_MAX);
	buf_append_char(&buf, ' ');
	buf_append_i64(&buf, INT64_MIN);
	buf_append_char(&buf, ' ');
	buf_append_i64(&buf, INT64_MAX);
	assert_string_equal(buf_text(&buf), "abcdef 0 18446744073709551615 -9223372036854775808 9223372036854775807");
	buf_release(&buf);
}

static void printing_grows_as_far_as_needed(void **state)
{
	struct buf buf = { 0 };
	char long_text[1000];
	(void)state;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	/* Every remainder of room: the terminator that printf wants must not get lost or counted. */
	for (int len = 0; len < 200; len++) {
		buf_printf(&buf, "%.*s", len, long_text);
		buf_append_char(&buf, ',');
	}
	buf_printf(&buf, "%s", long_text);
	assert_int_equal(buf.len, 199 * 200 / 2 + 200 + 999);
	assert_null(memchr(buf.ptr, '\0', buf.len));
	buf_release(&buf);
}

static void room_is_accounted_for_by_the_caller(void **state)
{
	struct buf buf = { 0 };
	(void)state;

	memcpy(buf_reserve(&buf, 1000), "abc", 3);
	assert_int_equal(buf.len, 0);
	buf.len = 3;
	assert_true(buf.cap >= 1000);
	assert_string_equal(buf_text(&buf), "abc");
	assert_non_null(buf_reserve(&buf, 0));
	buf_release(&buf);
}

static void clearing_keeps_the_memory(void **state)
{
	struct buf buf = { 0 };
	(void)state;

	buf_append_text(&buf, "something");
	const char *memory = buf.ptr;
	buf_clear(&buf);
	assert_int_equal(buf.len, 0);
	buf_append_text(&buf, "else");
	assert_ptr_equal(buf.ptr, memory);
	assert_string_equal(buf_text(&buf), "else");
	buf_release(&buf);
}

static void taking_leaves_an_empty_buffer_and_a_terminated_text(void **state)
{
	struct buf buf = { 0 };
	(void)state;

	buf_append_text(&buf, "mine");
	char *text = buf_take(&buf);
	assert_string_equal(text, "mine");
	assert_null(buf.ptr);
	assert_int_equal(buf.len + buf.cap, 0);
	free(text);
	text = buf_take(&buf);
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_has_text_and_can_be_released_twice),
		cmocka_unit_test(appending_keeps_all_that_was_appended),
		cmocka_unit_test(each_kind_is_written_as_it_reads),
		cmocka_unit_test(printing_grows_as_far_as_needed),
		cmocka_unit_test(room_is_accounted_for_by_the_caller),
		cmocka_unit_test(clearing_keeps_the_memory),
		cmocka_unit_test(taking_leaves_an_empty_buffer_and_a_terminated_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
