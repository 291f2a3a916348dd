/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "schema_fixture.h"

/* What fn.im_send() promises, against a real server. */

static const char *status_of(const PGresult *result, int row)
{
	return PQgetvalue(result, row, 0);
}

static long seq_of(const PGresult *result, int row)
{
	return strtol(PQgetvalue(result, row, 2), NULL, 10);
}

static bool is_duplicate(const PGresult *result, int row)
{
	return *PQgetvalue(result, row, 3) == 't';
}

/* ---- deciding ---- */

static void a_batch_numbers_each_conversation_without_a_hole(void **state)
{
	const struct sent sends[] = {
		SENT(TO_BOB, .key = "1", .msg_id = 1),
		SENT(TO_TEAM, .key = "1", .msg_id = 2),
		SENT(TO_BOB, .key = "2", .msg_id = 3),
		SENT(.conversation = "u:alice:nobody", .user = "nobody", .msg_id = 4),
		SENT(TO_BOB, .key = "3", .msg_id = 5),
	};
	static const long seqs[] = { 1, 1, 2, 0, 3 };
	(void)state;

	PGresult *result = send_all(sends, ARRAY_LEN(sends));
	for (int i = 0; i < (int)ARRAY_LEN(sends); i++) {
		assert_string_equal(status_of(result, i), i == 3 ? "not_found" : "ok");
		assert_int_equal(seq_of(result, i), seqs[i]);
		assert_false(is_duplicate(result, i));
	}
	PQclear(result);
	assert_int_equal(ask_number("select count(*) from conversation where id = 'u:alice:nobody'"), 0);
}

static void each_refusal_has_its_reason_and_stores_nothing(void **state)
{
	static const struct {
		struct sent send;
		const char *status;
	} rows[] = {
		{ { "u:alice:zoe", "alice", "zoe", NULL, "k", 1, "text", "{}", 0, NULL }, "not_found" },
		{ { "g:none", "alice", NULL, "none", "k", 1, "text", "{}", 0, NULL }, "not_found" },
		{ { "g:gone", "alice", NULL, "gone", "k", 1, "text", "{}", 0, NULL }, "not_found" },
		{ { "g:team", "carol", NULL, "team", "k", 1, "text", "{}", 0, NULL }, "not_member" },
		{ { "g:team", "carol", NULL, "team", "k", 1, "text", "{}", 99, "*" }, "not_member" },
		{ { "g:team", "bob", NULL, "team", "k", 1, "text", "{}", 0, "*" }, "permission_denied" },
		{ { "g:team", "bob", NULL, "team", "k", 1, "text", "{}", 99, "alice,*" }, "permission_denied" },
		{ { "g:team", "bob", NULL, "team", "k", 1, "text", "{}", 1, NULL }, "invalid_argument" },
		{ { "u:alice:bob", "alice", "bob", NULL, "k", 1, "text", "{}", 1, NULL }, "invalid_argument" },
	};
	(void)state;

	run_sql("select fn.im_group_create('gone', 'Gone', 'alice', 'invite', 'all', '{}')");
	run_sql("update chat_group set dissolved_at = 1 where name = 'Gone'");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].send, rows[i].status);
	assert_int_equal(ask_number("select count(*) from message"), 0);
	assert_int_equal(ask_number("select count(*) from conversation where kind = 1"), 0);
	assert_int_equal(ask_number("select sum(last_seq) from conversation"), 0);
}

static void a_refused_send_does_not_use_its_key_up(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .sender = "bob", .mentions = "*", .msg_id = 1), "permission_denied");
	check(SENT(TO_TEAM, .sender = "bob", .reply_to = 1, .msg_id = 2), "invalid_argument");
	PGresult *result = send_all((struct sent[]){ SENT(TO_TEAM, .sender = "bob", .msg_id = 3) }, 1);
	assert_string_equal(status_of(result, 0), "ok");
	assert_false(is_duplicate(result, 0));
	assert_int_equal(seq_of(result, 0), 1);
	PQclear(result);
}

static void owner_and_admins_may_mention_everyone(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .mentions = "bob,*", .msg_id = 1), "ok");
	run_sql("update group_member set role = 1 where uid = 'bob'");
	check(SENT(TO_TEAM, .sender = "bob", .mentions = "*", .msg_id = 2), "ok");
	assert_int_equal(ask_number("select count(*) from message where '*' = any (mentions)"), 2);
}

