/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/macros.h"
#include "schema_fixture.h"

/* Reactions (functions/13_reactions.sql), and the bodies that a message has had (09_changes.sql), against a real server. */

/* One line of a fn.entry_answer: status, detail, seq, D for a duplicate, sender, target, body. */
#define ANSWER \
	"select concat_ws(' ', status, detail, coalesce(seq, 0), case when duplicate then 'D' end, sender, target_seq, body) from "

#define BOBS "u:alice:bob"
#define UP "\xf0\x9f\x91\x8d"

/* A message takes two different emojis. */
static const char *react(char out[400], long msg_id, const char *conversation, const char *caller, long target, const char *op,
                         const char *emoji)
{
	snprintf(out, 400, ANSWER "fn.entry_react(7, 3, %ld, 1000, '%s', '%s', %ld, '%s', '%s' = 'add', 2, false)", msg_id,
	         conversation, caller, target, emoji, op);
	return out;
}

static char sql[400];
#define ADD(msg_id, conversation, caller, target, emoji) react(sql, msg_id, conversation, caller, target, "add", emoji)
#define REMOVE(msg_id, conversation, caller, target, emoji) react(sql, msg_id, conversation, caller, target, "remove", emoji)

#define RECALL_OF_1 ANSWER "fn.entry_recall(7, 3, 90, 1000, '" BOBS "', 'alice', 1, 100)"

static void send_two(void)
{
	const struct sent sends[] = { SENT(TO_BOB, .key = "1", .msg_id = 1), SENT(TO_BOB, .key = "2", .msg_id = 2) };

	PQclear(send_all(sends, ARRAY_LEN(sends)));
}

/* The reactions that `uid` is shown in history: "<seq>: <count> <+ or -> <emoji>|...; ..." */
static void assert_shown(const char *uid, const char *conversation, const char *expected)
{
	char page[400];

	snprintf(page, sizeof(page),
	         "select string_agg(seq || ': ' || replace(reactions, E'\\n', '|'), '; ' order by seq)"
	         " from fn.history('%s', '%s', 0, null, 50, 1000000)",
	         uid, conversation);
	assert_text(page, expected);
}

/* ---- adding and removing ---- */

static void a_reaction_is_an_entry_that_neither_counts_nor_moves_and_the_same_again_is_the_same_entry(void **state)
{
	(void)state;

	send_two();
	assert_text(ADD(3, BOBS, "bob", 1, UP), "ok 3 bob 1 {\"op\":\"add\",\"emoji\":\"" UP "\"}");
	assert_text(ADD(3, BOBS, "bob", 1, UP), "ok 3 D bob 1 {\"op\":\"add\",\"emoji\":\"" UP "\"}"); /* the answer was lost */
	assert_text(ADD(4, BOBS, "bob", 1, UP), "ok 3 D bob 1 {\"op\":\"add\",\"emoji\":\"" UP "\"}");
	assert_text(ADD(5, BOBS, "alice", 1, UP), "ok 4 alice 1 {\"op\":\"add\",\"emoji\":\"" UP "\"}");
	assert_text("select concat_ws(' ', last_seq, counted, moved_seq) from conversation where id = '" BOBS "'", "4 2 2");
	assert_text("select string_agg(type, ' ' order by seq) from fn.history('bob', '" BOBS "', 0, null, 50, 1000)",
	            "text text reaction reaction");
}

static void a_removed_reaction_is_an_entry_and_may_be_added_again_as_another_one(void **state)
{
	(void)state;

	send_two();
	assert_text(ADD(3, BOBS, "bob", 1, "+1"), "ok 3 bob 1 {\"op\":\"add\",\"emoji\":\"+1\"}");
	assert_text(REMOVE(4, BOBS, "alice", 1, "+1"), "not_found 0"); /* bob's */
	assert_text(REMOVE(5, BOBS, "bob", 2, "+1"), "not_found 0");
	assert_text(REMOVE(6, BOBS, "bob", 1, "-1"), "not_found 0");
	assert_text(REMOVE(7, BOBS, "bob", 1, "+1"), "ok 4 bob 1 {\"op\":\"remove\",\"emoji\":\"+1\"}");
	assert_text(REMOVE(7, BOBS, "bob", 1, "+1"), "ok 4 D bob 1 {\"op\":\"remove\",\"emoji\":\"+1\"}"); /* the answer was lost */
	assert_text(REMOVE(8, BOBS, "bob", 1, "+1"), "not_found 0");
	assert_text(ADD(9, BOBS, "bob", 1, "+1"), "ok 5 bob 1 {\"op\":\"add\",\"emoji\":\"+1\"}");
	assert_text("select concat_ws(' ', count, first_seq) from reaction_count", "1 5");
}

