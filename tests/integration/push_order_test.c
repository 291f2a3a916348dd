#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/random.h"
#include "push/conversations.h"
#include "push/gap.h"
#include "push/pending.h"
#include "servers.h"
#include "store/pg.h"
#include "store_fixture.h"

/*
 * The order of conversations in push, against a real Redis and a real PostgreSQL. Nobody is connected, so a message is done
 * with once it stands in the inboxes, which is where the order is looked at.
 */

#define FINISHED_MAX 2048

static struct real_server redis_server = { .kind = REAL_REDIS }, pg_server = { .kind = REAL_POSTGRES };

static const struct pg_statement statements[] = {
	{ "members", MEMBERS_SQL },
	{ "gap", GAP_SQL },
	{ "progress", PROGRESS_SQL },
};

struct push {
	struct worker worker;
	struct redis *redis;
	struct pg *pg;
	struct rpc_client *rpc;
	struct node_list *nodes;
	struct gateways *gateways;
	struct member_cache *members;
	struct conversations *conversations;
	char conversation[80], alice[32], bob[32], group[32];
	int64_t finished[FINISHED_MAX];
	unsigned finished_count;
	PGconn *locker; /* holds a lock on the groups */
	unsigned unknown_count;
	uint64_t unknown_seq; /* the last */
};

static void on_finished(void *arg, int32_t partition, int64_t offset)
{
	struct push *push = arg;

	assert_int_equal(partition, 3);
	assert_true(push->finished_count < FINISHED_MAX);
	push->finished[push->finished_count++] = offset;
}

static void on_unknown(void *arg, const struct outgoing *outgoing)
{
	struct push *push = arg;

	assert_true(outgoing->has_place);
	push->unknown_count++;
	push->unknown_seq = outgoing->seq;
}

static void ignore_ease(void *arg)
{
	(void)arg;
}

static bool is_up(void *arg)
{
	struct push *push = arg;

	return redis_is_connected(push->redis) && pg_is_connected(push->pg);
}

static int open_push(void **state)
{
	struct push *push = MEM_NEW(struct push);
	const struct redis_options redis_options = { .uri = redis_server.uri, .max_waiting = 10000, .timeout_ms = 1500 };
	const struct pg_options pg_options = {
		.uri = pg_server.uri,
		.connections = 1,
		.max_waiting = 100,
		.timeout_ms = 3000,
		.statements = statements,
		.statement_count = ARRAY_LEN(statements),
	};
	char name[9];

	random_hex(name, 8); /* each test has users of its own */
	snprintf(push->alice, sizeof(push->alice), "alice-%s", name);
	snprintf(push->bob, sizeof(push->bob), "bob-%s", name);
	snprintf(push->group, sizeof(push->group), "group-%s", name);
	snprintf(push->conversation, sizeof(push->conversation), "u:%s:%s", push->alice, push->bob);
	assert_int_equal(worker_init(&push->worker, "test"), OK);
	assert_int_equal(redis_new(&push->redis, &push->worker, &redis_options), OK);
	assert_int_equal(pg_new(&push->pg, &push->worker, &pg_options), OK);
	assert_int_equal(rpc_client_new(&push->rpc), OK);
	push->nodes = node_list_new(push->redis, &push->worker);
	push->gateways = gateways_new(&push->worker, push->rpc, push->nodes, 30000);
	push->members = member_cache_new(&push->worker, push->redis, push->pg, 0, 1000);
	static struct delivery_wait wait;
	const struct conversations_options options = {
		.wait = &wait,
		.worker = &push->worker,
		.redis = push->redis,
		.pg = push->pg,
		.progress_statement = 2,
		.gap_statement = 1,
		.gateways = push->gateways,
		.members = push->members,
		.inbox_limits = { .max_entries = 100000, .max_age_s = 3600, .expire_s = 3600 },
		.max_conversations = 4,
		.finished = on_finished,
		.unknown = on_unknown,
		.eased = ignore_ease,
		.arg = push,
	};
	push->conversations = conversations_new(&options);
	turn_until(&push->worker, is_up, push);
	*state = push;
	return 0;
}

static void unlock_groups(struct push *push)
{
	PQfinish(push->locker);
	push->locker = NULL;
}

