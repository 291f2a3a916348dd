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

/* Changes of a group's membership (functions/08_groups.sql), against a real server. */

/* One line of a fn.entry_answer: status, detail, seq, D for a duplicate, member_version, who joined, who left, body. */
#define ANSWER \
	"select concat_ws(' ', status, coalesce(detail, '-'), coalesce(seq, 0), case when duplicate then 'D' end," \
	" coalesce(member_version, 0), '+' || array_to_string(joined, ','), '-' || array_to_string(\"left\", ','), body) from "

static const char *add(char out[400], const char *actor, long msg_id, const char *uids)
{
	snprintf(out, 400, ANSWER "fn.group_members_add(7, 3, %ld, 2000, 'team', '%s', string_to_array('%s', ','), 4)", msg_id,
	         actor, uids);
	return out;
}

static const char *take_out(char out[400], const char *actor, long msg_id, const char *uid)
{
	snprintf(out, 400, ANSWER "fn.group_member_remove(7, 3, %ld, 2000, 'team', '%s', '%s')", msg_id, actor, uid);
	return out;
}

static const char *set_role(char out[400], const char *actor, long msg_id, const char *uid, int role)
{
	snprintf(out, 400, ANSWER "fn.group_member_role(7, 3, %ld, 2000, 'team', '%s', '%s', %d::smallint)", msg_id,
	         actor, uid, role);
	return out;
}

static char sql[400];
#define ADD(...) add(sql, __VA_ARGS__)
#define REMOVE(...) take_out(sql, __VA_ARGS__)
#define ROLE(...) set_role(sql, __VA_ARGS__)

static void assert_members(const char *expected)
{
	assert_text("select string_agg(concat_ws(' ', uid, role, since_seq, read_seq, read_counted), ', ' order by uid)"
	            " from group_member",
	            expected);
}

/* ---- adding ---- */

static void an_added_user_receives_the_entry_and_has_read_everything_before_it(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .key = "1", .msg_id = 1), "ok");
	check(SENT(TO_TEAM, .key = "2", .msg_id = 2), "ok");
	assert_text(ADD("bob", 3, "carol,bob,carol,dave"),
	            "ok - 3 3 +carol,dave {\"event\":\"added\",\"actor\":\"bob\",\"uids\":[\"carol\",\"dave\"]}");
	assert_members("alice 2 0 2 2, bob 0 0 0 0, carol 0 2 2 2, dave 0 2 2 2");
	assert_text("select concat_ws(' ', member_version, member_count) from chat_group", "3 4");
	assert_text("select concat_ws(' ', type, sender, time, counted, client_msg_id) from message where seq = 3",
	            "40 bob 2000 2");
	assert_text("select concat_ws(' ', last_seq, counted) from conversation", "3 2");
	check(SENT(TO_TEAM, .sender = "carol", .msg_id = 4), "ok");
}

static void adding_only_members_changes_nothing(void **state)
{
	(void)state;

	assert_text(ADD("alice", 1, "bob,alice"), "none - 0 0");
	assert_int_equal(ask_number("select count(*) from message"), 0);
	assert_text("select concat_ws(' ', member_version, member_count) from chat_group", "0 2");
}

static void an_unknown_user_a_full_group_and_a_caller_without_the_right_are_refused_and_nobody_is_added(void **state)
{
	(void)state;

	assert_text(ADD("alice", 1, "carol,zoe,yan"), "not_found zoe 0 0");
	run_sql("insert into account (uid, name) values ('erin', 'e')");
	assert_text(ADD("alice", 2, "carol,dave,erin"), "failed_precondition - 0 0");
	assert_text(ADD("carol", 3, "dave"), "not_member - 0 0");
	run_sql("update chat_group set join_mode = 'approval'");
	assert_text(ADD("bob", 4, "dave"), "permission_denied - 0 0");
	run_sql("update chat_group set dissolved_at = 1");
	assert_text(ADD("alice", 5, "dave"), "not_found - 0 0");
	assert_text(ANSWER "fn.group_members_add(7, 3, 6, 2000, 'none', 'alice', array['bob'], 4)", "not_found - 0 0");
	assert_text(ANSWER "fn.group_members_add(7, 2, 7, 2000, 'team', 'alice', array['carol'], 4)", "lease - 0 0");
	assert_int_equal(ask_number("select count(*) from message"), 0);
	assert_members("alice 2 0 0 0, bob 0 0 0 0");
}