static void an_emoji_with_quotes_is_kept_as_it_is(void **state)
{
	(void)state;

	send_two();
	assert_text(ADD(3, BOBS, "bob", 1, "\"\\ /"), "ok 3 bob 1 {\"op\":\"add\",\"emoji\":\"\\\"\\\\ /\"}");
	assert_shown("alice", BOBS, "1: 1 - \"\\ /");
}

static void reactions_are_shown_by_emoji_in_the_order_of_the_first_that_stands(void **state)
{
	(void)state;

	send_two();
	PQclear(ask_on(db, ADD(3, BOBS, "alice", 1, "a")));
	PQclear(ask_on(db, ADD(4, BOBS, "bob", 1, "b")));
	PQclear(ask_on(db, ADD(5, BOBS, "bob", 1, "a")));
	PQclear(ask_on(db, ADD(6, BOBS, "bob", 2, "c")));
	assert_shown("bob", BOBS, "1: 2 + a|1 + b; 2: 1 + c");
	assert_shown("alice", BOBS, "1: 2 + a|1 - b; 2: 1 - c");
	PQclear(ask_on(db, REMOVE(7, BOBS, "alice", 1, "a"))); /* the first a that stands is later than b */
	assert_shown("alice", BOBS, "1: 1 - b|1 - a; 2: 1 - c");
	PQclear(ask_on(db, REMOVE(8, BOBS, "bob", 2, "c")));
	assert_shown("bob", BOBS, "1: 1 + b|1 + a");
}

static void reactions_of_named_messages_are_those_of_history(void **state)
{
	(void)state;

	send_two();
	check(SENT(TO_TEAM, .key = "1", .msg_id = 3), "ok");
	PQclear(ask_on(db, ADD(4, BOBS, "bob", 2, "b")));
	PQclear(ask_on(db, ADD(5, "g:team", "alice", 1, "t")));
	assert_text("select string_agg(concat_ws(' ', ord, reactions), ', ' order by ord) from fn.reactions_of('alice',"
	            " array['" BOBS "', 'u:no:one', 'g:team', '" BOBS "', '" BOBS
	            "', 'g:team'], array[2, 1, 1, 1, 99, 1]::bigint[],"
	            " array[true, true, true, true, true, false])",
	            "1 1 - b, 3 1 + t");
}

static void a_former_member_sees_the_reactions_from_when_it_was_a_member(void **state)
{
	const char *shown = "select reactions from fn.reactions_of('bob', '{g:team}', '{1}', '{true}')";
	(void)state;

	check(SENT(TO_TEAM, .key = "1", .msg_id = 1), "ok");
	PQclear(ask_on(db, ADD(2, "g:team", "alice", 1, "a")));
	PQclear(ask_on(db, ADD(3, "g:team", "bob", 1, "a")));
	run_sql("insert into group_member (no, uid) select no, 'carol' from chat_group");
	run_sql("select fn.group_member_remove(7, 3, 4, 1000, 'team', 'alice', 'bob')");
	PQclear(ask_on(db, ADD(5, "g:team", "carol", 1, "a")));
	PQclear(ask_on(db, ADD(6, "g:team", "alice", 1, "b")));
	assert_text(shown, "2 + a");
	assert_text("select reactions from fn.reactions_of('carol', '{g:team}', '{1}', '{true}')", "3 + a\n1 - b");
	run_sql("select fn.group_members_add(7, 3, 7, 1000, 'team', 'alice', array['bob'], 10)");
	assert_text(shown, "3 + a\n1 - b");
	PQclear(ask_on(db, ADD(8, "g:team", "bob", 1, "b")));
	run_sql("select fn.group_member_remove(7, 3, 9, 1000, 'team', 'alice', 'bob')");
	assert_text(shown, "2 + a\n1 + b"); /* none from the first absence */
}

