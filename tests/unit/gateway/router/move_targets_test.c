#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/macros.h"
#include "gateway/router/move_targets.h"

static uint64_t share_of(const struct elsewhere *elsewhere, const char *url)
{
	uint64_t count = 0;

	for (uint64_t draw = 0; draw < elsewhere->shares; draw++)
		count += strcmp(elsewhere_pick(elsewhere, draw), url) == 0;
	return count;
}

static void with_nowhere_to_go_nothing_is_picked(void **state)
{
	struct elsewhere elsewhere = { 0 };
	(void)state;

	elsewhere_divide(&elsewhere, 100);
	assert_int_equal(elsewhere.shares, 0);
	assert_null(elsewhere_pick(&elsewhere, 0));
	elsewhere_release(&elsewhere);
}

static void the_emptiest_are_filled_to_one_level(void **state)
{
	struct elsewhere elsewhere = { 0 };
	(void)state;

	elsewhere_add(&elsewhere, "ws://full/ws", 1000);
	elsewhere_add(&elsewhere, "wss://some/ws", 40);
	elsewhere_add(&elsewhere, "ws://few/ws", 10);
	elsewhere_add(&elsewhere, "ws://none/ws", 0);
	elsewhere_divide(&elsewhere, 100);
	assert_int_equal(share_of(&elsewhere, "ws://none/ws"), 50);
	assert_int_equal(share_of(&elsewhere, "ws://few/ws"), 40);
	assert_int_equal(share_of(&elsewhere, "wss://some/ws"), 10);
	assert_int_equal(share_of(&elsewhere, "ws://full/ws"), 0);
	elsewhere_release(&elsewhere);
}

static void every_division_leaves_nobody_behind(void **state)
{
	static const uint64_t loads[] = { 0, 1, 7, 100, UINT64_MAX };
	(void)state;

	for (uint64_t moving = 0; moving < 300; moving += 7) {
		for (unsigned set = 1; set < 1u << ARRAY_LEN(loads); set++) {
			struct elsewhere elsewhere = { 0 };

			for (size_t i = 0; i < ARRAY_LEN(loads); i++)
				if (set & 1u << i)
					elsewhere_add(&elsewhere, "ws://x/ws", loads[i]);
			elsewhere_divide(&elsewhere, moving);
			assert_true(elsewhere.shares >= moving && elsewhere.shares > 0);
			assert_non_null(elsewhere_pick(&elsewhere, elsewhere.shares - 1));
			assert_null(elsewhere_pick(&elsewhere, elsewhere.shares));
			elsewhere_release(&elsewhere);
		}
	}
}

static void what_is_no_websocket_or_too_long_or_too_much_is_left_out(void **state)
{
	struct elsewhere elsewhere = { 0 };
	char url[ELSEWHERE_URL_MAX + 2] = "ws://";
	(void)state;

	memset(url + 5, 'x', sizeof(url) - 6);
	elsewhere_add(&elsewhere, url, 1);
	elsewhere_add(&elsewhere, "", 1);
	elsewhere_add(&elsewhere, "http://x/ws", 1);
	assert_int_equal(elsewhere.count, 0);
	url[ELSEWHERE_URL_MAX] = '\0';
	for (int i = 0; i < ELSEWHERE_MAX + 1; i++)
		elsewhere_add(&elsewhere, url, 1);
	assert_int_equal(elsewhere.count, ELSEWHERE_MAX);
	elsewhere_release(&elsewhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_nowhere_to_go_nothing_is_picked),
		cmocka_unit_test(the_emptiest_are_filled_to_one_level),
		cmocka_unit_test(every_division_leaves_nobody_behind),
		cmocka_unit_test(what_is_no_websocket_or_too_long_or_too_much_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
