/* push's memory of a conversation, in Redis and in the process: with other processes, and with a Redis that is new,
 * empty or away. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "deliver/audience.h"
#include "push_fixture.h"
#include "store_fixture.h"

static void the_last_message_of_another_process_is_dispatched_again_and_then_the_next(void **state)
{
	struct push *push = *state;

	set_dispatched(push, "6");
	take(push, push->conversation, 6, 20); /* its answer was not seen here */
	take(push, push->conversation, 7, 21);
	settle(push);
	assert_inbox(push, push->bob, " 6 7");
	assert_int_equal(push->finished_count, 2);
}

static void remember_since(struct push *push, uint64_t time)
{
	struct buf since = { 0 };

	buf_printf(&since, "%s|%llu", redis_generation(push->redis), (unsigned long long)time);
	const struct str args[] = { STR("SET"), STR("im:seq:since"), buf_str(&since) };
	command(push, args, ARRAY_LEN(args));
	buf_release(&since);
}

static void messages_stored_before_redis_began_to_remember_are_not_sent_again(void **state)
{
	struct push *push = *state;

	store_rows_of(push, push->conversation, 1, 38, LONG_AGO_MS);
	store_rows(push, 39, 42);
	remember_since(push, NOW_MS);
	take(push, push->conversation, 41, 20);
	take(push, push->conversation, 42, 21);
	settle(push);
	assert_inbox(push, push->bob, " 39 40 41 42");
}

static void everything_stored_since_redis_remembers_is_sent_however_much_or_late(void **state)
{
	struct push *push = *state;

	store_rows_of(push, push->conversation, 1, 300, LONG_AGO_MS); /* Kafka was away */
	remember_since(push, LONG_AGO_MS - 60000);
	take(push, push->conversation, 300, 20);
	settle(push);
	assert_inbox_range(push, push->bob, 1, 300);
}

static void the_mark_says_nothing_about_another_redis(void **state)
{
	struct push *push = *state;
	const struct str args[] = { STR("SET"), STR("im:seq:since"), STR("another|1000") };

	store_rows_of(push, push->conversation, 1, 9, LONG_AGO_MS);
	command(push, args, ARRAY_LEN(args));
	take(push, push->conversation, 10, 20);
	store_rows(push, 10, 10);
	settle(push);
	assert_inbox(push, push->bob, " 10");
}

static void on_exists(void *arg, err_t err, const redisReply *reply)
{
	assert_int_equal(err, OK);
	*(bool *)arg = reply->integer == 1;
}

static bool has_mark(void *arg)
{
	static bool is_there;
	struct push *push = arg;
	const struct str args[] = { STR("EXISTS"), STR("im:seq:since") };

	redis_command(push->redis, args, ARRAY_LEN(args), on_exists, &is_there);
	return is_there;
}

static void a_mark_that_redis_lost_is_written_again(void **state)
{
	struct push *push = *state;
	const struct str flush[] = { STR("FLUSHALL") };

	command(push, flush, 1);
	turn_until(&push->worker, has_mark, push);
}

static void a_push_still_knows_what_it_dispatched_when_redis_forgets_it(void **state)
{
	struct push *push = *state;
	const struct str flush[] = { STR("FLUSHALL") };

	store_rows(push, 1, 4);
	take(push, push->conversation, 1, 10);
	take(push, push->conversation, 2, 11);
	settle(push);
	command(push, flush, 1);
	take(push, push->conversation, 3, 12);
	settle(push);
	assert_inbox(push, push->bob, " 3");
	assert_dispatched(push, push->conversation, 3);
}

