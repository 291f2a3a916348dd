/* The order of conversations in push: records in any order, holes, and stuck conversations that must not block others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/telemetry/metrics.h"
#include "push/order/reorder_buffer.h"
#include "push/order/timeline.h"
#include "push_fixture.h"
#include "store_fixture.h"

static void messages_reach_the_inboxes_by_seq_whatever_the_order_of_their_records(void **state)
{
	struct push *push = *state;

	take(push, push->conversation, 1, 10);
	take(push, push->conversation, 3, 11);
	take(push, push->conversation, 4, 12);
	take(push, push->conversation, 2, 13);
	settle(push);
	assert_inbox(push, push->bob, " 1 2 3 4");
	assert_inbox(push, push->alice, " 1 2 3 4");
	assert_int_equal(push->finished_count, 4);
}

static void a_repeat_of_an_answered_message_is_not_sent_and_its_offset_is_finished(void **state)
{
	struct push *push = *state;

	take(push, push->conversation, 1, 10);
	settle(push);
	take(push, push->conversation, 1, 11);
	take(push, push->conversation, 2, 12);
	take(push, push->conversation, 2, 13);
	settle(push);
	assert_inbox(push, push->bob, " 1 2");
	assert_int_equal(push->finished_count, 4);
}

static void a_gap_whose_records_do_not_come_is_read_from_postgres(void **state)
{
	struct push *push = *state;

	store_rows(push, 1, 5);
	take(push, push->conversation, 1, 10);
	take(push, push->conversation, 5, 11);
	settle(push);
	assert_inbox(push, push->bob, " 1 2 3 4 5");
	assert_int_equal(push->finished_count, 2);
}

static void a_record_that_comes_after_its_message_was_read_is_finished_and_not_sent_again(void **state)
{
	struct push *push = *state;

	store_rows(push, 1, 3);
	take(push, push->conversation, 1, 10);
	take(push, push->conversation, 3, 11);
	settle(push);
	take(push, push->conversation, 2, 12);
	settle(push);
	assert_inbox(push, push->bob, " 1 2 3");
	assert_int_equal(push->finished_count, 3);
	assert_int_equal(push->finished[2], 12);
}

static void a_new_conversation_whose_second_record_comes_first_waits_for_its_first(void **state)
{
	struct push *push = *state;

	store_rows(push, 1, 2);
	take(push, push->conversation, 2, 10); /* the im of message 1 has not produced it yet */
	settle(push);
	take(push, push->conversation, 1, 11);
	settle(push);
	assert_inbox(push, push->bob, " 1 2");
	assert_int_equal(push->finished_count, 2);
}

#define FALSE_SEQ 1000000000u

static void a_seq_that_postgres_does_not_have_advances_nothing(void **state)
{
	struct push *push = *state;

	store_rows(push, 1, 3);
	take(push, push->conversation, 1, 10);
	take(push, push->conversation, FALSE_SEQ, 11);
	turn_until_count(&push->worker, &push->unknown_count, 1);
	assert_int_equal(push->unknown_seq, FALSE_SEQ);
	take(push, push->conversation, 2, 12);
	take(push, push->conversation, 3, 13);
	settle(push);
	assert_inbox(push, push->bob, " 1 2 3");
	assert_dispatched(push, push->conversation, 3);
	assert_int_equal(push->finished_count, 3);
}

static void an_invented_seq_that_comes_first_of_a_conversation_advances_nothing(void **state)
{
	struct push *push = *state;

	store_rows_of(push, push->conversation, 1, 10, LONG_AGO_MS);
	take(push, push->conversation, FALSE_SEQ, 11);
	turn_until_count(&push->worker, &push->unknown_count, 1);
	settle(push);
	store_rows(push, 11, 12);
	take(push, push->conversation, 12, 13);
	turn_for(&push->worker, GAP_WAIT_MS / 2);
	take(push, push->conversation, 11, 12);
	settle(push);
	assert_inbox(push, push->bob, " 11 12");
	assert_dispatched(push, push->conversation, 12);
}

static void a_hole_of_ten_thousand_is_filled_page_by_page(void **state)
{
	struct push *push = *state;
	const unsigned last = 10001;

	store_rows(push, 1, last);
	set_dispatched(push, "1");
	take(push, push->conversation, last, 10);
	settle(push);
	assert_inbox_range(push, push->bob, 2, last);
	assert_int_equal(push->finished_count, 1);
}

static bool has_one_finished(void *arg)
{
	struct push *push = arg;

	return push->finished_count == 1;
}