static int close_push(void **state)
{
	struct push *push = *state;
	bool is_closed = false;

	unlock_groups(push); /* of a test that failed: the next one needs them */
	assert_int_equal(conversations_in_flight(push->conversations), 0);
	conversations_stop(push->conversations);
	gateways_free(push->gateways);
	node_list_free(push->nodes);
	rpc_client_close(push->rpc, &push->worker, note_closed, &is_closed);
	turn_until_true(&push->worker, &is_closed);
	is_closed = false;
	pg_close(push->pg, note_closed, &is_closed);
	turn_until_true(&push->worker, &is_closed);
	is_closed = false;
	redis_close(push->redis, note_closed, &is_closed);
	turn_until_true(&push->worker, &is_closed);
	conversations_free(push->conversations);
	member_cache_free(push->members);
	end_worker(&push->worker);
	mem_free(push);
	return 0;
}

/* ---- saying what comes and looking at what is there ---- */

#define NOW_MS clock_wall_ms()
#define LONG_AGO_MS (NOW_MS - 600000)

static Skein__V1__MessageRecord *record(const char *conversation, const char *from, uint64_t seq, uint64_t member_version)
{
	Skein__V1__MessageRecord made = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	uint8_t packed[1024];

	message.conversation_id = (char *)conversation;
	message.from = (char *)from;
	message.seq = seq;
	message.type = "text";
	message.body = "{\"text\":\"hi\"}";
	message.time = NOW_MS;
	made.version = 1;
	made.message = &message;
	made.member_version = member_version;
	size_t len = skein__v1__message_record__pack(&made, packed);
	return skein__v1__message_record__unpack(NULL, len, packed);
}

static void take(struct push *push, const char *conversation, uint64_t seq, int64_t offset)
{
	struct outgoing *outgoing = outgoing_new(record(conversation, push->alice, seq, 1), push->redis);

	outgoing->has_place = true;
	outgoing->partition = 3;
	outgoing->offset = offset;
	conversations_take(push->conversations, outgoing);
}

static bool is_quiet(void *arg)
{
	struct push *push = arg;

	return conversations_in_flight(push->conversations) == 0;
}

static void settle(struct push *push)
{
	turn_until(&push->worker, is_quiet, push);
}

struct listing {
	bool has_come;
	char text[65536];
};

static void on_listed(void *arg, err_t err, const redisReply *reply)
{
	struct listing *listing = arg;

	assert_int_equal(err, OK);
	for (size_t i = 0; i < reply->elements; i++) {
		struct str entry = redis_reply_str(reply->element[i]);
		const char *seq = memchr(entry.ptr, ' ', entry.len);

		assert_non_null(seq);
		strncat(listing->text, seq, sizeof(listing->text) - strlen(listing->text) - 1);
	}
	listing->has_come = true;
}

/* The seqs in the inbox: " 1 2 3". */
static void assert_inbox(struct push *push, const char *uid, const char *seqs)
{
	struct listing listing = { 0 };
	char key[64];

	snprintf(key, sizeof(key), "im:inbox:{%s}", uid);
	const struct str args[] = { STR("LRANGE"), str_from(key), STR("0"), STR("-1") };
	redis_command(push->redis, args, ARRAY_LEN(args), on_listed, &listing);
	turn_until_true(&push->worker, &listing.has_come);
	assert_string_equal(listing.text, seqs);
}

static void assert_inbox_range(struct push *push, const char *uid, unsigned from, unsigned to)
{
	struct buf expected = { 0 };

	for (unsigned seq = from; seq <= to; seq++)
		buf_printf(&expected, " %u", seq);
	assert_inbox(push, uid, buf_text(&expected));
	buf_release(&expected);
}

static void note_answer(void *arg, err_t err, const redisReply *reply)
{
	(void)reply;
	assert_int_equal(err, OK);
	*(bool *)arg = true;
}

static void set_dispatched(struct push *push, const char *seq)
{
	bool is_set = false;
	char key[96];

	snprintf(key, sizeof(key), "im:seq:{%s}", push->conversation);
	const struct str args[] = { STR("SET"), str_from(key), str_from(seq) };
	redis_command(push->redis, args, ARRAY_LEN(args), note_answer, &is_set);
	turn_until_true(&push->worker, &is_set);
}

struct reading {
	bool has_come;
	uint64_t seq;
};

static void on_dispatched_read(void *arg, err_t err, const redisReply *reply)
{
	struct reading *reading = arg;

	assert_int_equal(err, OK);
	(void)str_to_u64(redis_reply_str(reply), &reading->seq); /* 0: there is none */
	reading->has_come = true;
}

