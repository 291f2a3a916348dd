/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "schema_fixture.h"

/* Recalls and edits (functions/09_changes.sql), and what readers see of them (07_messages.sql), against a real server. */

/* One line of a fn.entry_answer: status, seq, D for a duplicate, type, sender, target, body. */
#define ANSWER \
	"select concat_ws(' ', status, detail, coalesce(seq, 0), case when duplicate then 'D' end, type, sender, target_seq, body) from "

/* Windows are 100 ms; sends are at 1000. */
static const char *recall(char out[400], long msg_id, long time, const char *conversation, const char *caller, long target)
{
	snprintf(out, 400, ANSWER "fn.entry_recall(7, 3, %ld, %ld, '%s', '%s', %ld, 100)", msg_id, time, conversation, caller,
	         target);
	return out;
}

static const char *edit(char out[400], long msg_id, long time, const char *conversation, const char *caller, long target)
{
	snprintf(out, 400,
	         ANSWER "fn.entry_edit(7, 3, %ld, %ld, '%s', '%s', %ld, '{\"text\":\"edit %ld\"}', array['text'], 100)",
	         msg_id, time, conversation, caller, target, msg_id);
	return out;
}

static char sql[400];
#define RECALL(...) recall(sql, __VA_ARGS__)
#define EDIT(...) edit(sql, __VA_ARGS__)
#define BOBS "u:alice:bob"

static void send_three(void)
{
	const struct sent sends[] = { SENT(TO_BOB, .key = "1", .msg_id = 1), SENT(TO_BOB, .key = "2", .msg_id = 2),
		                      SENT(.conversation = BOBS, .sender = "bob", .user = "alice", .key = "3", .msg_id = 3) };

	PQclear(send_all(sends, ARRAY_LEN(sends)));
}

static void assert_shown(const char *uid, const char *expected)
{
	char page[400];

	snprintf(page, sizeof(page),
	         "select string_agg(concat_ws(' ', seq, type, target_seq, body, case when is_edited then 'E' end,"
	         " case when is_recalled then 'R' end), ', ' order by seq) from fn.history('%s', '" BOBS "', 0, null, 50, 1000000)",
	         uid);
	assert_text(page, expected);
}

/* ---- recall ---- */

static void a_recall_is_an_entry_and_the_message_has_no_body_any_more(void **state)
{
	(void)state;

	send_three();
	assert_text(RECALL(4, 1100, BOBS, "alice", 1), "ok 4 recall alice 1");
	assert_shown("bob", "1 text R, 2 text {\"text\":\"hi\"}, 3 text {\"text\":\"hi\"}, 4 recall 1");
	assert_text("select concat_ws(' ', last_seq, counted, first_read) from conversation where id = '" BOBS "'", "4 3 2");
	assert_text("select body from message where seq = 1", "{\"text\":\"hi\"}"); /* the row stays */
}

static void a_recall_is_refused_to_other_users_after_its_window_and_for_an_entry_that_is_no_message(void **state)
{
	(void)state;

	send_three();
	assert_text(RECALL(4, 1000, BOBS, "bob", 1), "permission_denied 0");
	assert_text(RECALL(5, 1101, BOBS, "alice", 1), "failed_precondition too_late 0");
	assert_text(RECALL(6, 1000, BOBS, "alice", 9), "not_found 0");
	assert_text(RECALL(7, 1000, BOBS, "carol", 1), "not_member 0");
	assert_text(RECALL(8, 1000, "u:alice:carol", "alice", 1), "not_found 0");
	assert_text(RECALL(9, 1000, "g:team", "carol", 1), "not_member 0");
	assert_text(RECALL(10, 1000, "g:none", "alice", 1), "not_found 0");
	assert_text(RECALL(11, 1000, BOBS, "alice", 1), "ok 4 recall alice 1");
	assert_text(RECALL(12, 1000, BOBS, "alice", 4), "failed_precondition not_a_message 0");
	assert_text(ANSWER "fn.entry_recall(7, 2, 13, 1000, '" BOBS "', 'alice', 2, 100)", "lease 0");
	assert_int_equal(ask_number("select last_seq from conversation where id = '" BOBS "'"), 4);
}