static void a_stuck_conversation_takes_bounded_room_and_holds_up_no_other(void **state)
{
	struct push *push = *state;
	const unsigned last = REORDER_MAX + 500;
	char conversation[80];

	store_group(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	store_rows_of(push, conversation, 1, last, NOW_MS);
	lock_groups(push);
	for (unsigned seq = 1; seq <= last; seq++)
		take(push, conversation, seq, 10 + (int64_t)seq);
	struct conversations_load load = conversations_load(push->conversations);
	assert_int_equal(load.messages + load.slim, last);
	assert_true(load.messages <= REORDER_MAX + 1); /* and the one whose recipients are being looked up */
	take(push, "u:x:y", 1, 5000);
	turn_until(&push->worker, has_one_finished, push);
	assert_int_equal(push->finished[0], 5000);
	unlock_groups(push);
	settle(push);
	assert_int_equal(push->finished_count, last + 1);
	load = conversations_load(push->conversations);
	assert_int_equal(load.messages + load.bytes + load.slim, 0);
	assert_inbox_range(push, push->bob, 1, last);
}

static void a_hole_that_cannot_be_read_holds_up_no_other_conversation(void **state)
{
	struct push *push = *state;
	char other[80];

	snprintf(other, sizeof(other), "u:%s:%s", push->bob, push->group);
	store_rows(push, 1, 3);
	take(push, push->conversation, 1, 10);
	settle(push);
	real_server_pause(&pg_server);
	take(push, push->conversation, 3, 11);
	turn_for(&push->worker, 2 * GAP_WAIT_MS); /* the read is under way */
	for (uint64_t seq = 1; seq <= 50; seq++)
		take(push, other, seq, 100 + (int64_t)seq);
	turn_until_count(&push->worker, &push->finished_count, 51);
	real_server_continue(&pg_server);
	settle(push);
	assert_inbox_range(push, push->alice, 1, 3);
}

static void a_note_to_oneself_has_one_inbox(void **state)
{
	struct push *push = *state;
	char self[80];

	snprintf(self, sizeof(self), "u:%s:%s", push->alice, push->alice);
	take(push, self, 1, 10);
	settle(push);
	assert_inbox(push, push->alice, " 1");
}

static void members_of_a_group_are_asked_of_postgres_once_per_version(void **state)
{
	struct push *push = *state;
	struct counter *from_pg = metrics_counter("skein_push_member_lookups_total", "", "from=\"postgres\"");
	uint64_t before = counter_value(from_pg);
	char conversation[80];

	store_group(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	take(push, conversation, 1, 10);
	settle(push);
	take(push, conversation, 2, 11);
	settle(push);
	assert_inbox(push, push->alice, " 1 2");
	assert_inbox(push, push->bob, " 1 2");
	assert_int_equal(counter_value(from_pg) - before, 1);
}

static void messages_that_come_while_the_members_are_looked_up_wait_for_them(void **state)
{
	struct push *push = *state;
	char conversation[80];

	store_group(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	for (uint64_t seq = 1; seq <= 5; seq++)
		take(push, conversation, seq, 10 + (int64_t)seq);
	settle(push);
	assert_inbox(push, push->bob, " 1 2 3 4 5");
	assert_int_equal(push->finished_count, 5);
}

static void a_message_goes_to_the_members_as_of_its_version_while_others_join_and_leave(void **state)
{
	struct push *push = *state;
	struct counter *from_pg = metrics_counter("skein_push_member_lookups_total", "", "from=\"postgres\"");
	uint64_t before = counter_value(from_pg);
	char conversation[80], carol[40];

	snprintf(carol, sizeof(carol), "carol-%s", push->bob);
	store_group(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	take(push, conversation, 1, 10);
	settle(push);
	take_of_version(push, conversation, 3, 12, 3, carol, NULL); /* all of these wait for 2 */
	take_of_version(push, conversation, 4, 13, 3, NULL, NULL);
	take_of_version(push, conversation, 5, 14, 5, NULL, push->bob);
	take_of_version(push, conversation, 6, 15, 5, NULL, NULL);
	take_of_version(push, conversation, 7, 16, 7, push->bob, carol);
	take(push, conversation, 2, 11);
	settle(push);
	assert_inbox(push, push->alice, " 1 2 3 4 5 6 7");
	assert_inbox(push, push->bob, " 1 2 3 4 7");
	assert_inbox(push, carol, " 3 4 5 6");
	assert_int_equal(push->finished_count, 7);
	assert_int_equal(counter_value(from_pg) - before, 1);
}

/* Writes to PostgreSQL that this user joined, or left, by the entry `seq`. */
static void store_change(struct push *push, unsigned seq, const char *uid, bool is_join)
{
	char sql[512];

	snprintf(
		sql, sizeof(sql),
		"insert into member_change (no, seq, is_join, uid) select no, %u, %s, '%s' from conversation where id = 'g:%s'; %s",
		seq, is_join ? "true" : "false", uid, push->group,
		is_join ? "insert into group_member (no, uid) " : "");
	if (is_join)
		snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql), "select no, '%s' from conversation where id = 'g:%s'", uid,
		         push->group);
	else
		snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
		         "delete from group_member where uid = '%s' and no = (select no from conversation where id = 'g:%s')", uid,
		         push->group);
	query(sql);
}

/* A group of alice and bob with six entries in PostgreSQL: carol joins with the second, bob leaves with the fourth. */
static void store_changing_group(struct push *push, char conversation[80], char carol[40])
{
	snprintf(carol, 40, "carol-%s", push->bob);
	snprintf(conversation, 80, "g:%s", push->group);
	store_group(push);
	store_rows_of(push, conversation, 1, 6, NOW_MS);
	store_change(push, 2, carol, true);
	store_change(push, 4, push->bob, false);
}

static void a_message_read_from_postgres_goes_to_the_members_as_of_its_version(void **state)
{
	struct push *push = *state;
	struct counter *from_pg = metrics_counter("skein_push_member_lookups_total", "", "from=\"postgres\"");
	uint64_t before = counter_value(from_pg);
	char conversation[80], carol[40];

	store_changing_group(push, conversation, carol);
	take_of_version(push, conversation, 1, 10, 0, NULL, NULL);
	take_of_version(push, conversation, 6, 11, 4, NULL, NULL); /* the records between never come */
	settle(push);
	assert_inbox(push, push->alice, " 1 2 3 4 5 6");
	assert_inbox(push, push->bob, " 1 2 3");
	assert_inbox(push, carol, " 2 3 4 5 6");
	assert_int_equal(counter_value(from_pg) - before, 1); /* the rows carry the changes */
}

static void a_push_that_begins_in_the_middle_finds_the_members_as_they_were(void **state)
{
	struct push *push = *state;
	char conversation[80], carol[40], key[96];

	store_changing_group(push, conversation, carol);
	snprintf(key, sizeof(key), "im:seq:{%s}", conversation);
	const struct str dispatched[] = { STR("SET"), str_from(key), STR("2") };
	command(push, dispatched, ARRAY_LEN(dispatched));
	take_of_version(push, conversation, 3, 10, 2, NULL, NULL); /* bob has left since */
	settle(push);
	assert_inbox(push, push->alice, " 3");
	assert_inbox(push, push->bob, " 3");
	assert_inbox(push, carol, " 3");
}

static void a_missing_group_blocks_nothing(void **state)
{
	struct push *push = *state;

	take(push, "g:nowhere", 1, 10);
	settle(push);
	assert_int_equal(push->finished_count, 1);
}

static void a_revoked_partition_reports_nothing_more(void **state)
{
	struct push *push = *state;

	take(push, push->conversation, 1, 10);
	settle(push);
	take(push, push->conversation, 3, 11); /* waits for 2 */
	conversations_drop_partition(push->conversations, 3);
	settle(push);
	turn_for(&push->worker, 2 * GAP_WAIT_MS);
	assert_inbox(push, push->bob, " 1");
	assert_int_equal(push->finished_count, 1);
}

static void the_records_of_an_added_partition_are_finished_although_the_old_one_of_their_conversation_is_revoked(void **state)
{
	struct push *push = *state;

	take(push, push->conversation, 1, 10);
	settle(push);
	take_from_added_partition(push, push->conversation, 2, 0); /* the conversation's key leads here now */
	settle(push);
	take_from_added_partition(push, push->conversation, 4, 1); /* waits for 3 */
	conversations_drop_partition(push->conversations, 3);
	take_from_added_partition(push, push->conversation, 3, 2);
	settle(push);
	assert_inbox(push, push->bob, " 1 2 3 4");
	assert_int_equal(push->finished_count, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(messages_reach_the_inboxes_by_seq_whatever_the_order_of_their_records),
		PUSH_TEST(a_repeat_of_an_answered_message_is_not_sent_and_its_offset_is_finished),
		PUSH_TEST(a_gap_whose_records_do_not_come_is_read_from_postgres),
		PUSH_TEST(a_record_that_comes_after_its_message_was_read_is_finished_and_not_sent_again),
		PUSH_TEST(a_new_conversation_whose_second_record_comes_first_waits_for_its_first),
		PUSH_TEST(a_seq_that_postgres_does_not_have_advances_nothing),
		PUSH_TEST(an_invented_seq_that_comes_first_of_a_conversation_advances_nothing),
		PUSH_TEST(a_hole_of_ten_thousand_is_filled_page_by_page),
		PUSH_TEST(a_stuck_conversation_takes_bounded_room_and_holds_up_no_other),
		PUSH_TEST(a_hole_that_cannot_be_read_holds_up_no_other_conversation),
		PUSH_TEST(a_note_to_oneself_has_one_inbox),
		PUSH_TEST(members_of_a_group_are_asked_of_postgres_once_per_version),
		PUSH_TEST(messages_that_come_while_the_members_are_looked_up_wait_for_them),
		PUSH_TEST(a_message_goes_to_the_members_as_of_its_version_while_others_join_and_leave),
		PUSH_TEST(a_message_read_from_postgres_goes_to_the_members_as_of_its_version),
		PUSH_TEST(a_push_that_begins_in_the_middle_finds_the_members_as_they_were),
		PUSH_TEST(a_missing_group_blocks_nothing),
		PUSH_TEST(a_revoked_partition_reports_nothing_more),
		PUSH_TEST(the_records_of_an_added_partition_are_finished_although_the_old_one_of_their_conversation_is_revoked),
	};
	return cmocka_run_group_tests(tests, make_servers, remove_servers);
}