static void reactions_count_for_the_bytes_of_a_page(void **state)
{
	(void)state;

	send_two();
	PQclear(ask_on(db, ADD(3, BOBS, "bob", 1, "abc"))); /* 7 bytes; a body has 13 */
	assert_text("select string_agg(seq::text, ' ' order by seq) from fn.history('bob', '" BOBS "', 0, null, 50, 20)", "1");
	assert_text("select string_agg(seq::text, ' ' order by seq) from fn.history('bob', '" BOBS "', 0, null, 50, 21)", "1 2");
}

/* ---- refusals ---- */

static void a_reaction_is_refused_to_strangers_and_to_an_entry_that_is_no_message_or_recalled(void **state)
{
	(void)state;

	send_two();
	assert_text(ADD(3, BOBS, "carol", 1, UP), "not_member 0");
	assert_text(ADD(4, BOBS, "alice", 9, UP), "not_found 0");
	assert_text(ADD(5, "u:alice:carol", "alice", 1, UP), "not_found 0");
	assert_text(ADD(6, "g:none", "alice", 1, UP), "not_found 0");
	assert_text(ADD(7, "g:team", "carol", 1, UP), "not_member 0");
	assert_text(ADD(8, BOBS, "bob", 1, "+1"), "ok 3 bob 1 {\"op\":\"add\",\"emoji\":\"+1\"}");
	assert_text(ADD(9, BOBS, "bob", 3, UP), "failed_precondition not_a_message 0");
	assert_text(RECALL_OF_1, "ok 4 alice 1");
	assert_text(ADD(10, BOBS, "bob", 1, UP), "failed_precondition recalled 0");
	assert_text(ADD(11, BOBS, "bob", 1, "+1"), "failed_precondition recalled 0");
	assert_text(REMOVE(12, BOBS, "bob", 1, "+1"), "failed_precondition recalled 0");
	assert_text(ANSWER "fn.entry_react(7, 2, 13, 1000, '" BOBS "', 'bob', 2, 'x', true, 2, false)", "lease 0");
	assert_int_equal(ask_number("select last_seq from conversation where id = '" BOBS "'"), 4);
}

static void a_message_that_has_expired_takes_no_reaction_and_keeps_those_that_it_has(void **state)
{
	(void)state;

	send_two();
	PQclear(ask_on(db, ADD(3, BOBS, "bob", 1, "+1")));
	run_sql("update message set expires_at = case seq when 1 then 1000 else 1001 end where type = 1"); /* reactions
	                                                                                                      come at
	                                                                                                      1000 */
	assert_text(ADD(4, BOBS, "alice", 1, "+1"), "failed_precondition expired 0");
	assert_text(ADD(5, BOBS, "bob", 1, "+1"), "failed_precondition expired 0");
	assert_text(REMOVE(6, BOBS, "bob", 1, "+1"), "failed_precondition expired 0");
	assert_text(ADD(7, BOBS, "bob", 2, "+1"), "ok 4 bob 2 {\"op\":\"add\",\"emoji\":\"+1\"}");
	assert_int_equal(ask_number("select count(*) from reaction"), 2);
}

static void a_member_cannot_react_to_a_message_that_its_history_does_not_show(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .key = "1", .msg_id = 1), "ok");
	check(SENT(TO_TEAM, .key = "2", .msg_id = 2), "ok");
	run_sql("update group_member set cleared_seq = 1 where uid = 'bob'");
	assert_text(ADD(3, "g:team", "bob", 1, "+1"), "not_found 0");
	run_sql("update group_member set cleared_seq = 0, since_seq = 1 where uid = 'bob'");
	run_sql("update chat_group set history_mode = 'since_join'");
	assert_text(ADD(4, "g:team", "bob", 1, "+1"), "not_found 0");
	assert_text(ADD(5, "g:team", "bob", 2, "+1"), "ok 3 bob 2 {\"op\":\"add\",\"emoji\":\"+1\"}");
}