static void a_recall_again_gives_the_first_answer_also_when_it_is_too_late(void **state)
{
	(void)state;

	send_three();
	assert_text(RECALL(4, 1000, BOBS, "alice", 1), "ok 4 recall alice 1");
	assert_text(RECALL(4, 5000, BOBS, "alice", 1), "ok 4 D recall alice 1"); /* the answer was lost */
	assert_text(RECALL(5, 5000, BOBS, "alice", 1), "ok 4 D recall alice 1"); /* a second recall */
	assert_text(RECALL(6, 5000, BOBS, "bob", 1), "permission_denied 0");
}

static void owner_and_admins_recall_the_messages_of_others_at_any_time(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .sender = "bob", .key = "1", .msg_id = 1), "ok");
	check(SENT(TO_TEAM, .key = "2", .msg_id = 2), "ok");
	assert_text(RECALL(3, 9000, "g:team", "alice", 1), "ok 3 recall alice 1");
	assert_text(RECALL(4, 1000, "g:team", "bob", 2), "permission_denied 0");
	run_sql("update group_member set role = 1 where uid = 'bob'");
	assert_text(RECALL(5, 9000, "g:team", "bob", 2), "ok 4 recall bob 2");
	run_sql("update chat_group set dissolved_at = 1");
	assert_text(RECALL(6, 1000, "g:team", "alice", 2), "not_found 0");
}

static void a_member_cannot_change_a_message_that_its_history_does_not_show(void **state)
{
	(void)state;

	run_sql("update chat_group set history_mode = 'since_join'");
	check(SENT(TO_TEAM, .sender = "bob", .key = "1", .msg_id = 1), "ok");
	run_sql("update group_member set since_seq = 1 where uid = 'bob'");
	assert_text(RECALL(2, 1000, "g:team", "bob", 1), "not_found 0");
	assert_text(EDIT(3, 1000, "g:team", "bob", 1), "not_found 0");
}

/* ---- edit ---- */

static void the_last_edit_is_shown_and_each_is_an_entry(void **state)
{
	(void)state;

	send_three();
	assert_text(EDIT(10, 1100, BOBS, "alice", 1), "ok 4 edit alice 1 {\"text\":\"edit 10\"}");
	assert_text(EDIT(11, 1100, BOBS, "alice", 1), "ok 5 edit alice 1 {\"text\":\"edit 11\"}");
	assert_text(EDIT(11, 1100, BOBS, "alice", 1), "ok 5 D edit alice 1 {\"text\":\"edit 11\"}");
	assert_shown("bob", "1 text {\"text\":\"edit 11\"} E, 2 text {\"text\":\"hi\"}, 3 text {\"text\":\"hi\"},"
	                    " 4 edit 1 {\"text\":\"edit 10\"}, 5 edit 1 {\"text\":\"edit 11\"}");
	assert_text("select counted from conversation where id = '" BOBS "'", "3");
}

static void an_edit_is_refused_to_other_users_after_its_window_and_for_a_recalled_message(void **state)
{
	(void)state;

	send_three();
	check(SENT(TO_TEAM, .sender = "bob", .msg_id = 4), "ok");
	assert_text(EDIT(5, 1000, "g:team", "alice", 1), "permission_denied 0"); /* not even by the owner */
	assert_text(EDIT(6, 1000, BOBS, "bob", 1), "permission_denied 0");
	assert_text(EDIT(7, 1101, BOBS, "alice", 1), "failed_precondition too_late 0");
	assert_text(EDIT(8, 1000, BOBS, "alice", 9), "not_found 0");
	assert_text(RECALL(9, 1000, BOBS, "alice", 1), "ok 4 recall alice 1");
	assert_text(EDIT(10, 1000, BOBS, "alice", 1), "failed_precondition recalled 0");
	assert_text(EDIT(11, 1000, BOBS, "alice", 4), "failed_precondition not_a_message 0");
	check(SENT(TO_BOB, .key = "4", .msg_id = 12, .type = "custom", .body = "{}"), "ok");
	assert_text(EDIT(13, 1000, BOBS, "alice", 5), "invalid_argument 0"); /* the body does not fit the type of the message */
}