static void assert_dispatched(struct push *push, const char *conversation, uint64_t seq)
{
	struct reading reading = { 0 };
	char key[96];

	snprintf(key, sizeof(key), "im:seq:{%s}", conversation);
	const struct str args[] = { STR("GET"), str_from(key) };
	redis_command(push->redis, args, ARRAY_LEN(args), on_dispatched_read, &reading);
	turn_until_true(&push->worker, &reading.has_come);
	assert_int_equal(reading.seq, seq);
}

static void query(const char *sql)
{
	PGconn *conn = pg_connect_blocking(pg_server.uri);
	assert_non_null(conn);
	PGresult *result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

static void store_rows_of(struct push *push, const char *conversation, unsigned from, unsigned to, uint64_t time)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
	         "insert into message (conversation_id, seq, msg_id, sender, type, body, time) select '%s', n, n, '%s', 'text', "
	         "'{\"text\":\"hi\"}', %llu from generate_series(%u, %u) n",
	         conversation, push->alice, (unsigned long long)time, from, to);
	query(sql);
}

static void store_rows(struct push *push, unsigned from, unsigned to)
{
	store_rows_of(push, push->conversation, from, to, NOW_MS);
}

static void store_group(struct push *push)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
	         "insert into chat_group (gid, name, owner, join_mode, history_mode, member_count) values ('%s', 'x', '%s', "
	         "'invite', 'all', 2); insert into group_member (gid, uid) values ('%s', '%s'), ('%s', '%s')",
	         push->group, push->alice, push->group, push->alice, push->group, push->bob);
	query(sql);
}

/* ---- the tests ---- */

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

static void a_repeat_that_was_seen_answered_goes_nowhere_but_its_place_is_done_with(void **state)
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

static void a_record_that_comes_after_its_message_was_read_is_done_with_and_not_sent_again(void **state)
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

static void what_another_process_dispatched_is_dispatched_again_and_then_goes_on(void **state)
{
	struct push *push = *state;

	set_dispatched(push, "6");
	take(push, push->conversation, 6, 20); /* its answer was not seen here */
	take(push, push->conversation, 7, 21);
	settle(push);
	assert_inbox(push, push->bob, " 6 7");
	assert_int_equal(push->finished_count, 2);
}

static void a_new_conversation_whose_second_record_comes_first_waits_for_its_first(void **state)
{
	struct push *push = *state;

	store_rows(push, 1, 2);
	take(push, push->conversation, 2, 10); /* the first one's im has not produced it yet */
	settle(push);
	take(push, push->conversation, 1, 11);
	settle(push);
	assert_inbox(push, push->bob, " 1 2");
	assert_int_equal(push->finished_count, 2);
}

static void remember_since(struct push *push, uint64_t time)
{
	struct buf since = { 0 };
	bool is_set = false;

	buf_printf(&since, "%s|%llu", redis_generation(push->redis), (unsigned long long)time);
	const struct str args[] = { STR("SET"), STR("im:seq:since"), buf_str(&since) };
	redis_command(push->redis, args, ARRAY_LEN(args), note_answer, &is_set);
	turn_until_true(&push->worker, &is_set);
	buf_release(&since);
}

static void what_was_stored_before_redis_began_to_remember_is_not_sent_again(void **state)
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

static void of_what_was_stored_since_redis_remembers_all_is_sent_however_much_or_late(void **state)
{
	struct push *push = *state;

	store_rows_of(push, push->conversation, 1, 300, LONG_AGO_MS); /* Kafka was away */
	remember_since(push, LONG_AGO_MS - 60000);
	take(push, push->conversation, 300, 20);
	settle(push);
	assert_inbox_range(push, push->bob, 1, 300);
}