static void the_same_payload_gives_the_first_answer_again(void **state)
{
	static const char *const bodies[] = { "{\"a\":1,\"b\":[2]}", "{ \"b\": [2.0], \"a\":1e0 }" };
	(void)state;

	check(SENT(TO_BOB, .key = "0", .msg_id = 9), "ok");
	for (unsigned i = 0; i < 3; i++) {
		PGresult *result = send_all((struct sent[]){ SENT(TO_BOB, .body = bodies[i % 2], .reply_to = 1,
		                                                  .mentions = "bob,carol", .msg_id = 10 + i) },
		                            1);
		assert_string_equal(status_of(result, 0), "ok");
		assert_int_equal(is_duplicate(result, 0), i > 0);
		assert_string_equal(PQgetvalue(result, 0, 1), "10");
		assert_int_equal(seq_of(result, 0), 2);
		PQclear(result);
	}
	assert_int_equal(ask_number("select last_seq from conversation where id = 'u:alice:bob'"), 2);
}

static void another_payload_under_the_same_key_is_a_conflict(void **state)
{
	(void)state;

	check(SENT(TO_BOB, .key = "0", .msg_id = 1), "ok");
	check(SENT(TO_BOB, .body = "{\"a\":1}", .reply_to = 1, .mentions = "bob", .msg_id = 2), "ok");
	check(SENT(TO_BOB, .body = "{\"a\":2}", .reply_to = 1, .mentions = "bob", .msg_id = 3), "idempotency_conflict");
	check(SENT(TO_BOB, .body = "{\"a\":1}", .mentions = "bob", .msg_id = 4), "idempotency_conflict");
	check(SENT(TO_BOB, .body = "{\"a\":1}", .reply_to = 2, .mentions = "bob", .msg_id = 5), "idempotency_conflict");
	check(SENT(TO_BOB, .body = "{\"a\":1}", .reply_to = 1, .msg_id = 6), "idempotency_conflict");
	check(SENT(TO_BOB, .body = "{\"a\":1}", .reply_to = 1, .mentions = "carol", .msg_id = 7), "idempotency_conflict");
	check(SENT(TO_BOB, .type = "custom", .body = "{\"a\":1}", .reply_to = 1, .mentions = "bob", .msg_id = 8),
	      "idempotency_conflict");
	/* The same key of another sender, or in another conversation, is a different key. */
	check(SENT(.conversation = "u:alice:bob", .sender = "bob", .user = "alice", .body = "{\"a\":2}", .msg_id = 9), "ok");
	check(SENT(.conversation = "u:alice:carol", .user = "carol", .body = "{\"a\":2}", .msg_id = 10), "ok");
}

static void a_repeat_gets_the_first_answer_whatever_has_changed_since(void **state)
{
	(void)state;

	check(SENT(TO_TEAM, .sender = "bob", .msg_id = 5), "ok");
	run_sql("delete from group_member where uid = 'bob'");
	for (int64_t msg_id = 5; msg_id <= 6; msg_id++) { /* the same im asks again, or the client does */
		PGresult *result = send_all((struct sent[]){ SENT(TO_TEAM, .sender = "bob", .msg_id = msg_id) }, 1);
		assert_string_equal(status_of(result, 0), "ok");
		assert_string_equal(PQgetvalue(result, 0, 1), "5");
		assert_int_equal(seq_of(result, 0), 1);
		PQclear(result);
	}
	check(SENT(TO_TEAM, .sender = "bob", .msg_id = 7, .body = "{\"text\":\"another\"}"), "not_member");
	check(SENT(TO_TEAM, .sender = "bob", .msg_id = 8, .key = "another"), "not_member");
}

static void the_answer_carries_the_version_of_the_membership(void **state)
{
	(void)state;

	run_sql("update chat_group set member_version = 42");
	PGresult *result = send_all((struct sent[]){ SENT(TO_TEAM, .msg_id = 1), SENT(TO_BOB, .msg_id = 2) }, 2);
	assert_string_equal(PQgetvalue(result, 0, 4), "42");
	assert_true(PQgetisnull(result, 1, 4));
	PQclear(result);
}

static void a_note_to_oneself_is_a_conversation(void **state)
{
	(void)state;

	check(SENT(.conversation = "u:alice:alice", .user = "alice", .msg_id = 1), "ok");
}

