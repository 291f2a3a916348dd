#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/sequencer.h"

#define EPOCH_A 0xa

static unsigned counted;

static void count(void *item)
{
	(void)item;
	counted++;
}

static enum sequencer_action take_record(struct sequencer *s, uint64_t offset, uint32_t bytes)
{
	return sequencer_record(s, &(struct sequencer_record){ EPOCH_A, offset, s, bytes, 0, false }, 0);
}

static void held_bytes_are_bounded_and_the_other_records_are_read(void **state)
{
	static const struct sequencer_rules rules = { .max_held = 100, .max_held_bytes = 1000, .max_hole_ms = 1, .let_go = count };
	struct sequencer s;
	struct sequencer_effect effect;
	(void)state;

	counted = 0;
	sequencer_init(&s, &rules);
	sequencer_start(&s, EPOCH_A, 1, 0);
	for (uint64_t offset = 3; offset <= 12; offset++)
		assert_int_equal(take_record(&s, offset, 100), SEQUENCER_HOLD);
	assert_int_equal(take_record(&s, 13, 1), SEQUENCER_FORGET);
	assert_int_equal(counted, 0);
	assert_int_equal(take_record(&s, 2, 100), SEQUENCER_HOLD); /* in the place of 12 */
	assert_int_equal(counted, 1);
	assert_int_equal(sequencer_take(&s, 0, &effect), SEQUENCER_NOTHING);
	assert_int_equal(take_record(&s, 1, 100), SEQUENCER_SEND);
	for (uint64_t offset = 2; offset <= 11; offset++) {
		assert_int_equal(sequencer_take(&s, 0, &effect), SEQUENCER_SEND);
		assert_int_equal(effect.record.offset, offset);
	}
	assert_int_equal(sequencer_take(&s, 1, &effect), SEQUENCER_NEED_FILL);
	assert_int_equal(effect.from, 12);
	assert_int_equal(effect.to, 13);
	sequencer_release(&s);
}

static void while_a_hole_is_read_no_other_is_asked_for_and_at_once_after_it(void **state)
{
	static const struct sequencer_rules rules = { .max_held = 9, .max_held_bytes = 1000, .max_hole_ms = 5, .let_go = count };
	struct sequencer s;
	struct sequencer_effect effect;
	(void)state;

	sequencer_init(&s, &rules);
	sequencer_start(&s, EPOCH_A, 1, 0);
	sequencer_learn(&s, EPOCH_A, 9, 10);
	assert_int_equal(sequencer_take(&s, 15, &effect), SEQUENCER_NEED_FILL);
	assert_int_equal(take_record(&s, 1, 1), SEQUENCER_SEND);
	assert_int_equal(take_record(&s, 3, 1), SEQUENCER_HOLD);
	assert_int_equal(sequencer_deadline(&s), 0);
	assert_int_equal(sequencer_take(&s, 99, &effect), SEQUENCER_NOTHING);
	sequencer_fill_ended(&s, 99);
	assert_int_equal(sequencer_take(&s, 99, &effect), SEQUENCER_NEED_FILL);
	assert_int_equal(effect.from, 2);
	assert_int_equal(effect.to, 2);
	sequencer_release(&s);
}

static void a_jump_leaves_earlier_records_to_the_client(void **state)
{
	static const struct sequencer_rules rules = { .max_held = 9, .max_held_bytes = 1000, .max_hole_ms = 5, .let_go = count };
	struct sequencer s;
	struct sequencer_effect effect;
	(void)state;

	counted = 0;
	sequencer_init(&s, &rules);
	sequencer_start(&s, EPOCH_A, 1, 0);
	sequencer_learn(&s, EPOCH_A, 5, 0);
	sequencer_begin_fill(&s);
	for (uint64_t offset = 4; offset <= 7; offset++)
		assert_int_equal(take_record(&s, offset, 1), SEQUENCER_HOLD);
	sequencer_jump(&s, 6, 0);
	assert_int_equal(counted, 2);
	for (uint64_t offset = 6; offset <= 7; offset++) {
		assert_int_equal(sequencer_take(&s, 0, &effect), SEQUENCER_SEND);
		assert_int_equal(effect.record.offset, offset);
	}
	assert_int_equal(sequencer_take(&s, 99, &effect), SEQUENCER_NOTHING);
	sequencer_release(&s);
}

static void a_paused_sequencer_holds_no_record_and_remembers_the_highest_number(void **state)
{
	static const struct sequencer_rules rules = { .max_held = 9, .max_held_bytes = 1000, .max_hole_ms = 5, .let_go = count };
	struct sequencer s;
	struct sequencer_effect effect;
	(void)state;

	counted = 0;
	sequencer_init(&s, &rules);
	sequencer_start(&s, EPOCH_A, 1, 0);
	assert_int_equal(take_record(&s, 3, 1), SEQUENCER_HOLD);
	sequencer_pause(&s);
	assert_int_equal(counted, 1);
	assert_int_equal(take_record(&s, 1, 1), SEQUENCER_FORGET);
	assert_int_equal(take_record(&s, 90, 1), SEQUENCER_FORGET);
	assert_null(s.hold);
	assert_int_equal(sequencer_deadline(&s), 0);
	assert_int_equal(sequencer_reach(&s), 90);
	assert_int_equal(sequencer_given_out(&s), 0);
	sequencer_resume(&s, 7);
	assert_int_equal(sequencer_take(&s, 7, &effect), SEQUENCER_NEED_FILL);
	assert_int_equal(effect.from, 1);
	assert_int_equal(effect.to, 90);
	sequencer_release(&s);
}

static void records_held_at_the_end_are_let_go(void **state)
{
	static const struct sequencer_rules rules = { .max_held = 9, .max_held_bytes = 1000, .max_hole_ms = 1, .let_go = count };
	struct sequencer s;
	(void)state;

	counted = 0;
	sequencer_init(&s, &rules);
	for (uint64_t offset = 1; offset <= 3; offset++)
		assert_int_equal(sequencer_record(&s, &(struct sequencer_record){ EPOCH_A, offset, &s, 1, 0, false }, 0),
		                 SEQUENCER_HOLD);
	sequencer_release(&s);
	assert_int_equal(counted, 3);
}

static void an_idle_sequencer_takes_64_bytes(void **state)
{
	(void)state;
	assert_true(sizeof(struct sequencer) <= 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_bytes_are_bounded_and_the_other_records_are_read),
		cmocka_unit_test(while_a_hole_is_read_no_other_is_asked_for_and_at_once_after_it),
		cmocka_unit_test(a_jump_leaves_earlier_records_to_the_client),
		cmocka_unit_test(a_paused_sequencer_holds_no_record_and_remembers_the_highest_number),
		cmocka_unit_test(records_held_at_the_end_are_let_go),
		cmocka_unit_test(an_idle_sequencer_takes_64_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
