#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox_rig.h"

static struct {
	struct inbox inbox;
	uint64_t now_ms;
} single;

static int set_up(void **state)
{
	(void)state;
	single.now_ms = 0;
	inbox_init(&single.inbox, &roomy_rules);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	inbox_release(&single.inbox);
	assert_int_equal(items_alive, 0);
	return 0;
}

static enum inbox_action next(struct inbox_effect *effect)
{
	return inbox_take(&single.inbox, single.now_ms, effect);
}

static void live(int conversation, uint64_t seq, uint64_t offset)
{
	inbox_live(&single.inbox, new_item(conversation, seq, offset));
}

static void expect_message(int conversation, uint64_t seq)
{
	struct inbox_effect effect = { 0 };

	assert_int_equal(next(&effect), INBOX_HAND_OVER);
	assert_true(str_equal(effect.item->conversation, str_from(conversation_names[conversation])));
	assert_int_equal(effect.item->seq, seq);
	let_go(effect.item);
}

static void expect_nothing(void)
{
	struct inbox_effect effect;

	assert_int_equal(next(&effect), INBOX_NOTHING);
}

static void the_first_message_of_a_conversation_may_have_any_seq(void **state)
{
	(void)state;
	inbox_connected(&single.inbox, STR("e"), 41);
	live(A, 7, 42);
	expect_message(A, 7);
	expect_nothing();
}

static void a_gap_that_history_does_not_fill_is_no_gap(void **state)
{
	struct inbox_effect effect;
	struct list none;

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 0);
	live(A, 1, 1);
	live(A, 9, 2);
	expect_message(A, 1);
	assert_int_equal(next(&effect), INBOX_PULL);
	assert_int_equal(effect.after_seq, 1);
	expect_nothing();
	list_init(&none);
	inbox_pulled(&single.inbox, &none, true);
	expect_message(A, 9);
}

/* In a group with history `since_join`, history begins with the latest join, and the inbox holds messages of an earlier one. */
static void history_from_behind_a_gap_does_not_pass_what_is_in_the_inbox(void **state)
{
	struct inbox_effect effect;
	struct list items;

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 0);
	live(A, 10, 1);
	live(A, 20, 2);
	live(A, 21, 3);
	expect_message(A, 10);
	assert_int_equal(next(&effect), INBOX_PULL);
	list_init(&items);
	list_push_back(&items, &new_item(A, 40, 0)->link);
	list_push_back(&items, &new_item(A, 41, 0)->link);
	inbox_pulled(&single.inbox, &items, false);
	expect_message(A, 20);
	expect_message(A, 21);
	live(A, 40, 4);
	assert_int_equal(next(&effect), INBOX_PULL);
	assert_int_equal(effect.after_seq, 21);
	list_init(&items);
	list_push_back(&items, &new_item(A, 40, 0)->link);
	inbox_pulled(&single.inbox, &items, true);
	expect_message(A, 40);
	expect_nothing();
}

static void a_conversation_that_may_not_be_read_does_not_stop_the_others(void **state)
{
	struct inbox_effect effect;

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 0);
	live(A, 1, 1);
	live(A, 9, 2);
	live(B, 1, 3);
	expect_message(A, 1);
	assert_int_equal(next(&effect), INBOX_PULL);
	assert_true(inbox_refused(&single.inbox));
	expect_message(A, 9);
	expect_message(B, 1);
}

static void a_page_of_history_that_leads_nowhere_is_the_last(void **state)
{
	struct inbox_effect effect;
	struct list items;

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 0);
	live(A, 2, 1);
	live(A, 9, 2);
	expect_message(A, 2);
	assert_int_equal(next(&effect), INBOX_PULL);
	list_init(&items);
	list_push_back(&items, &new_item(A, 1, 0)->link);
	inbox_pulled(&single.inbox, &items, false);
	expect_message(A, 9);
	expect_nothing();
}

static void a_gap_in_offsets_that_sync_does_not_fill_is_passed(void **state)
{
	struct inbox_effect effect;
	struct inbox_page page = { .end = { "e", 0 } };

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 0);
	live(A, 1, 5);
	assert_int_equal(next(&effect), INBOX_SYNC);
	assert_int_equal(effect.from.offset, 0);
	list_init(&page.items);
	inbox_synced(&single.inbox, &page);
	expect_message(A, 1);
	assert_int_equal(single.inbox.at.offset, 5);
}

static void a_page_that_says_more_and_does_not_move_is_the_last(void **state)
{
	struct inbox_effect effect;
	struct inbox_page page = { .end = { "e", 3 }, .has_more = true };

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 3);
	inbox_sync_more(&single.inbox);
	assert_int_equal(next(&effect), INBOX_SYNC);
	list_init(&page.items);
	inbox_synced(&single.inbox, &page);
	expect_nothing();
}

static void a_position_that_the_server_refuses_becomes_a_reset_and_then_the_end(void **state)
{
	struct inbox_effect effect;

	(void)state;
	inbox_restore(&single.inbox, &(struct inbox_position){ "e", 99 }, false);
	inbox_connected(&single.inbox, STR("e"), 3);
	assert_int_equal(next(&effect), INBOX_SYNC);
	assert_true(inbox_refused(&single.inbox));
	assert_int_equal(next(&effect), INBOX_SYNC);
	assert_string_not_equal(effect.from.epoch, "e");
	assert_false(inbox_refused(&single.inbox));
}