static void a_send_moves_the_mark_of_its_sender_and_of_nobody_else(void **state)
{
	const struct sent batch[] = {
		SENT(TO_BOB, .key = "1", .msg_id = 1),
		SENT(.conversation = "u:alice:bob", .sender = "bob", .user = "alice", .key = "1", .msg_id = 2),
		SENT(TO_BOB, .key = "2", .msg_id = 3),
		SENT(TO_TEAM, .key = "1", .msg_id = 4),
		SENT(TO_TEAM, .key = "2", .msg_id = 5),
		SENT(TO_TEAM, .sender = "bob", .key = "1", .msg_id = 6),
		SENT(TO_TEAM, .sender = "bob", .reply_to = 9, .key = "2", .msg_id = 7), /* refused */
		SENT(.conversation = "u:alice:alice", .user = "alice", .msg_id = 8),
	};
	(void)state;

	PQclear(send_all(batch, ARRAY_LEN(batch)));
	PGresult *result = ask_on(
		db,
		"select string_agg(concat_ws(' ', id, last_seq, counted, first_read, first_counted, second_read, second_counted),"
		" ', ' order by id) from conversation");
	assert_string_equal(PQgetvalue(result, 0, 0), "g:team 3 3 0 0 0 0, u:alice:alice 1 1 1 1 0 0, u:alice:bob 3 3 3 3 2 2");
	PQclear(result);
	result = ask_on(db, "select string_agg(concat_ws(' ', uid, read_seq, read_counted), ', ' order by uid) from group_member");
	assert_string_equal(PQgetvalue(result, 0, 0), "alice 2 2, bob 3 3");
	PQclear(result);
	assert_int_equal(ask_number("select count(*) from message where counted <> seq"), 0);
	/* A repeat does not move the mark. */
	check(SENT(TO_BOB, .key = "1", .msg_id = 9), "ok");
	assert_int_equal(ask_number("select first_read + second_read from conversation where id = 'u:alice:bob'"), 5);
}

static void a_muted_member_may_not_send_and_a_muted_group_is_for_its_owner_and_admins(void **state)
{
	(void)state;

	run_sql("update group_member set muted_until = 1001 where uid = 'bob'"); /* sends are at 1000 */
	check(SENT(TO_TEAM, .sender = "bob", .msg_id = 1), "muted");
	run_sql("update group_member set muted_until = 1000 where uid = 'bob'");
	check(SENT(TO_TEAM, .sender = "bob", .key = "1", .msg_id = 2), "ok");
	run_sql("update chat_group set is_muted = true");
	check(SENT(TO_TEAM, .sender = "bob", .key = "2", .msg_id = 3), "muted");
	check(SENT(TO_TEAM, .key = "3", .msg_id = 4), "ok");
	run_sql("update group_member set role = 1 where uid = 'bob'");
	check(SENT(TO_TEAM, .sender = "bob", .key = "2", .msg_id = 5), "ok");
}

static void two_keys_with_the_same_hash_are_two_keys(void **state)
{
	(void)state;

	check(SENT(TO_BOB, .key = "first", .msg_id = 1), "ok");
	run_sql("update message set key_hash = fn.entry_key(no, 'alice second')");
	check(SENT(TO_BOB, .key = "second", .msg_id = 2), "ok");
	assert_int_equal(ask_number("select count(distinct seq) from message"), 2);
	check(SENT(TO_BOB, .key = "second", .body = "{}", .msg_id = 3), "idempotency_conflict");
}

/* New tables have no statistics, and a connection keeps its plans for life. */
static void a_direct_conversation_is_listed_for_both_once_it_is_made(void **state)
{
	const struct sent batch[] = {
		SENT(TO_BOB, .msg_id = 1),
		SENT(.conversation = "u:alice:alice", .user = "alice", .msg_id = 2),
		SENT(TO_TEAM, .msg_id = 3),
		SENT(.conversation = "u:alice:zoe", .user = "zoe", .msg_id = 4), /* nobody */
	};
	(void)state;

	PQclear(send_all(batch, 4));
	assert_int_equal(ask_number("select count(*) from direct_member"), 3);
	assert_int_equal(ask_number("select count(*) from direct_member d join conversation c on c.no = d.no where (d.uid, c.id) in"
	                            " (('alice', 'u:alice:bob'), ('bob', 'u:alice:bob'), ('alice', 'u:alice:alice'))"),
	                 3);
	/* For a conversation that exists, nothing is written to the table. */
	run_sql("truncate direct_member");
	check(SENT(TO_BOB, .key = "again", .msg_id = 5), "ok");
	assert_int_equal(ask_number("select count(*) from direct_member"), 0);
}