static void the_edits_of_a_recalled_message_have_no_body(void **state)
{
	(void)state;

	send_three();
	assert_text(EDIT(10, 1000, BOBS, "alice", 1), "ok 4 edit alice 1 {\"text\":\"edit 10\"}");
	assert_text(RECALL(11, 1000, BOBS, "alice", 1), "ok 5 recall alice 1");
	assert_shown("bob", "1 text R, 2 text {\"text\":\"hi\"}, 3 text {\"text\":\"hi\"}, 4 edit 1, 5 recall 1");
}

/* ---- at the same time ---- */

static void two_recalls_at_once_are_one_entry(void **state)
{
	char first[400];
	(void)state;

	send_three();
	assert_race(recall(first, 4, 1000, BOBS, "alice", 1), RECALL(5, 1000, BOBS, "alice", 1), "ok 4 D recall alice 1");
	assert_int_equal(ask_number("select last_seq from conversation where id = '" BOBS "'"), 4);
}

static void an_edit_behind_a_recall_is_refused(void **state)
{
	char first[400];
	(void)state;

	send_three();
	assert_race(recall(first, 4, 1000, BOBS, "alice", 1), EDIT(5, 1000, BOBS, "alice", 1), "failed_precondition recalled 0");
	assert_shown("bob", "1 text R, 2 text {\"text\":\"hi\"}, 3 text {\"text\":\"hi\"}, 4 recall 1");
}

static void a_recall_behind_an_edit_takes_its_body_too(void **state)
{
	char first[400];
	(void)state;

	send_three();
	assert_race(edit(first, 10, 1000, BOBS, "alice", 1), RECALL(11, 1000, BOBS, "alice", 1), "ok 5 recall alice 1");
	assert_shown("bob", "1 text R, 2 text {\"text\":\"hi\"}, 3 text {\"text\":\"hi\"}, 4 edit 1, 5 recall 1");
}

/* ---- reading ---- */

static void store_sized(long count, long bytes)
{
	run_sqlf("insert into conversation (id, kind, last_seq, counted) values ('" BOBS "', 1, %ld, %ld);"
	         "insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)"
	         " select no, n, n, 1000, n, fn.entry_key(no, 'alice ' || n), 1, 'alice', n, repeat('x', %ld)"
	         " from conversation, generate_series(1, %ld) n where id = '" BOBS "'",
	         count, count, bytes, count);
}

static void a_page_of_history_ends_at_its_limit_or_its_bytes_and_says_whether_there_is_more(void **state)
{
	static const struct {
		const char *after, *before;
		int limit, bytes;
		const char *page; /* the first and last seq, and whether there is more */
	} rows[] = {
		{ "0", "null", 50, 100000, "1 20 f" },	  { "0", "null", 20, 100000, "1 20 f" },
		{ "0", "null", 19, 100000, "1 19 t" },	  { "0", "null", 50, 25, "1 3 t" },
		{ "0", "null", 50, 1, "1 1 t" },	  { "17", "null", 50, 25, "18 20 f" },
		{ "null", "null", 5, 100000, "16 20 t" }, { "null", "null", 50, 25, "18 20 t" },
		{ "null", "5", 50, 100000, "1 4 f" },	  { "null", "5", 3, 100000, "2 4 t" },
		{ "20", "null", 50, 100000, "f" },	  { "null", "1", 50, 100000, "f" },
	};
	(void)state;

	store_sized(20, 10);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char page[300];
		snprintf(page, sizeof(page),
		         "select concat_ws(' ', min(seq), max(seq), bool_or(has_more)) from fn.history('bob', '" BOBS
		         "', %s, %s, %d, %d)",
		         rows[i].after, rows[i].before, rows[i].limit, rows[i].bytes);
		assert_text(page, rows[i].page);
	}
}