static void a_repeat_gets_the_first_answer_whatever_has_changed_since(void **state)
{
	(void)state;

	assert_text(ADD("bob", 1, "carol"), "ok - 1 1 +carol {\"event\":\"added\",\"actor\":\"bob\",\"uids\":[\"carol\"]}");
	assert_text(REMOVE("alice", 2, "bob"), "ok - 2 2 -bob {\"event\":\"removed\",\"actor\":\"alice\",\"uid\":\"bob\"}");
	assert_text(ADD("bob", 1, "carol"), "ok - 1 D 1 +carol {\"event\":\"added\",\"actor\":\"bob\",\"uids\":[\"carol\"]}");
	assert_text(REMOVE("alice", 2, "bob"), "ok - 2 D 2 -bob {\"event\":\"removed\",\"actor\":\"alice\",\"uid\":\"bob\"}");
	assert_int_equal(ask_number("select last_seq from conversation"), 2);
}

/* ---- removing, leaving, roles ---- */

static void a_user_who_is_removed_or_leaves_is_no_member_from_that_entry_on(void **state)
{
	(void)state;

	assert_text(ADD("alice", 1, "carol"), "ok - 1 1 +carol {\"event\":\"added\",\"actor\":\"alice\",\"uids\":[\"carol\"]}");
	assert_text(REMOVE("alice", 2, "bob"), "ok - 2 2 -bob {\"event\":\"removed\",\"actor\":\"alice\",\"uid\":\"bob\"}");
	assert_text(REMOVE("carol", 3, "carol"), "ok - 3 3 -carol {\"event\":\"left\",\"actor\":\"carol\"}");
	check(SENT(TO_TEAM, .sender = "bob", .msg_id = 4), "not_member");
	assert_members("alice 2 0 0 0");
	assert_text("select concat_ws(' ', member_version, member_count) from chat_group", "3 1");
}

static void the_owner_may_not_leave_and_nobody_may_remove_an_equal(void **state)
{
	(void)state;

	assert_text(REMOVE("alice", 1, "alice"), "failed_precondition - 0 0");
	assert_text(REMOVE("bob", 2, "alice"), "permission_denied - 0 0");
	assert_text(REMOVE("alice", 3, "carol"), "not_found carol 0 0");
	assert_text(REMOVE("carol", 4, "carol"), "not_member - 0 0");
	assert_members("alice 2 0 0 0, bob 0 0 0 0");
}

static void the_owner_gives_a_role_and_an_entry_announces_it(void **state)
{
	(void)state;

	assert_text(ROLE("bob", 1, "bob", 1), "permission_denied - 0 0");
	assert_text(ROLE("alice", 2, "bob", 2), "invalid_argument - 0 0");
	assert_text(ROLE("alice", 3, "bob", 0), "none - 0 0");
	assert_text(ROLE("alice", 4, "alice", 0), "failed_precondition - 0 0");
	assert_text(ROLE("alice", 5, "bob", 1),
	            "ok - 1 0 {\"event\":\"role\",\"actor\":\"alice\",\"uid\":\"bob\",\"role\":\"admin\"}");
	assert_text(ROLE("alice", 5, "bob", 1),
	            "ok - 1 D 0 {\"event\":\"role\",\"actor\":\"alice\",\"uid\":\"bob\",\"role\":\"admin\"}");
	check(SENT(TO_TEAM, .sender = "bob", .mentions = "*", .msg_id = 6), "ok");
	assert_text(ROLE("alice", 7, "bob", 0),
	            "ok - 3 0 {\"event\":\"role\",\"actor\":\"alice\",\"uid\":\"bob\",\"role\":\"member\"}");
}

/* ---- at the same time ---- */