static void a_message_that_no_inbox_has_does_not_count_as_dispatched(void **state)
{
	struct push *push = *state;
	char conversation[80];

	store_group(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	lock_groups(push);
	take(push, conversation, 1, 10);
	assert_dispatched(push, conversation, 0);
	unlock_groups(push);
	settle(push);
	assert_inbox(push, push->bob, " 1");
	assert_dispatched(push, conversation, 1);
}

static void idle_conversations_are_forgotten_and_found_again(void **state)
{
	struct push *push = *state;

	for (uint64_t round = 1; round <= 3; round++)
		for (unsigned i = 0; i < 20; i++) { /* four are remembered */
			char conversation[96];

			snprintf(conversation, sizeof(conversation), "u:%s:x%u", push->alice, i);
			take(push, conversation, round, (int64_t)(round * 100 + i));
			settle(push);
		}
	assert_int_equal(push->finished_count, 60);
	assert_inbox(push, "x0", " 1 2 3");
}

static void a_redis_that_dies_and_returns_gets_everything_in_order(void **state)
{
	struct push *push = *state;

	take(push, push->conversation, 1, 10);
	settle(push);
	real_server_kill(&redis_server);
	for (uint64_t seq = 2; seq <= 50; seq++)
		take(push, push->conversation, seq, 10 + (int64_t)seq);
	turn_for(&push->worker, 300);
	assert_int_equal(conversations_in_flight(push->conversations), 49);
	real_server_start(&redis_server);
	settle(push);
	assert_int_equal(push->finished_count, 50);
	/* a new Redis: the old inbox is gone, and messages that were not in it come in order */
	assert_inbox_range(push, push->bob, 2, 50);
}

#define CROWD 100

static void store_crowd(struct push *push)
{
	char sql[512];

	store_group(push);
	snprintf(sql, sizeof(sql),
	         "insert into group_member (no, uid) select no, '%s-' || n from conversation, generate_series(1, %d) n"
	         " where id = 'g:%s'",
	         push->bob, CROWD, push->group);
	query(sql);
}

static redisContext *connect_blocking(void)
{
	redisContext *admin = redisConnect("127.0.0.1", (int)redis_server.port);

	assert_true(admin && !admin->err);
	return admin;
}

static void kill_other_connections(redisContext *admin)
{
	redisReply *reply = redisCommand(admin, "CLIENT KILL TYPE normal SKIPME yes");

	assert_true(reply && reply->type == REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
}

/* Each of 1 ... last is there, and no first copy comes after a later message. */
static void assert_first_copies_in_order(redisContext *admin, const char *member, int number, uint64_t last)
{
	redisReply *entries = redisCommand(admin, "LRANGE im:inbox:{%s-%d} 0 -1", member, number);
	uint64_t seen = 0;

	assert_true(entries && entries->type == REDIS_REPLY_ARRAY);
	for (size_t i = 0; i < entries->elements; i++) {
		struct str conversation;
		uint64_t seq;

		assert_true(inbox_entry_parse(redis_reply_str(entries->element[i]), &conversation, &seq));
		assert_true(seq <= seen + 1);
		seen = MAX(seen, seq);
	}
	assert_int_equal(seen, last);
	freeReplyObject(entries);
}

/* Commands that were sent end without an answer. Those that wait go out on the next connection. */
static void a_connection_to_redis_that_breaks_lets_no_message_pass_an_earlier_one(void **state)
{
	struct push *push = *state;
	redisContext *admin = connect_blocking();
	char conversation[80];
	uint64_t seq = 0;

	store_crowd(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 40; i++, seq++)
			take(push, conversation, seq + 1, (int64_t)seq);
		turn_for(&push->worker, 5);
		kill_other_connections(admin);
		settle(push);
	}
	assert_int_equal(push->finished_count, seq);
	for (int i = 1; i <= CROWD; i++)
		assert_first_copies_in_order(admin, push->bob, i, seq);
	redisFree(admin);
}

/* ---- how much is under way ---- */

#define DEVICES 1000

/* One user has this many connections, at a gateway that is looked up only after they were found. */
static void bind_devices(struct push *push, const char *uid)
{
	char key[64], device[32];

	snprintf(key, sizeof(key), "im:route:{%s}", uid);
	for (int i = 0; i < DEVICES; i++) {
		snprintf(device, sizeof(device), "device-%d", i);
		command(push, (struct str[]){ STR("HSET"), str_from(key), str_from(device), STR("gateway-9|1|7|ios|5") }, 4);
	}
}

static bool is_done_with_most(void *arg)
{
	struct push *push = arg;
	struct conversations_load load = conversations_load(push->conversations);

	push->most_bytes = MAX(push->most_bytes, load.bytes);
	return conversations_in_flight(push->conversations) == 0;
}

static void the_connections_that_a_message_goes_to_count_among_the_bytes_in_flight(void **state)
{
	struct push *push = *state;

	bind_devices(push, push->bob);
	take(push, push->conversation, 1, 10);
	turn_until(&push->worker, is_done_with_most, push);
	assert_true(push->most_bytes > DEVICES * (sizeof(struct fanout_target) + sizeof("device-9")));
	assert_int_equal(conversations_load(push->conversations).bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(the_last_message_of_another_process_is_dispatched_again_and_then_the_next),
		PUSH_TEST(messages_stored_before_redis_began_to_remember_are_not_sent_again),
		PUSH_TEST(everything_stored_since_redis_remembers_is_sent_however_much_or_late),
		PUSH_TEST(the_mark_says_nothing_about_another_redis),
		PUSH_TEST(a_mark_that_redis_lost_is_written_again),
		PUSH_TEST(a_push_still_knows_what_it_dispatched_when_redis_forgets_it),
		PUSH_TEST(a_message_that_no_inbox_has_does_not_count_as_dispatched),
		PUSH_TEST(idle_conversations_are_forgotten_and_found_again),
		PUSH_TEST(a_redis_that_dies_and_returns_gets_everything_in_order),
		PUSH_TEST(a_connection_to_redis_that_breaks_lets_no_message_pass_an_earlier_one),
		PUSH_TEST(the_connections_that_a_message_goes_to_count_among_the_bytes_in_flight),
	};
	return cmocka_run_group_tests(tests, make_servers, remove_servers);
}