static void messages_by_name_are_as_they_were_stored_and_one_that_does_not_exist_is_a_row_of_nulls(void **state)
{
	(void)state;

	send_three();
	PQclear(ask_on(db, RECALL(4, 1000, BOBS, "alice", 1)));
	PQclear(ask_on(db, EDIT(5, 1000, BOBS, "alice", 2)));
	assert_text("select string_agg(concat_ws(' ', ord, seq, type, target_seq, body), ', ' order by ord) from fn.messages("
	            "array['" BOBS "', 'u:no:one', '" BOBS "', '" BOBS "', '" BOBS "'], array[2, 1, 1, 99, 5]::bigint[], 1000)",
	            "1 2 text {\"text\":\"hi\"}, 2, 3 1 text {\"text\":\"hi\"}, 4, 5 5 edit 2 {\"text\":\"edit 5\"}");
}

#define CHANGES(seqs, bytes) \
	"select string_agg(concat_ws(' ', ord, case when is_recalled then 'R' end, body, case when is_beyond then '-' end), ', '" \
	" order by ord) from fn.changes_of(array_fill('" BOBS "'::text, array[cardinality(" seqs ")]), " seqs "::bigint[], " bytes ")"

static void changes_of_messages_are_the_last_edit_or_the_recall_until_the_bodies_fill_a_page(void **state)
{
	(void)state;

	send_three();
	PQclear(ask_on(db, EDIT(4, 1000, BOBS, "alice", 1)));
	PQclear(ask_on(db, EDIT(5, 1000, BOBS, "alice", 2)));
	PQclear(ask_on(db, EDIT(6, 1000, BOBS, "alice", 1)));
	assert_text(CHANGES("array[1, 2, 3, 99]", "1000"), "1 {\"text\":\"edit 6\"}, 2 {\"text\":\"edit 5\"}");
	assert_text(CHANGES("array[1, 2]", "17"), "1 {\"text\":\"edit 6\"}, 2 -"); /* a body has 17 bytes */
	assert_text(CHANGES("array[1, 2]", "18"), "1 {\"text\":\"edit 6\"}, 2 {\"text\":\"edit 5\"}");
	assert_text(CHANGES("array[2, 1]", "1"), "1 {\"text\":\"edit 5\"}, 2 -");
	PQclear(ask_on(db, RECALL(7, 1000, BOBS, "alice", 1)));
	assert_text(CHANGES("array[1, 2]", "17"), "1 R, 2 {\"text\":\"edit 5\"}");
	assert_text("select count(*) from fn.changes_of('{u:no:one}', '{1}', 1000)", "0");
}

/* As one of the users sees the entries 1 to 3 of the group. */
static void assert_changes_for(const char *uid, const char *expected)
{
	char query[400];

	snprintf(query, sizeof(query),
	         "select string_agg(concat_ws(' ', ord, case when is_recalled then 'R' end, body::json ->> 'text'), ', ' order by ord)"
	         " from fn.changes_of(array_fill('g:team'::text, array[3]), array[1, 2, 3], 1000, %s)",
	         uid);
	assert_text(query, expected);
}

static void send_three_to_team(void)
{
	const struct sent sends[] = { SENT(TO_TEAM, .key = "1", .msg_id = 1), SENT(TO_TEAM, .key = "2", .msg_id = 2),
		                      SENT(TO_TEAM, .key = "3", .msg_id = 3) };

	PQclear(send_all(sends, ARRAY_LEN(sends)));
}