static void two_callers_who_add_the_same_user_at_once_add_it_once(void **state)
{
	PGconn *first = open_connection(), *second = open_connection();
	(void)state;

	PQclear(ask_on(first, "begin"));
	PQclear(ask_on(first, ADD("alice", 1, "carol")));
	ask_and_wait(second, ADD("bob", 2, "carol,dave"));
	PQclear(ask_on(first, "commit"));
	assert_answer(second, "ok - 2 2 +dave {\"event\":\"added\",\"actor\":\"bob\",\"uids\":[\"dave\"]}");
	assert_int_equal(ask_number("select member_count from chat_group"), 4);
	assert_int_equal(ask_number("select count(*) from group_member"), 4);
	PQfinish(first);
	PQfinish(second);
}

static void a_send_behind_the_removal_of_its_sender_is_refused(void **state)
{
	PGconn *first = open_connection(), *second = open_connection();
	const struct sent send = SENT(TO_TEAM, .sender = "bob", .msg_id = 2);
	struct buf call = { 0 };
	(void)state;

	write_call(&call, NODE, EPOCH, &send, 1);
	PQclear(ask_on(first, "begin"));
	PQclear(ask_on(first, REMOVE("alice", 1, "bob")));
	ask_and_wait(second, buf_text(&call));
	PQclear(ask_on(first, "commit"));
	assert_answer(second, "not_member");
	buf_release(&call);
	PQfinish(first);
	PQfinish(second);
}

static void a_removal_behind_a_send_comes_after_it_and_the_send_has_the_version_before(void **state)
{
	PGconn *first = open_connection(), *second = open_connection();
	const struct sent send = SENT(TO_TEAM, .sender = "bob", .msg_id = 1);
	(void)state;

	PQclear(ask_on(first, "begin"));
	PGresult *sent = send_on(first, NODE, EPOCH, &send, 1);
	assert_string_equal(PQgetvalue(sent, 0, 4), "0");
	PQclear(sent);
	ask_and_wait(second, REMOVE("alice", 2, "bob"));
	PQclear(ask_on(first, "commit"));
	assert_answer(second, "ok - 2 2 -bob {\"event\":\"removed\",\"actor\":\"alice\",\"uid\":\"bob\"}");
	PQfinish(first);
	PQfinish(second);
}

/* ---- the members as of a version ---- */

#define PEOPLE 9
#define CHANGES 80

static void note_members(char out[128], unsigned members)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < PEOPLE; i++)
		if (members & 1u << i)
			len += (size_t)snprintf(out + len, 128 - len, "%sp%u", len ? "," : "", i);
}

/* Pages of `limit`, one after the other. */
static void read_members_as_of(char out[128], long version, int limit)
{
	char after[8] = "";
	size_t len = 0;
	int rows;

	out[0] = '\0';
	do {
		char page[160];
		snprintf(page, sizeof(page), "select uid from fn.members_as_of('g:crowd', %ld, '%s', %d)", version, after, limit);
		PGresult *result = ask_on(db, page);
		rows = PQntuples(result);
		assert_true(rows <= limit);
		for (int i = 0; i < rows; i++) {
			snprintf(after, sizeof(after), "%s", PQgetvalue(result, i, 0));
			len += (size_t)snprintf(out + len, 128 - len, "%s%s", len ? "," : "", after);
		}
		PQclear(result);
	} while (rows == limit);
}