static void another_redis_remembers_nothing_of_what_the_mark_says(void **state)
{
	struct push *push = *state;
	bool is_set = false;
	const struct str args[] = { STR("SET"), STR("im:seq:since"), STR("another|1000") };

	store_rows_of(push, push->conversation, 1, 9, LONG_AGO_MS);
	redis_command(push->redis, args, ARRAY_LEN(args), note_answer, &is_set);
	turn_until_true(&push->worker, &is_set);
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

static void since_when_redis_remembers_is_looked_after(void **state)
{
	struct push *push = *state;
	bool is_flushed = false;
	const struct str flush[] = { STR("FLUSHALL") };

	redis_command(push->redis, flush, 1, note_answer, &is_flushed);
	turn_until_true(&push->worker, &is_flushed);
	turn_until(&push->worker, has_mark, push);
}

static void what_this_process_has_dispatched_is_not_in_doubt_when_redis_forgets_it(void **state)
{
	struct push *push = *state;
	bool is_flushed = false;
	const struct str flush[] = { STR("FLUSHALL") };

	store_rows(push, 1, 4);
	take(push, push->conversation, 1, 10);
	take(push, push->conversation, 2, 11);
	settle(push);
	redis_command(push->redis, flush, 1, note_answer, &is_flushed);
	turn_until_true(&push->worker, &is_flushed);
	take(push, push->conversation, 3, 12);
	settle(push);
	assert_inbox(push, push->bob, " 3");
	assert_dispatched(push, push->conversation, 3);
}

/* Until it is finished nobody can find out the members of a group. */
static void lock_groups(struct push *push)
{
	push->locker = pg_connect_blocking(pg_server.uri);
	assert_non_null(push->locker);
	PQclear(PQexec(push->locker, "begin; lock table chat_group"));
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

#define FALSE_SEQ 1000000000u

static void a_seq_that_postgres_does_not_have_moves_nothing_on(void **state)
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

static void a_false_seq_that_is_the_first_to_be_seen_of_a_conversation_moves_nothing_on(void **state)
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

static bool has_one_finished(void *arg)
{
	struct push *push = arg;

	return push->finished_count == 1;
}

static void a_stuck_conversation_takes_bounded_room_and_holds_up_no_other(void **state)
{
	struct push *push = *state;
	const unsigned last = PENDING_MAX + 500;
	char conversation[80];

	store_group(push);
	snprintf(conversation, sizeof(conversation), "g:%s", push->group);
	store_rows_of(push, conversation, 1, last, NOW_MS);
	lock_groups(push);
	for (unsigned seq = 1; seq <= last; seq++)
		take(push, conversation, seq, 10 + (int64_t)seq);
	struct conversations_load load = conversations_load(push->conversations);
	assert_int_equal(load.messages + load.slim, last);
	assert_true(load.messages <= PENDING_MAX + 1); /* and the one whose recipients are looked for */
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

static void a_group_that_is_not_there_holds_nothing_up(void **state)
{
	struct push *push = *state;

	take(push, "g:nowhere", 1, 10);
	settle(push);
	assert_int_equal(push->finished_count, 1);
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
	/* a new Redis: what was in the old one is gone, what was not in it comes in order */
	assert_inbox_range(push, push->bob, 2, 50);
}

#define CROWD 100

static void store_crowd(struct push *push)
{
	char sql[512];

	store_group(push);
	snprintf(sql, sizeof(sql), "insert into group_member (gid, uid) select '%s', '%s-' || n from generate_series(1, %d) n",
	         push->group, push->bob, CROWD);
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

/* Each of 1 ... last is there, and none for the first time after a later one. */
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

/* What was sent ends without an answer, what waits goes out on the next connection. */
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

static void a_partition_that_is_given_away_is_not_heard_of_again(void **state)
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

static void on_registered(void *arg, err_t err, uint64_t epoch)
{
	assert_int_equal(err, OK);
	*(uint64_t *)arg = epoch;
}

static bool has_epoch(void *arg)
{
	return *(uint64_t *)arg != 0;
}

static void on_node_changed(void *arg, err_t err, bool was_out)
{
	(void)was_out;
	assert_int_equal(err, OK);
	*(bool *)arg = true;
}

static bool is_known_dead(void *arg)
{
	return gateway_is_dead(arg);
}

static bool is_known_alive(void *arg)
{
	return !gateway_is_dead(arg);
}

static void a_gateway_that_is_listed_again_under_its_epoch_is_dead_no_more(void **state)
{
	struct push *push = *state;
	struct node node = { .grpc_address = "127.0.0.1:1", .ws_url = "ws://127.0.0.1:1/ws", .cell = "a" };
	bool is_removed = false, is_renewed = false;
	uint64_t epoch = 0;

	(void)str_copy(node.name, sizeof(node.name), str_from(push->group)); /* any name of its own */
	node_register(push->redis, &node, on_registered, &epoch);
	turn_until(&push->worker, has_epoch, &epoch);
	node.epoch = epoch;
	struct gateway *gateway = gateways_get(push->gateways, str_from(node.name), epoch);
	assert_false(gateway_is_dead(gateway));
	node_remove(push->redis, str_from(node.name), epoch, on_node_changed, &is_removed);
	turn_until(&push->worker, is_known_dead, gateway);
	node_renew(push->redis, &node, on_node_changed, &is_renewed);
	turn_until(&push->worker, is_known_alive, gateway);
	assert_true(is_removed && is_renewed);
	node_remove(push->redis, str_from(node.name), epoch, NULL, NULL);
	turn_until(&push->worker, is_known_dead, gateway);
	gateway_unref(gateway);
}

static void idle_conversations_are_forgotten_and_found_again(void **state)
{
	struct push *push = *state;

	for (uint64_t round = 1; round <= 3; round++)
		for (unsigned i = 0; i < 20; i++) { /* the fixture remembers four */
			char conversation[96];

			snprintf(conversation, sizeof(conversation), "u:%s:x%u", push->alice, i);
			take(push, conversation, round, (int64_t)(round * 100 + i));
			settle(push);
		}
	assert_int_equal(push->finished_count, 60);
	assert_inbox(push, "x0", " 1 2 3");
}

static void apply_schema(void)
{
	char command[512];

	snprintf(command, sizeof(command), "cat deploy/migrations/*.sql | psql -q -v ON_ERROR_STOP=1 '%s'", pg_server.uri);
	if (system(command))
		fail_msg("the migrations do not go through");
}

static int make_servers(void **state)
{
	(void)state;
	real_server_make(&redis_server);
	real_server_make(&pg_server);
	apply_schema();
	return 0;
}

static int remove_servers(void **state)
{
	(void)state;
	real_server_remove(&redis_server);
	real_server_remove(&pg_server);
	return 0;
}

#define ORDER_TEST(name) cmocka_unit_test_setup_teardown(name, open_push, close_push)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDER_TEST(messages_reach_the_inboxes_by_seq_whatever_the_order_of_their_records),
		ORDER_TEST(a_repeat_that_was_seen_answered_goes_nowhere_but_its_place_is_done_with),
		ORDER_TEST(a_gap_whose_records_do_not_come_is_read_from_postgres),
		ORDER_TEST(a_record_that_comes_after_its_message_was_read_is_done_with_and_not_sent_again),
		ORDER_TEST(what_another_process_dispatched_is_dispatched_again_and_then_goes_on),
		ORDER_TEST(a_new_conversation_whose_second_record_comes_first_waits_for_its_first),
		ORDER_TEST(what_was_stored_before_redis_began_to_remember_is_not_sent_again),
		ORDER_TEST(of_what_was_stored_since_redis_remembers_all_is_sent_however_much_or_late),
		ORDER_TEST(another_redis_remembers_nothing_of_what_the_mark_says),
		ORDER_TEST(since_when_redis_remembers_is_looked_after),
		ORDER_TEST(what_this_process_has_dispatched_is_not_in_doubt_when_redis_forgets_it),
		ORDER_TEST(a_message_that_no_inbox_has_does_not_count_as_dispatched),
		ORDER_TEST(a_seq_that_postgres_does_not_have_moves_nothing_on),
		ORDER_TEST(a_false_seq_that_is_the_first_to_be_seen_of_a_conversation_moves_nothing_on),
		ORDER_TEST(a_hole_of_ten_thousand_is_filled_page_by_page),
		ORDER_TEST(a_stuck_conversation_takes_bounded_room_and_holds_up_no_other),
		ORDER_TEST(a_hole_that_cannot_be_read_holds_up_no_other_conversation),
		ORDER_TEST(a_note_to_oneself_has_one_inbox),
		ORDER_TEST(members_of_a_group_are_asked_of_postgres_once_per_version),
		ORDER_TEST(messages_that_come_while_the_members_are_looked_up_wait_for_them),
		ORDER_TEST(a_group_that_is_not_there_holds_nothing_up),
		ORDER_TEST(a_redis_that_dies_and_returns_gets_everything_in_order),
		ORDER_TEST(a_connection_to_redis_that_breaks_lets_no_message_pass_an_earlier_one),
		ORDER_TEST(a_partition_that_is_given_away_is_not_heard_of_again),
		ORDER_TEST(a_gateway_that_is_listed_again_under_its_epoch_is_dead_no_more),
		ORDER_TEST(idle_conversations_are_forgotten_and_found_again),
	};
	return cmocka_run_group_tests(tests, make_servers, remove_servers);
}