static void a_former_member_sees_the_edits_from_before_it_left_and_every_recall(void **state)
{
	(void)state;

	send_three_to_team();
	PQclear(ask_on(db, EDIT(4, 1000, "g:team", "alice", 1)));
	run_sql("select fn.group_member_remove(7, 3, 5, 1000, 'team', 'alice', 'bob')");
	PQclear(ask_on(db, EDIT(6, 1000, "g:team", "alice", 1)));
	PQclear(ask_on(db, EDIT(7, 1000, "g:team", "alice", 2)));
	PQclear(ask_on(db, RECALL(8, 1000, "g:team", "alice", 3)));
	assert_changes_for("'bob'", "1 edit 4, 3 R");
	assert_changes_for("'alice'", "1 edit 6, 2 edit 7, 3 R");
	assert_changes_for("null", "1 edit 6, 2 edit 7, 3 R");
	run_sql("select fn.group_members_add(7, 3, 9, 1000, 'team', 'alice', array['bob'], 10)");
	assert_changes_for("'bob'", "1 edit 6, 2 edit 7, 3 R");
}

static void a_member_whose_history_begins_with_its_return_sees_no_edits_from_its_absence(void **state)
{
	(void)state;

	run_sql("update chat_group set history_mode = 'since_join'");
	send_three_to_team();
	PQclear(ask_on(db, EDIT(4, 1000, "g:team", "alice", 1)));
	run_sql("select fn.group_member_remove(7, 3, 5, 1000, 'team', 'alice', 'bob')");
	PQclear(ask_on(db, EDIT(6, 1000, "g:team", "alice", 1)));
	PQclear(ask_on(db, EDIT(7, 1000, "g:team", "alice", 2)));
	run_sql("select fn.group_members_add(7, 3, 8, 1000, 'team', 'alice', array['bob'], 10)");
	assert_changes_for("'bob'", "1 edit 4");
	PQclear(ask_on(db, EDIT(9, 1000, "g:team", "alice", 2)));
	assert_changes_for("'bob'", "1 edit 4, 2 edit 9");
	assert_changes_for("'alice'", "1 edit 6, 2 edit 9");
}

static void who_left_again_sees_the_edits_from_each_time_as_a_member_and_none_from_an_absence(void **state)
{
	(void)state;

	send_three_to_team();
	run_sql("select fn.group_member_remove(7, 3, 4, 1000, 'team', 'alice', 'bob')");
	PQclear(ask_on(db, EDIT(5, 1000, "g:team", "alice", 1)));
	run_sql("select fn.group_members_add(7, 3, 6, 1000, 'team', 'alice', array['bob'], 10)");
	assert_changes_for("'bob'", "1 edit 5");
	PQclear(ask_on(db, EDIT(7, 1000, "g:team", "alice", 2)));
	run_sql("select fn.group_member_remove(7, 3, 8, 1000, 'team', 'alice', 'bob')");
	PQclear(ask_on(db, EDIT(9, 1000, "g:team", "alice", 3)));
	assert_changes_for("'bob'", "2 edit 7");
	run_sql("update chat_group set history_mode = 'since_join'");
	run_sql("select fn.group_members_add(7, 3, 10, 1000, 'team', 'alice', array['bob'], 10)");
	assert_changes_for("'bob'", "2 edit 7");
	assert_changes_for("'alice'", "1 edit 5, 2 edit 7, 3 edit 9");
}

static void who_came_later_sees_no_edits_from_before(void **state)
{
	(void)state;

	send_three_to_team();
	PQclear(ask_on(db, EDIT(4, 1000, "g:team", "alice", 1)));
	run_sql("select fn.group_members_add(7, 3, 5, 1000, 'team', 'alice', array['dave'], 10)");
	PQclear(ask_on(db, EDIT(6, 1000, "g:team", "alice", 2)));
	run_sql("update chat_group set history_mode = 'since_join'");
	assert_changes_for("'dave'", "2 edit 6");
	run_sql("select fn.group_member_remove(7, 3, 7, 1000, 'team', 'alice', 'dave')");
	assert_changes_for("'dave'", "2 edit 6");
}