static void muted_members_react(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .key = "1", .msg_id = 1), "ok");
	run_sql("update chat_group set is_muted = true");
	run_sql("update group_member set muted_until = 9000 where uid = 'bob'");
	check(SENT(TO_TEAM, .sender = "bob", .key = "2", .msg_id = 2), "muted");
	assert_text(ADD(3, "g:team", "bob", 1, "+1"), "ok 2 bob 1 {\"op\":\"add\",\"emoji\":\"+1\"}");
	assert_text(REMOVE(4, "g:team", "bob", 1, "+1"), "ok 3 bob 1 {\"op\":\"remove\",\"emoji\":\"+1\"}");
}

static void a_message_has_a_limit_of_different_emojis_and_none_of_users(void **state)
{
	(void)state;

	send_two();
	PQclear(ask_on(db, ADD(3, BOBS, "alice", 1, "a")));
	PQclear(ask_on(db, ADD(4, BOBS, "alice", 1, "b")));
	assert_text(ADD(5, BOBS, "bob", 1, "c"), "failed_precondition full 0");
	assert_text(ADD(6, BOBS, "bob", 1, "b"), "ok 5 bob 1 {\"op\":\"add\",\"emoji\":\"b\"}");
	assert_text(ADD(7, BOBS, "bob", 2, "c"), "ok 6 bob 2 {\"op\":\"add\",\"emoji\":\"c\"}");
	PQclear(ask_on(db, REMOVE(8, BOBS, "alice", 1, "a")));
	assert_text(ADD(9, BOBS, "bob", 1, "c"), "ok 8 bob 1 {\"op\":\"add\",\"emoji\":\"c\"}");
}

#define EDIT_OF_1(id) ANSWER "fn.entry_edit(7, 3, " #id ", 1000, '" BOBS "', 'alice', 1, '{\"text\":\"x\"}', array['text'], 100)"

static void who_may_not_write_to_the_other_side_neither_edits_nor_reacts_but_takes_things_back(void **state)
{
	(void)state;

	send_two();
	check(SENT(TO_TEAM, .key = "1", .msg_id = 3), "ok");
	PQclear(ask_on(db, ADD(4, BOBS, "alice", 1, "a")));
	run_sql("insert into block (uid, blocked) values ('bob', 'alice')");
	run_sql("update account set has_blocks = true where uid = 'bob'");
	check(SENT(TO_BOB, .key = "9", .msg_id = 5), "blocked");
	assert_text(ADD(6, BOBS, "alice", 1, "b"), "blocked 0");
	assert_text(EDIT_OF_1(7), "blocked 0");
	assert_text(ADD(8, BOBS, "bob", 1, "b"),
	            "ok 4 bob 1 {\"op\":\"add\",\"emoji\":\"b\"}"); /* the one who blocks writes, too */
	assert_text(ADD(9, "g:team", "alice", 1, "b"), "ok 2 alice 1 {\"op\":\"add\",\"emoji\":\"b\"}");
	assert_text(REMOVE(10, BOBS, "alice", 1, "a"), "ok 5 alice 1 {\"op\":\"remove\",\"emoji\":\"a\"}");
	run_sql("delete from block");
	run_sql("update account set messages_from = 'friends' where uid = 'bob'");
	assert_text(ADD(11, BOBS, "alice", 1, "a"), "not_friend 0");
	assert_text(EDIT_OF_1(12), "not_friend 0");
	assert_text(RECALL_OF_1, "ok 6 alice 1");
	run_sql("update account set messages_from = null where uid = 'bob'");
	assert_text(ANSWER "fn.entry_react(7, 3, 13, 1000, '" BOBS "', 'alice', 2, 'x', true, 2, true)", "not_friend 0");
	assert_text(ADD(14, BOBS, "alice", 2, "a"), "ok 7 alice 2 {\"op\":\"add\",\"emoji\":\"a\"}");
}

/* ---- at the same time ---- */

static void two_same_reactions_at_once_are_one_entry(void **state)
{
	char first[400];
	(void)state;

	send_two();
	assert_race(react(first, 3, BOBS, "bob", 1, "add", "a"), ADD(4, BOBS, "bob", 1, "a"),
	            "ok 3 D bob 1 {\"op\":\"add\",\"emoji\":\"a\"}");
	assert_shown("bob", BOBS, "1: 1 + a");
}