static void a_start_from_the_oldest_reads_before_what_is_live(void **state)
{
	struct inbox_rules oldest = roomy_rules;
	struct inbox_effect effect;
	struct inbox_page page = { .end = { "e", 1 } };

	(void)state;
	oldest.starts_from_oldest = true;
	inbox_release(&single.inbox);
	inbox_init(&single.inbox, &oldest);
	inbox_connected(&single.inbox, STR("e"), 1);
	live(A, 5, 2);
	assert_int_equal(next(&effect), INBOX_SYNC);
	assert_string_equal(effect.from.epoch, "");
	list_init(&page.items);
	list_push_back(&page.items, &new_item(A, 4, 1)->link);
	inbox_synced(&single.inbox, &page);
	expect_message(A, 4);
	expect_message(A, 5);
	assert_int_equal(single.inbox.at.offset, 2);
}

static void a_reset_reads_as_much_of_an_unknown_conversation_as_the_rules_say(void **state)
{
	struct inbox_rules some = roomy_rules;
	struct inbox_mark mark = { str_from(conversation_names[A]), 50 };
	struct inbox_page page = { .end = { "f", 0 }, .is_reset = true, .marks = &mark, .mark_count = 1 };
	struct inbox_effect effect;

	(void)state;
	some.unknown_history = 10;
	single.inbox.rules = &some;
	inbox_restore(&single.inbox, &(struct inbox_position){ "e", 1 }, false);
	inbox_connected(&single.inbox, STR("f"), 0);
	assert_int_equal(next(&effect), INBOX_SYNC);
	list_init(&page.items);
	inbox_synced(&single.inbox, &page);
	assert_int_equal(next(&effect), INBOX_PULL);
	assert_int_equal(effect.after_seq, 40);
}

static void an_ack_is_cumulative_and_comes_after_some_messages_or_some_time(void **state)
{
	struct inbox_effect effect;

	(void)state;
	inbox_connected(&single.inbox, STR("e"), 0);
	single.inbox.settle_ms = 0;
	single.inbox.is_dirty = false;
	for (uint64_t i = 1; i <= 4; i++)
		live(A, i, i);
	for (uint64_t i = 1; i <= 3; i++) {
		expect_message(A, i);
		inbox_taken(&single.inbox, i);
	}
	assert_int_equal(next(&effect), INBOX_SETTLE); /* three */
	assert_int_equal(effect.offset, 3);
	expect_message(A, 4);
	inbox_taken(&single.inbox, 4);
	expect_nothing();
	single.now_ms = inbox_deadline(&single.inbox);
	assert_int_equal(single.now_ms, 10);
	assert_int_equal(next(&effect), INBOX_SETTLE);
	assert_int_equal(effect.offset, 4);
	expect_nothing();
	assert_int_equal(inbox_deadline(&single.inbox), 0);
}

static void no_more_is_handed_over_than_may_be_untaken(void **state)
{
	struct inbox_rules two = roomy_rules;

	(void)state;
	two.max_untaken = 2;
	single.inbox.rules = &two;
	inbox_connected(&single.inbox, STR("e"), 0);
	for (uint64_t i = 1; i <= 3; i++)
		live(A, i, i);
	expect_message(A, 1);
	expect_message(A, 2);
	expect_nothing();
	inbox_taken(&single.inbox, 1);
	expect_message(A, 3);
	inbox_taken(&single.inbox, 99); /* more than there is: all */
	assert_int_equal(single.inbox.untaken_count, 0);
}

static void count_conversation(void *arg, struct str conversation, uint64_t seq)
{
	(void)conversation;
	(void)seq;
	++*(unsigned *)arg;
}

static void of_too_many_conversations_the_quietest_is_forgotten(void **state)
{
	struct inbox_rules two = roomy_rules;
	unsigned count = 0;

	(void)state;
	two.max_conversations = 2;
	two.settle_every = 100;
	single.inbox.rules = &two;
	inbox_connected(&single.inbox, STR("e"), 0);
	live(A, 1, 1);
	live(B, 1, 2);
	live(A, 2, 3);
	live(H, 1, 4);
	expect_message(A, 1);
	expect_message(B, 1);
	expect_message(A, 2);
	inbox_taken(&single.inbox, 3);
	expect_message(H, 1);
	inbox_taken(&single.inbox, 4);
	(void)inbox_stored(&single.inbox, count_conversation, &count);
	assert_int_equal(count, 2);
	live(A, 2, 5);
	live(A, 3, 6);
	expect_message(A, 3); /* A is still known */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(the_first_message_of_a_conversation_may_have_any_seq),
		CASE(a_gap_that_history_does_not_fill_is_no_gap),
		CASE(history_from_behind_a_gap_does_not_pass_what_is_in_the_inbox),
		CASE(a_conversation_that_may_not_be_read_does_not_stop_the_others),
		CASE(a_page_of_history_that_leads_nowhere_is_the_last),
		CASE(a_gap_in_offsets_that_sync_does_not_fill_is_passed),
		CASE(a_page_that_says_more_and_does_not_move_is_the_last),
		CASE(a_position_that_the_server_refuses_becomes_a_reset_and_then_the_end),
		CASE(a_start_from_the_oldest_reads_before_what_is_live),
		CASE(a_reset_reads_as_much_of_an_unknown_conversation_as_the_rules_say),
		CASE(an_ack_is_cumulative_and_comes_after_some_messages_or_some_time),
		CASE(no_more_is_handed_over_than_may_be_untaken),
		CASE(of_too_many_conversations_the_quietest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