static void every_step_is_a_lookup_by_index(void **state)
{
	PGconn *fresh = open_connection();
	(void)state;

	run_sql("insert into account (uid, name) select 'user' || i, 'u' from generate_series(1, 1000) i");
	PQclear(ask_on(fresh, "begin")); /* what a transaction counts is its own, and not what other sessions did */
	for (long i = 1; i <= 20; i++) {
		const struct sent sends[] = { SENT(TO_BOB, .key = i % 2 ? "odd" : "even", .msg_id = i),
			                      SENT(TO_TEAM, .key = i % 2 ? "odd" : "even", .msg_id = 100 + i) };
		PQclear(send_on(fresh, NODE, EPOCH, sends, ARRAY_LEN(sends)));
	}
	PGresult *scans = ask_on(fresh, "select sum(seq_scan), sum(idx_scan) from pg_stat_xact_user_tables");
	assert_string_equal(PQgetvalue(scans, 0, 0), "0");
	assert_true(strtol(PQgetvalue(scans, 0, 1), NULL, 10) > 0);
	PQclear(scans);
	PQfinish(fresh);
}

/* ---- leases ---- */

static void without_the_lease_nothing_is_looked_at(void **state)
{
	const struct sent sends[] = { SENT(TO_BOB, .msg_id = 1), SENT(.conversation = "u:alice:zoe", .user = "zoe", .msg_id = 2) };
	static const char *const ends[] = { "update node_lease set epoch = 4",
		                            "update node_lease set epoch = 3, expires_at = now()",
		                            "delete from node_lease" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		run_sql(ends[i]);
		PGresult *result = send_all(sends, ARRAY_LEN(sends));
		assert_string_equal(status_of(result, 0), "lease");
		assert_string_equal(status_of(result, 1), "lease");
		PQclear(result);
	}
	assert_int_equal(ask_number("select count(*) from message"), 0);
}

/* ---- several at once ---- */

#define WRITERS 4
#define ROUNDS 150
#define BATCH 12
#define USERS 6

struct writer {
	pthread_t thread;
	PGconn *conn;
	int node;
	unsigned seed;
	long stored, repeated, failed;
};

static bool is_in(const struct sent *sends, unsigned count, const struct sent *send)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(sends[i].conversation, send->conversation) == 0 && strcmp(sends[i].sender, send->sender) == 0 &&
		    strcmp(sends[i].key, send->key) == 0)
			return true;
	return false;
}

/* A random batch in random order, with so few conversations and keys that batches collide. */
static void fill(struct writer *writer, struct sent *sends, char (*texts)[3][64], long round)
{
	unsigned count = 0;

	while (count < BATCH) {
		unsigned a = (unsigned)rand_r(&writer->seed) % USERS, b = (unsigned)rand_r(&writer->seed) % USERS;
		snprintf(texts[count][0], 64, "u:user%u:user%u", MIN(a, b), MAX(a, b));
		snprintf(texts[count][1], 64, "user%u", a);
		snprintf(texts[count][2], 64, "key%u", (unsigned)rand_r(&writer->seed) % 60);
		sends[count] = SENT(.conversation = texts[count][0], .sender = texts[count][1], .key = texts[count][2],
		                    .user = "user0", .msg_id = writer->node * 10000000l + round * 100 + count + 1);
		count += is_in(sends, count, &sends[count]) ? 0 : 1;
	}
}

/* Not on the test's own thread: nothing is asserted here. */
static void count_answers(struct writer *writer, const PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s", PQresultErrorMessage(result));
		writer->failed++;
		return;
	}
	for (int i = 0; i < PQntuples(result); i++) {
		if (strcmp(status_of(result, i), "ok") == 0) {
			writer->stored += !is_duplicate(result, i);
			writer->repeated += is_duplicate(result, i);
		} else if (strcmp(status_of(result, i), "again") != 0) {
			writer->failed++;
		}
	}
}

