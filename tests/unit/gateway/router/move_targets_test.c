#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/macros.h"
#include "gateway/router/move_targets.h"

static uint64_t share_of(const struct move_targets *targets, const char *url)
{
	uint64_t count = 0;

	for (uint64_t draw = 0; draw < targets->shares; draw++)
		count += strcmp(move_targets_pick(targets, draw), url) == 0;
	return count;
}

static void without_other_gateways_no_url_is_picked(void **state)
{
	struct move_targets targets = { 0 };
	(void)state;

	move_targets_divide(&targets, 100);
	assert_int_equal(targets.shares, 0);
	assert_null(move_targets_pick(&targets, 0));
	move_targets_release(&targets);
}

static void the_emptiest_gateways_are_filled_to_one_level(void **state)
{
	struct move_targets targets = { 0 };
	(void)state;

	move_targets_add(&targets, "ws://full/ws", 1000);
	move_targets_add(&targets, "wss://some/ws", 40);
	move_targets_add(&targets, "ws://few/ws", 10);
	move_targets_add(&targets, "ws://none/ws", 0);
	move_targets_divide(&targets, 100);
	assert_int_equal(share_of(&targets, "ws://none/ws"), 50);
	assert_int_equal(share_of(&targets, "ws://few/ws"), 40);
	assert_int_equal(share_of(&targets, "wss://some/ws"), 10);
	assert_int_equal(share_of(&targets, "ws://full/ws"), 0);
	move_targets_release(&targets);
}

static void every_division_has_a_share_for_each_connection(void **state)
{
	static const uint64_t loads[] = { 0, 1, 7, 100, UINT64_MAX };
	(void)state;

	for (uint64_t moving = 0; moving < 300; moving += 7) {
		for (unsigned set = 1; set < 1u << ARRAY_LEN(loads); set++) {
			struct move_targets targets = { 0 };

			for (size_t i = 0; i < ARRAY_LEN(loads); i++)
				if (set & 1u << i)
					move_targets_add(&targets, "ws://x/ws", loads[i]);
			move_targets_divide(&targets, moving);
			assert_true(targets.shares >= moving && targets.shares > 0);
			assert_non_null(move_targets_pick(&targets, targets.shares - 1));
			assert_null(move_targets_pick(&targets, targets.shares));
			move_targets_release(&targets);
		}
	}
}

static void other_urls_long_urls_and_gateways_over_the_limit_are_ignored(void **state)
{
	struct move_targets targets = { 0 };
	char url[MOVE_TARGETS_URL_MAX + 2] = "ws://";
	(void)state;

	memset(url + 5, 'x', sizeof(url) - 6);
	move_targets_add(&targets, url, 1);
	move_targets_add(&targets, "", 1);
	move_targets_add(&targets, "http://x/ws", 1);
	assert_int_equal(targets.count, 0);
	url[MOVE_TARGETS_URL_MAX] = '\0';
	for (int i = 0; i < MOVE_TARGETS_MAX + 1; i++)
		move_targets_add(&targets, url, 1);
	assert_int_equal(targets.count, MOVE_TARGETS_MAX);
	move_targets_release(&targets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_other_gateways_no_url_is_picked),
		cmocka_unit_test(the_emptiest_gateways_are_filled_to_one_level),
		cmocka_unit_test(every_division_has_a_share_for_each_connection),
		cmocka_unit_test(other_urls_long_urls_and_gateways_over_the_limit_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
