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

/* The leases of node numbers, and what a takeover reads (functions/03_leases.sql), against a real server. */

static const char *status_of(const PGresult *result, int row)
{
	return PQgetvalue(result, row, 0);
}

#define NOW_AS_ID "fn.id_at(fn.now_ms())"

static void a_lease_takes_a_fresh_or_returned_number_and_never_one_with_an_owner(void **state)
{
	(void)state;

	run_sql("truncate node_lease");
	run_sql("insert into node_lease select n, 5, case when n <> 20 then 'x' end,"
	        " now() + case when n in (10, 20) then interval '-1 hour' else interval '1 hour' end, 77"
	        " from generate_series(0, 1023) n where n <> 30");
	assert_int_equal(ask_number("select node from fn.im_lease_take('me', 60000) where epoch = 6"), 20);
	assert_int_equal(ask_number("select node from fn.im_lease_take('me', 60000) where epoch = 1"), 30);
	assert_int_equal(ask_number("select count(*) from fn.im_lease_take('me', 60000)"), 0);
	assert_int_equal(ask_number("select count(*) from node_lease where owner = 'me' and expires_at > now()"), 2);
}

static void a_lease_begins_with_its_watermark_at_the_present_or_above_all_that_was_used(void **state)
{
	(void)state;

	run_sql("truncate node_lease");
	run_sql("insert into node_lease values (0, 5, null, now(), 77)");
	assert_int_equal(ask_number("select count(*) from fn.im_lease_take('me', 60000)"
	                            " where watermark between " NOW_AS_ID " - (60000::bigint << 22) and " NOW_AS_ID),
	                 1);
	/* The clock of its former owner was a day ahead. */
	run_sql("update node_lease set owner = null, watermark = " NOW_AS_ID " + (86400000::bigint << 22)");
	assert_int_equal(
		ask_number("select count(*) from fn.im_lease_take('me', 60000) where node = 0 and watermark > " NOW_AS_ID),
		1);
}

#define TAKE_OVER "select epoch from fn.im_lease_take_over('me', -1, 60000)"
#define IS_TAKEN_OVER "select count(*) from fn.im_lease_take_over('me', -1, 60000)"

static void a_takeover_waits_for_the_last_batch_of_the_number(void **state)
{
	PGconn *owner = open_connection();
	const struct sent send = SENT(TO_BOB, .msg_id = NODE << 12 | 1);
	(void)state;

	PQclear(ask_on(owner, "begin"));
	PQclear(send_on(owner, NODE, EPOCH, &send, 1));
	run_sql("update node_lease set expires_at = clock_timestamp()");
	assert_int_equal(ask_number(IS_TAKEN_OVER), 0);
	PQclear(ask_on(owner, "commit"));
	PGresult *result = ask_on(db, "select epoch, owner, last from fn.im_lease_take_over('me', -1, 60000)");
	assert_int_equal(PQntuples(result), 1);
	assert_string_equal(PQgetvalue(result, 0, 0), "4");
	assert_string_equal(PQgetvalue(result, 0, 1), "test");
	assert_int_equal(strtol(PQgetvalue(result, 0, 2), NULL, 10), send.msg_id); /* the caretaker sees it */
	PQclear(result);
	result = send_on(owner, NODE, EPOCH, &send, 1);
	assert_string_equal(status_of(result, 0), "lease");
	PQclear(result);
	PQfinish(owner);
}

static void a_takeover_ends_a_session_whose_last_batch_never_ends(void **state)
{
	PGconn *owner = open_connection();
	const struct sent send = SENT(TO_BOB, .msg_id = NODE << 12 | 1);
	(void)state;

	PQclear(ask_on(owner, "begin"));
	PQclear(send_on(owner, NODE, EPOCH, &send, 1));
	run_sql("update node_lease set expires_at = now() - interval '3 seconds'");
	while (ask_number(IS_TAKEN_OVER) == 0)
		;
	assert_int_equal(ask_number("select count(*) from message"), 0);
	assert_int_equal(PQstatus(db), CONNECTION_OK); /* the taker is not the holder */
	PQfinish(owner);
}

#define RAISE "fn.im_lease_raise(7, 3, 'test', 0, 60000, "

static void a_raise_fences_what_has_not_begun_and_answers_the_same_when_it_is_asked_again(void **state)
{
	const struct sent send = SENT(TO_BOB, .msg_id = NODE << 12 | 1);
	(void)state;

	assert_int_equal(ask_number("select epoch from " RAISE "false)"), EPOCH + 1);
	assert_int_equal(ask_number("select epoch from " RAISE "false)"), EPOCH + 1);
	PGresult *result = send_on(db, NODE, EPOCH, &send, 1);
	assert_string_equal(status_of(result, 0), "lease");
	PQclear(result);
	result = send_on(db, NODE, EPOCH + 1, &send, 1);
	assert_string_equal(status_of(result, 0), "ok");
	PQclear(result);
	run_sql("update node_lease set owner = 'caretaker test'");
	assert_int_equal(ask_number("select count(*) from " RAISE "false)"), 0);
	run_sql("update node_lease set owner = 'test', epoch = 5");
	assert_int_equal(ask_number("select count(*) from " RAISE "false)"), 0);
}

