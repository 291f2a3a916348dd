/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/http/trace_context.h"

static void a_well_formed_traceparent_is_passed_on(void **state)
{
	static const char *const good[] = {
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(str_equal(traceparent_or_none(str_from(good[i])), str_from(good[i])));
}

static void anything_else_is_dropped(void **state)
{
	static const char *const bad[] = {
		"",
		"00",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
		"00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-a\nb",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(traceparent_or_none(str_from(bad[i])).len, 0);
}

static void a_traceparent_that_is_too_long_is_dropped(void **state)
{
	char header[130] = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-";
	(void)state;

	memset(header + strlen(header), 'x', 128 - strlen(header));
	assert_int_equal(traceparent_or_none(str_of(header, 128)).len, 128);
	header[128] = 'x';
	assert_int_equal(traceparent_or_none(str_of(header, 129)).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_well_formed_traceparent_is_passed_on),
		cmocka_unit_test(anything_else_is_dropped),
		cmocka_unit_test(a_traceparent_that_is_too_long_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
