#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "gateway/session/opening.h"

static void expect_position(struct opening *opening, bool is_lost, uint64_t position)
{
	assert_int_equal(opening_is_lost(opening), is_lost);
	assert_int_equal(opening_first_position(opening), position);
	opening_free(opening);
}

static struct opening *at(bool has_position, uint64_t client_epoch, uint64_t client_offset)
{
	struct opening *opening = opening_new(has_position, client_epoch, client_offset);

	opening->epoch = 5;
	opening->head = 40;
	return opening;
}

static void the_first_position_is_the_clients_if_the_inbox_has_it_and_the_head_otherwise(void **state)
{
	(void)state;
	expect_position(at(false, 0, 0), false, 40);
	expect_position(at(true, 5, 30), false, 30);
	expect_position(at(true, 5, 40), false, 40);
	expect_position(at(true, 5, 41), true, 40);
	expect_position(at(true, 4, 30), true, 40);
	expect_position(at(true, 0, 30), true, 40);
}

static void kept_frames_come_back_in_order_empty_ones_too(void **state)
{
	struct opening *opening = opening_new(false, 0, 0);
	struct str rest, frame;
	(void)state;

	assert_true(opening_keep_frame(opening, STR("one")));
	assert_true(opening_keep_frame(opening, STR("")));
	assert_true(opening_keep_frame(opening, STR("three")));
	rest = buf_str(&opening->early);
	assert_true(opening_next_frame(&rest, &frame) && str_equal(frame, STR("one")));
	assert_true(opening_next_frame(&rest, &frame) && str_equal(frame, STR("")));
	assert_true(opening_next_frame(&rest, &frame) && str_equal(frame, STR("three")));
	assert_false(opening_next_frame(&rest, &frame));
	opening_free(opening);
}

static void frames_over_either_limit_are_not_kept(void **state)
{
	static char large[OPENING_EARLY_BYTES_MAX];
	struct opening *many = opening_new(false, 0, 0), *long_ones = opening_new(false, 0, 0);
	(void)state;

	for (int i = 0; i < OPENING_EARLY_FRAMES_MAX; i++)
		assert_true(opening_keep_frame(many, STR("x")));
	assert_false(opening_keep_frame(many, STR("x")));
	assert_false(opening_keep_frame(long_ones, str_of(large, sizeof(large) - 3)));
	assert_true(opening_keep_frame(long_ones, str_of(large, sizeof(large) - 4)));
	assert_false(opening_keep_frame(long_ones, STR("")));
	opening_free(many);
	opening_free(long_ones);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_position_is_the_clients_if_the_inbox_has_it_and_the_head_otherwise),
		cmocka_unit_test(kept_frames_come_back_in_order_empty_ones_too),
		cmocka_unit_test(frames_over_either_limit_are_not_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