static void a_raise_waits_for_a_statement_at_work_keeps_the_lease_and_ends_that_session_in_the_end(void **state)
{
	PGconn *owner = open_connection();
	const struct sent send = SENT(TO_BOB, .msg_id = NODE << 12 | 1);
	(void)state;

	PQclear(ask_on(owner, "begin"));
	PQclear(send_on(owner, NODE, EPOCH, &send, 1));
	run_sql("update node_lease set expires_at = clock_timestamp()");
	assert_int_equal(ask_number("select epoch from " RAISE "false)"), EPOCH);
	assert_int_equal(ask_number("select count(*) from node_lease where expires_at > clock_timestamp()"), 1);
	while (ask_number("select epoch from " RAISE "true)") == EPOCH)
		;
	assert_int_equal(ask_number("select epoch from node_lease"), EPOCH + 1);
	assert_int_equal(ask_number("select count(*) from message"), 0);
	PQfinish(owner);
}

static void only_a_lease_that_is_over_and_has_an_owner_is_taken_over(void **state)
{
	static const struct {
		const char *lease;
		long is_taken;
	} cases[] = {
		{ "values (5, 1, 'x', now() - interval '1 s', 0)", 1 },
		{ "values (5, 1, 'x', now() + interval '10 s', 0)", 0 },
		{ "values (5, 1, null, now() - interval '1 s', 0)", 0 },
		{ "values (5, 1, 'x', now() + interval '1 day', 0)", 1 }, /* the server's clock was set back by a day */
		{ "values (6, 1, 'x', now() - interval '1 s', 0)", 0 }, /* the caller's own */
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char sql[120];
		run_sql("truncate node_lease");
		snprintf(sql, sizeof(sql), "insert into node_lease %s", cases[i].lease);
		run_sql(sql);
		assert_int_equal(ask_number("select count(*) from fn.im_lease_take_over('me', 6, 60000)"), cases[i].is_taken);
		assert_int_equal(ask_number(IS_TAKEN_OVER), i == 4); /* not twice */
	}
}

static void a_caretaker_whose_lease_is_over_is_replaced(void **state)
{
	(void)state;

	run_sql("update node_lease set expires_at = now()");
	assert_int_equal(ask_number("select epoch from fn.im_lease_take_over('first', -1, 0)"), EPOCH + 1);
	assert_int_equal(ask_number("select epoch from fn.im_lease_take_over('second', -1, 60000)"
	                            " where owner = 'caretaker first'"),
	                 EPOCH + 2);
	assert_int_equal(ask_number(IS_TAKEN_OVER), 0);
}

/* Stores `count` messages of NODE and of three other nodes: one id per millisecond and node, from `first` on. */
static void store_messages(long first, long count)
{
	char sql[640];

	snprintf(
		sql, sizeof(sql),
		"insert into conversation (id, kind) select 'u:' || n || ':' || i, 1 from unnest(array[%d, 1, 2, 3]) n,"
		" generate_series(0, 9) i;"
		"insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)"
		" select no, i / 10 + 1, (i << 22) | (n << 12), 5, i / 10 + 1, fn.entry_key(no, 'alice ' || i), 1, 'alice', i, 'body'"
		" from generate_series(%ld::bigint, %ld) i, unnest(array[%d, 1, 2, 3]) n, conversation"
		" where id = 'u:' || n || ':' || i %% 10 order by i",
		NODE, first, first + count - 1, NODE);
	run_sql(sql);
}

static void a_page_of_the_unpublished_is_bounded_in_number_and_bytes_and_says_whether_it_is_whole(void **state)
{
	static const struct {
		long after, upto, count, bytes; /* in milliseconds */
		long first, rows;
		const char *is_whole;
	} pages[] = {
		/* clang-format off */
		{ 0, 1000, 1000, 1000000, 1, 100, "t" },
		{ 0, 1000, 100, 1000000, 1, 100, "t" },
		{ 0, 1000, 99, 1000000, 1, 99, "f" },
		{ 40, 60, 100, 1000000, 41, 20, "t" },
		{ 0, 1000, 100, 9, 1, 3, "f" }, /* bodies are of 4 bytes */
		{ 0, 1000, 100, 1, 1, 1, "f" },
		/* clang-format on */
	};
	(void)state;

	store_messages(1, 100);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		char sql[200];
		snprintf(sql, sizeof(sql), "select is_whole, msg_id >> 22, (msg_id >> 12) & 1023 from fn.im_unpublished(%d,"
		         " (%ld::bigint << 22) | (7 << 12), (%ld::bigint << 22) | (7 << 12), %ld, %ld)",
		         NODE, pages[i].after, pages[i].upto, pages[i].count, pages[i].bytes);
		PGresult *result = ask_on(db, sql);
		assert_int_equal(PQntuples(result), pages[i].rows);
		for (int row = 0; row < PQntuples(result); row++) {
			assert_string_equal(PQgetvalue(result, row, 0), pages[i].is_whole);
			assert_int_equal(strtol(PQgetvalue(result, row, 1), NULL, 10), pages[i].first + row);
			assert_int_equal(strtol(PQgetvalue(result, row, 2), NULL, 10), NODE);
		}
		PQclear(result);
	}
}