static void *write_batches(void *arg)
{
	struct writer *writer = arg;
	struct sent sends[BATCH];
	char texts[BATCH][3][64];

	for (long round = 0; round < ROUNDS; round++) {
		struct buf sql = { 0 };
		fill(writer, sends, texts, round);
		write_call(&sql, writer->node, 1, sends, BATCH);
		PGresult *result = PQexec(writer->conn, buf_text(&sql));
		count_answers(writer, result);
		PQclear(result);
		buf_release(&sql);
	}
	return NULL;
}

static void batches_that_meet_neither_lock_up_nor_leave_a_hole(void **state)
{
	struct writer writers[WRITERS] = { 0 };
	long stored = 0, repeated = 0;
	(void)state;

	run_sql("insert into account (uid, name) select 'user' || i, 'u' from generate_series(0, 9) i");
	run_sql("insert into node_lease select n, 1, 'x', now() + interval '1 hour', 0 from generate_series(100, 110) n");
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .conn = open_connection(), .node = 100 + i, .seed = 4711u + (unsigned)i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_batches, &writers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		PQfinish(writers[i].conn);
		assert_int_equal(writers[i].failed, 0);
		stored += writers[i].stored;
		repeated += writers[i].repeated;
	}
	assert_true(repeated > 0);
	assert_int_equal(ask_number("select count(*) from message"), stored);
	assert_int_equal(ask_number("select count(*) from (select from message group by no"
	                            " having min(seq) <> 1 or max(seq) <> count(*)) x"),
	                 0);
	assert_int_equal(ask_number("select count(*) from conversation c where kind = 1 and last_seq <>"
	                            " (select count(*) from message m where m.no = c.no)"),
	                 0);
}

static void a_batch_that_waited_for_another_to_create_the_conversation_is_told_to_ask_again(void **state)
{
	PGconn *first = open_connection(), *second = open_connection();
	const struct sent send = SENT(TO_BOB, .msg_id = 1), other = SENT(TO_BOB, .key = "other", .msg_id = 2);
	struct buf sql = { 0 };
	(void)state;

	PQclear(ask_on(first, "begin"));
	PQclear(send_on(first, NODE, EPOCH, &send, 1));
	write_call(&sql, NODE, EPOCH, &other, 1);
	assert_int_equal(PQsendQuery(second, buf_text(&sql)), 1);
	await_lock_wait(second);
	PQclear(ask_on(first, "commit"));
	PGresult *result = PQgetResult(second);
	assert_string_equal(status_of(result, 0), "again");
	PQclear(result);
	assert_null(PQgetResult(second));
	result = send_on(second, NODE, EPOCH, &other, 1);
	assert_string_equal(status_of(result, 0), "ok");
	assert_int_equal(seq_of(result, 0), 2);
	PQclear(result);
	buf_release(&sql);
	PQfinish(first);
	PQfinish(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_batch_numbers_each_conversation_without_a_hole, reset),
		cmocka_unit_test_setup(each_refusal_has_its_reason_and_stores_nothing, reset),
		cmocka_unit_test_setup(a_refused_send_does_not_use_its_key_up, reset),
		cmocka_unit_test_setup(owner_and_admins_may_mention_everyone, reset),
		cmocka_unit_test_setup(the_same_payload_gives_the_first_answer_again, reset),
		cmocka_unit_test_setup(another_payload_under_the_same_key_is_a_conflict, reset),
		cmocka_unit_test_setup(a_repeat_gets_the_first_answer_whatever_has_changed_since, reset),
		cmocka_unit_test_setup(the_answer_carries_the_version_of_the_membership, reset),
		cmocka_unit_test_setup(a_note_to_oneself_is_a_conversation, reset),
		cmocka_unit_test_setup(a_direct_conversation_is_listed_for_both_once_it_is_made, reset),
		cmocka_unit_test_setup(a_send_moves_the_mark_of_its_sender_and_of_nobody_else, reset),
		cmocka_unit_test_setup(a_muted_member_may_not_send_and_a_muted_group_is_for_its_owner_and_admins, reset),
		cmocka_unit_test_setup(two_keys_with_the_same_hash_are_two_keys, reset),
		cmocka_unit_test_setup(every_step_is_a_lookup_by_index, reset),
		cmocka_unit_test_setup(without_the_lease_nothing_is_looked_at, reset),
		cmocka_unit_test_setup(batches_that_meet_neither_lock_up_nor_leave_a_hole, reset),
		cmocka_unit_test_setup(a_batch_that_waited_for_another_to_create_the_conversation_is_told_to_ask_again, reset),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
