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

/* tests/bench/seed writes what im would have written. */

static void a_seeded_database_is_one_that_im_could_have_written(void **state)
{
	char command[256];
	(void)state;

	snprintf(command, sizeof(command),
	         "tests/bench/seed '%s' users=50 conversations=1000 groups=20 members=6 rounds=7 > /dev/null", schema_server.uri);
	assert_int_equal(system(command), 0);
	assert_int_equal(ask_number("select count(*) from message"), 7000);
	assert_int_equal(
		ask_number(
			"select count(*) from conversation c where id like '%seed%' and last_seq + 10000 * counted is distinct"
			" from (select max(seq) + 10000 * max(counted) from message m where m.no = c.no"
			" having min(seq) = 1 and count(*) = max(seq) and bool_and(seq = counted))"),
		0);
	assert_int_equal(ask_number("select count(distinct msg_id) from message"), 7000);
	assert_int_equal(ask_number("select count(*) from message m join conversation c using (no) where c.kind = 1"
	                            " and sender not in (fn.first_of(c.id), fn.second_of(c.id))"),
	                 0);
	assert_int_equal(ask_number("select count(*) from message m join conversation c using (no) where c.kind = 2"
	                            " and not exists (select from group_member g where g.no = m.no and g.uid = m.sender)"),
	                 0);
	/* Marks: each user has read up to its own last message. */
	assert_int_equal(ask_number("select count(*) from account, fn.im_conversations(uid) l join conversation c on c.id = l.id"
	                            " where uid like 'seed%' and read_seq <> (select coalesce(max(seq), 0) from message m"
	                            " where m.no = c.no and m.sender = uid)"),
	                 0);
	assert_int_equal(ask_number("select count(*) from account, fn.im_conversations(uid) where uid like 'seed%'"),
	                 980 * 2 + 20 * 6);
	assert_int_equal(ask_number("select count(*) from account a, fn.conversation_list(a.uid, null, null, null, 1000) l"
	                            " where a.uid like 'seed%' and l.seq = 7 and l.title is not null"),
	                 980 * 2 + 20 * 6);
}

static void a_send_goes_on_where_the_seed_ends_and_knows_its_keys(void **state)
{
	(void)state;

	assert_int_equal(ask_number("select last_seq from conversation where id = 'u:seed00000000:seed00000001'"), 7);
	PGresult *key = ask_on(db, "select client_msg_id, body from message join conversation using (no)"
	                           " where id = 'u:seed00000000:seed00000001' and seq = 1");
	struct sent send = SENT(.conversation = "u:seed00000000:seed00000001", .sender = "seed00000000", .user = "seed00000001",
	                        .key = PQgetvalue(key, 0, 0), .body = PQgetvalue(key, 0, 1), .msg_id = 5);
	run_sql("insert into node_lease values (7, 3, 'test', now() + interval '1 hour', 0)");
	PGresult *result = send_all(&send, 1);
	assert_string_equal(PQgetvalue(result, 0, 3), "t");
	PQclear(result);
	send.key = "new";
	result = send_all(&send, 1);
	assert_string_equal(PQgetvalue(result, 0, 2), "8");
	PQclear(result);
	PQclear(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seeded_database_is_one_that_im_could_have_written),
		cmocka_unit_test(a_send_goes_on_where_the_seed_ends_and_knows_its_keys),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