static void the_unpublished_carry_all_of_a_record_with_the_membership_as_of_each(void **state)
{
	const struct sent sends[] = { SENT(TO_BOB, .key = "1", .msg_id = NODE << 12 | 1),
		                      SENT(TO_TEAM, .key = "2", .msg_id = NODE << 12 | 2, .mentions = "bob,alice"),
		                      SENT(TO_TEAM, .key = "3", .msg_id = NODE << 12 | 4, .type = "custom", .body = "{}") };
	(void)state;

	PQclear(send_all(sends, 2));
	run_sql("select fn.group_members_add(7, 3, 7 << 12 | 3, 2000, 'team', 'bob', array['carol', 'dave'], 100)");
	PQclear(send_all(&sends[2], 1));
	PGresult *result = ask_on(
		db, "select string_agg(concat_ws('|', conversation_id, seq, sender, coalesce(client_msg_id, '-'), type, body, time,"
		    " coalesce(mentions, '-'), coalesce(member_version, 0), array_to_string(joined, '+')), ' ')"
		    " from fn.im_unpublished(7, 0, 1::bigint << 60, 10, 1000)");
	assert_string_equal(
		PQgetvalue(result, 0, 0),
		"u:alice:bob|1|alice|1|text|{\"text\":\"hi\"}|1000|-|0"
		" g:team|1|alice|2|text|{\"text\":\"hi\"}|1000|bob,alice|0"
		" g:team|2|bob|-|system|{\"event\":\"added\",\"actor\":\"bob\",\"uids\":[\"carol\",\"dave\"]}|2000|-|2|carol+dave"
		" g:team|3|alice|3|custom|{}|1000|-|2");
	PQclear(result);
}

/*
 * Pages of 8 kB of messages that the statement itself reads: what a transaction counts is its own. The counters of the whole
 * server get what other sessions and autovacuum did, at any time later.
 */
static long pages_read_by(const char *sql)
{
	PGconn *fresh = open_connection();

	PQclear(ask_on(fresh, "begin"));
	PQclear(ask_on(fresh, sql));
	PGresult *result = ask_on(fresh, "select pg_stat_get_xact_blocks_fetched('message'::regclass)");
	long pages = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	PQclear(ask_on(fresh, "commit"));
	PQfinish(fresh);
	return pages;
}

static void a_takeover_reads_as_much_as_is_new_and_not_as_much_as_is_stored(void **state)
{
	(void)state;

	store_messages(1, 40000);
	run_sql("select brin_summarize_new_values('message_by_id')");
	long all = ask_number("select pg_relation_size('message') / 8192");
	run_sql("update node_lease set watermark = 39900::bigint << 22, expires_at = now()");
	assert_in_range(pages_read_by(TAKE_OVER), 1, all / 10);
	assert_in_range(
		pages_read_by(
			"select * from fn.im_unpublished(7, 39900::bigint << 22, 39950::bigint << 22, 100, 100000)"),
		1, all / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_lease_takes_a_fresh_or_returned_number_and_never_one_with_an_owner, reset),
		cmocka_unit_test_setup(a_lease_begins_with_its_watermark_at_the_present_or_above_all_that_was_used,
		                       reset),
		cmocka_unit_test_setup(a_takeover_waits_for_the_last_batch_of_the_number, reset),
		cmocka_unit_test_setup(a_takeover_ends_a_session_whose_last_batch_never_ends, reset),
		cmocka_unit_test_setup(a_raise_fences_what_has_not_begun_and_answers_the_same_when_it_is_asked_again,
		                       reset),
		cmocka_unit_test_setup(
			a_raise_waits_for_a_statement_at_work_keeps_the_lease_and_ends_that_session_in_the_end, reset),
		cmocka_unit_test_setup(only_a_lease_that_is_over_and_has_an_owner_is_taken_over, reset),
		cmocka_unit_test_setup(a_caretaker_whose_lease_is_over_is_replaced, reset),
		cmocka_unit_test_setup(
			a_page_of_the_unpublished_is_bounded_in_number_and_bytes_and_says_whether_it_is_whole, reset),
		cmocka_unit_test_setup(the_unpublished_carry_all_of_a_record_with_the_membership_as_of_each, reset),
		cmocka_unit_test_setup(a_takeover_reads_as_much_as_is_new_and_not_as_much_as_is_stored, reset),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