static void reactions_of_two_users_at_once_are_both_counted(void **state)
{
	char first[400];
	(void)state;

	send_two();
	assert_race(react(first, 3, BOBS, "bob", 1, "add", "a"), ADD(4, BOBS, "alice", 1, "a"),
	            "ok 4 alice 1 {\"op\":\"add\",\"emoji\":\"a\"}");
	assert_shown("bob", BOBS, "1: 2 + a");
}

static void one_removed_twice_at_once_is_removed_once(void **state)
{
	char first[400];
	(void)state;

	send_two();
	PQclear(ask_on(db, ADD(3, BOBS, "bob", 1, "a")));
	PQclear(ask_on(db, ADD(4, BOBS, "alice", 1, "a")));
	assert_race(react(first, 5, BOBS, "bob", 1, "remove", "a"), REMOVE(6, BOBS, "bob", 1, "a"), "not_found 0");
	assert_shown("bob", BOBS, "1: 1 - a");
}

static void a_reaction_behind_a_recall_is_refused(void **state)
{
	(void)state;

	send_two();
	assert_race(RECALL_OF_1, ADD(3, BOBS, "bob", 1, "a"), "failed_precondition recalled 0");
	assert_int_equal(ask_number("select count(*) from reaction"), 0);
}

static void a_recall_behind_a_reaction_is_the_later_entry(void **state)
{
	(void)state;

	send_two();
	assert_race(ADD(3, BOBS, "bob", 1, "a"), RECALL_OF_1, "ok 4 alice 1");
	assert_text("select string_agg(body, ' ' order by seq) from fn.history('bob', '" BOBS
	            "', 0, null, 50, 1000) where seq <> 2",
	            "{\"op\":\"add\",\"emoji\":\"a\"}"); /* the reaction keeps its emoji */
}

/* ---- many ---- */

/* Rows of both tables that this session has read in a while; the difference of two is exact within a transaction. */
static long rows_read(void)
{
	return ask_number("select sum(seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables"
	                  " where relname in ('reaction', 'reaction_count')");
}

static void a_message_with_thousands_of_reactions_is_shown_and_changed_by_a_few_rows(void **state)
{
	enum { USERS = 2000, AT_ONCE = 200 };
	(void)state;

	check(SENT(TO_TEAM, .key = "1", .msg_id = 1), "ok");
	run_sqlf("insert into group_member (no, uid) select no, 'm' || n from chat_group, generate_series(1, %d) n", USERS);
	for (int from = 1; from <= USERS; from += AT_ONCE)
		run_sqlf("select fn.entry_react(7, 3, 100 + n, 1000, 'g:team', 'm' || n, 1, 'a', true, 2, false)"
		         " from generate_series(%d, %d) n",
		         from, from + AT_ONCE - 1);
	run_sql("begin");
	long before = rows_read();
	assert_shown("m7", "g:team", "1: 2000 + a");
	assert_shown("bob", "g:team", "1: 2000 - a");
	assert_text("select reactions from fn.reactions_of('m7', '{g:team}', '{1}', '{true}')", "2000 + a");
	assert_true(rows_read() - before <= 6); /* a count, and the reader's own row, for each of three pages */
	before = rows_read();
	assert_text(REMOVE(9001, "g:team", "m1", 1, "a"), "ok 2002 m1 1 {\"op\":\"remove\",\"emoji\":\"a\"}");
	assert_text(ADD(9002, "g:team", "m1", 1, "a"), "ok 2003 m1 1 {\"op\":\"add\",\"emoji\":\"a\"}");
	assert_true(rows_read() - before <= 20);
	run_sql("commit");
	assert_text("select concat_ws(' ', count, first_seq) from reaction_count", "2000 3");
}

/* ---- the bodies that a message has had ---- */

static void assert_edits(const char *arguments, const char *expected)
{
	char page[300];

	snprintf(
		page, sizeof(page),
		"select string_agg(concat_ws(' ', verdict, case when has_more then '>' end, seq, time, sender, body), ', ' order by seq) from fn.message_edits(%s)",
		arguments);
	assert_text(page, expected);
}