static void what_push_reads_is_what_was_published_with_the_membership_as_of_each(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .key = "1", .msg_id = 1, .mentions = "bob"), "ok");
	run_sql("select fn.group_members_add(7, 3, 2, 1000, 'team', 'alice', array['dave', 'carol'], 10)");
	check(SENT(TO_TEAM, .key = "3", .msg_id = 3, .reply_to = 1), "ok");
	run_sql("select fn.group_member_remove(7, 3, 4, 1000, 'team', 'alice', 'bob')");
	PQclear(ask_on(db, RECALL(5, 1000, "g:team", "alice", 1)));
	assert_text(
		"select string_agg(concat_ws(' ', seq, type, left(body, 18), 'r' || reply_to, array_to_string(mentions, ','),"
		" 't' || target_seq, 'v' || member_version, '+' || array_to_string(joined, ','),"
		" '-' || array_to_string(\"left\", ',')), '; ' order by seq) from fn.messages_between('g:team', 0, 99, 10)",
		"1 text {\"text\":\"hi\"} bob v0; 2 system {\"event\":\"added\",\" v2 +carol,dave; 3 text {\"text\":\"hi\"} r1 v2;"
		" 4 system {\"event\":\"removed\" v4 -bob; 5 recall t1 v4");
	assert_text("select string_agg(seq::text, ' ') from fn.messages_between('g:team', 1, 5, 2)", "2 3");
	send_three();
	assert_text("select concat_ws(' ', seq, coalesce(member_version::text, '-')) from fn.messages_between('" BOBS "', 0, 2, 9)",
	            "1 -");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_recall_is_an_entry_and_the_message_has_no_body_any_more, reset),
		cmocka_unit_test_setup(
			a_recall_is_refused_to_other_users_after_its_window_and_for_an_entry_that_is_no_message, reset),
		cmocka_unit_test_setup(a_recall_again_gives_the_first_answer_also_when_it_is_too_late, reset),
		cmocka_unit_test_setup(owner_and_admins_recall_the_messages_of_others_at_any_time, reset),
		cmocka_unit_test_setup(a_member_cannot_change_a_message_that_its_history_does_not_show, reset),
		cmocka_unit_test_setup(the_last_edit_is_shown_and_each_is_an_entry, reset),
		cmocka_unit_test_setup(an_edit_is_refused_to_other_users_after_its_window_and_for_a_recalled_message,
		                       reset),
		cmocka_unit_test_setup(the_edits_of_a_recalled_message_have_no_body, reset),
		cmocka_unit_test_setup(two_recalls_at_once_are_one_entry, reset),
		cmocka_unit_test_setup(an_edit_behind_a_recall_is_refused, reset),
		cmocka_unit_test_setup(a_recall_behind_an_edit_takes_its_body_too, reset),
		cmocka_unit_test_setup(a_page_of_history_ends_at_its_limit_or_its_bytes_and_says_whether_there_is_more,
		                       reset),
		cmocka_unit_test_setup(
			messages_by_name_are_as_they_were_stored_and_one_that_does_not_exist_is_a_row_of_nulls, reset),
		cmocka_unit_test_setup(changes_of_messages_are_the_last_edit_or_the_recall_until_the_bodies_fill_a_page,
		                       reset),
		cmocka_unit_test_setup(a_former_member_sees_the_edits_from_before_it_left_and_every_recall, reset),
		cmocka_unit_test_setup(a_member_whose_history_begins_with_its_return_sees_no_edits_from_its_absence, reset),
		cmocka_unit_test_setup(
			who_left_again_sees_the_edits_from_each_time_as_a_member_and_none_from_an_absence, reset),
		cmocka_unit_test_setup(who_came_later_sees_no_edits_from_before, reset),
		cmocka_unit_test_setup(what_push_reads_is_what_was_published_with_the_membership_as_of_each, reset),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