static void the_members_as_of_each_version_are_those_of_a_naive_history(void **state)
{
	char expected[CHANGES + 1][128], found[128];
	unsigned members = 7, seed = 4711;
	(void)state;

	run_sql("insert into account (uid, name) select 'p' || n, 'p' from generate_series(0, 8) n");
	run_sql("select fn.im_group_create('crowd', 'C', 'p0', 'invite', 'all', array['p1', 'p2'])");
	note_members(expected[0], members);
	for (int i = 1; i <= CHANGES; i++) {
		unsigned who = 1 + (unsigned)rand_r(&seed) % (PEOPLE - 1);
		if (rand_r(&seed) % 4 == 0) /* an entry that changes no membership */
			run_sqlf(
				"select fn.entry_append(no, %d, 0, 'p0', 'system', '{}', null) from conversation where id = 'g:crowd'",
				i);
		else if (members & 1u << who)
			run_sqlf("select fn.group_member_remove(7, 3, %d, 0, 'crowd', 'p0', 'p%u')", i, who);
		else
			run_sqlf("select fn.group_members_add(7, 3, %d, 0, 'crowd', 'p0', array['p%u', 'p%u'], 100)", i, who,
			         1 + who % (PEOPLE - 1));
		members = (unsigned)ask_number(
			"select sum(1 << substr(uid, 2)::integer) from group_member join conversation using (no)"
			" where id = 'g:crowd'");
		note_members(expected[i], members);
	}
	assert_int_equal(ask_number("select last_seq from conversation where id = 'g:crowd'"), CHANGES);
	for (long version = 0; version <= CHANGES; version++)
		for (int limit = 2; limit <= PEOPLE + 1; limit += 4) {
			read_members_as_of(found, version, limit);
			if (strcmp(found, expected[version]) != 0)
				fail_msg("version %ld, pages of %d: %s, not %s", version, limit, found, expected[version]);
		}
}

static void a_conversation_that_does_not_exist_has_no_members(void **state)
{
	(void)state;

	assert_int_equal(ask_number("select count(*) from fn.members_as_of('g:none', 1, '', 10)"), 0);
	check(SENT(TO_BOB, .msg_id = 1), "ok");
	assert_int_equal(ask_number("select count(*) from fn.members_as_of('u:alice:bob', 1, '', 10)"), 0);
}

/* ---- listing ---- */

static void members_are_listed_by_page_to_members_alone(void **state)
{
	(void)state;

	run_sql(ADD("alice", 1, "carol,dave"));
	assert_text("select string_agg(concat_ws(' ', verdict, uid, role), ', ') from fn.members('bob', 'team', '', 2)",
	            "ok alice 2, ok bob 0");
	assert_text("select string_agg(concat_ws(' ', verdict, uid, role), ', ') from fn.members('bob', 'team', 'bob', 9)",
	            "ok carol 0, ok dave 0");
	assert_text("select string_agg(concat_ws(' ', verdict, uid), ', ') from fn.members('bob', 'team', 'dave', 9)", "ok");
	assert_text("select string_agg(concat_ws(' ', verdict, uid), ', ') from fn.members('zoe', 'team', '', 9)", "not_member");
	assert_text("select string_agg(concat_ws(' ', verdict, uid), ', ') from fn.members('bob', 'none', '', 9)", "not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_added_user_receives_the_entry_and_has_read_everything_before_it, reset),
		cmocka_unit_test_setup(adding_only_members_changes_nothing, reset),
		cmocka_unit_test_setup(
			an_unknown_user_a_full_group_and_a_caller_without_the_right_are_refused_and_nobody_is_added,
			reset),
		cmocka_unit_test_setup(a_repeat_gets_the_first_answer_whatever_has_changed_since, reset),
		cmocka_unit_test_setup(a_user_who_is_removed_or_leaves_is_no_member_from_that_entry_on, reset),
		cmocka_unit_test_setup(the_owner_may_not_leave_and_nobody_may_remove_an_equal, reset),
		cmocka_unit_test_setup(the_owner_gives_a_role_and_an_entry_announces_it, reset),
		cmocka_unit_test_setup(two_callers_who_add_the_same_user_at_once_add_it_once, reset),
		cmocka_unit_test_setup(a_send_behind_the_removal_of_its_sender_is_refused, reset),
		cmocka_unit_test_setup(a_removal_behind_a_send_comes_after_it_and_the_send_has_the_version_before,
		                       reset),
		cmocka_unit_test_setup(the_members_as_of_each_version_are_those_of_a_naive_history, reset),
		cmocka_unit_test_setup(a_conversation_that_does_not_exist_has_no_members, reset),
		cmocka_unit_test_setup(members_are_listed_by_page_to_members_alone, reset),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