static void the_bodies_of_a_message_begin_with_its_own_and_stay_when_it_is_recalled(void **state)
{
	(void)state;

	send_two();
	assert_edits("'" BOBS "', 1, null, 10, 1000", "ok 1 1000 alice {\"text\":\"hi\"}");
	PQclear(ask_on(db, EDIT_OF_1(3)));
	PQclear(ask_on(db, ADD(4, BOBS, "alice", 1, "a")));
	PQclear(ask_on(db, EDIT_OF_1(5)));
	PQclear(ask_on(db, RECALL_OF_1));
	assert_edits("'" BOBS "', 1, null, 10, 1000",
	             "ok 1 1000 alice {\"text\":\"hi\"}, ok 3 1000 alice {\"text\":\"x\"}, ok 5 1000 alice {\"text\":\"x\"}");
	assert_edits("'" BOBS "', 1, null, 2, 1000", "ok > 1 1000 alice {\"text\":\"hi\"}, ok > 3 1000 alice {\"text\":\"x\"}");
	assert_edits("'" BOBS "', 1, null, 3, 13", "ok > 1 1000 alice {\"text\":\"hi\"}"); /* a body of 13 bytes */
	assert_edits("'" BOBS "', 1, null, 3, 14", "ok > 1 1000 alice {\"text\":\"hi\"}, ok > 3 1000 alice {\"text\":\"x\"}");
	assert_edits("'" BOBS "', 1, 3, 10, 1000", "ok 5 1000 alice {\"text\":\"x\"}");
	assert_edits("'" BOBS "', 1, 5, 10, 1000", "ok");
	assert_edits("'" BOBS "', 2, null, 10, 1000", "ok 2 1000 alice {\"text\":\"hi\"}");
}

static void there_are_no_edits_of_what_is_no_message(void **state)
{
	(void)state;

	send_two();
	PQclear(ask_on(db, EDIT_OF_1(3)));
	assert_edits("'" BOBS "', 3, null, 10, 1000", "not_found");
	assert_edits("'" BOBS "', 9, null, 10, 1000", "not_found");
	assert_edits("'u:no:one', 1, null, 10, 1000", "not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			a_reaction_is_an_entry_that_neither_counts_nor_moves_and_the_same_again_is_the_same_entry, reset),
		cmocka_unit_test_setup(a_removed_reaction_is_an_entry_and_may_be_added_again_as_another_one, reset),
		cmocka_unit_test_setup(an_emoji_with_quotes_is_kept_as_it_is, reset),
		cmocka_unit_test_setup(reactions_are_shown_by_emoji_in_the_order_of_the_first_that_stands, reset),
		cmocka_unit_test_setup(reactions_of_named_messages_are_those_of_history, reset),
		cmocka_unit_test_setup(a_former_member_sees_the_reactions_from_when_it_was_a_member, reset),
		cmocka_unit_test_setup(reactions_count_for_the_bytes_of_a_page, reset),
		cmocka_unit_test_setup(a_reaction_is_refused_to_strangers_and_to_an_entry_that_is_no_message_or_recalled,
		                       reset),
		cmocka_unit_test_setup(a_message_that_has_expired_takes_no_reaction_and_keeps_those_that_it_has, reset),
		cmocka_unit_test_setup(a_member_cannot_react_to_a_message_that_its_history_does_not_show, reset),
		cmocka_unit_test_setup(muted_members_react, reset),
		cmocka_unit_test_setup(a_message_has_a_limit_of_different_emojis_and_none_of_users, reset),
		cmocka_unit_test_setup(
			who_may_not_write_to_the_other_side_neither_edits_nor_reacts_but_takes_things_back, reset),
		cmocka_unit_test_setup(two_same_reactions_at_once_are_one_entry, reset),
		cmocka_unit_test_setup(reactions_of_two_users_at_once_are_both_counted, reset),
		cmocka_unit_test_setup(one_removed_twice_at_once_is_removed_once, reset),
		cmocka_unit_test_setup(a_reaction_behind_a_recall_is_refused, reset),
		cmocka_unit_test_setup(a_recall_behind_a_reaction_is_the_later_entry, reset),
		cmocka_unit_test_setup(a_message_with_thousands_of_reactions_is_shown_and_changed_by_a_few_rows, reset),
		cmocka_unit_test_setup(the_bodies_of_a_message_begin_with_its_own_and_stay_when_it_is_recalled, reset),
		cmocka_unit_test_setup(there_are_no_edits_of_what_is_no_message, reset),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
