#include "push_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "deliver/gateways.h"
#include "push/inboxes/outgoing.h"
#include "push/order/delivery_wait.h"
#include "push/recipients/member_cache.h"
#include "store/pg/pg.h"
#include "store/pg/pg_conn.h"
#include "store_fixture.h"

struct real_server redis_server = { .kind = REAL_REDIS }, pg_server = { .kind = REAL_POSTGRES };

/* ---- the servers ---- */

static void apply_schema(void)
{
	char command[512];

	snprintf(command, sizeof(command),
	         "cat deploy/schema/tables/*.sql deploy/schema/functions/*.sql | psql -q -v ON_ERROR_STOP=1 '%s'",
	         pg_server.uri);
	if (system(command))
		fail_msg("the schema does not go through");
}

int make_servers(void **state)
{
	(void)state;
	real_server_make(&redis_server);
	real_server_make(&pg_server);
	apply_schema();
	return 0;
}

int remove_servers(void **state)
{
	(void)state;
	real_server_remove(&redis_server);
	real_server_remove(&pg_server);
	return 0;
}

/* ---- a push ---- */

static void on_finished(void *arg, int32_t partition, int64_t offset)
{
	struct push *push = arg;

	assert_true(partition == 3 || partition == ADDED_PARTITION);
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

int open_push(void **state)
{
	struct push *push = MEM_NEW(struct push);
	const struct redis_options redis_options = { .uri = redis_server.uri, .max_waiting = 10000, .timeout_ms = 1500 };
	const struct pg_options pg_options = {
		.uri = pg_server.uri,
		.connections = 1,
		.max_waiting = 100,
		.timeout_ms = 3000,
		.settings = PG_BY_INDEX,
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
	push->members = member_cache_new(push->pg, 1000);
	static struct delivery_wait wait;
	const struct conversations_options options = {
		.wait = &wait,
		.worker = &push->worker,
		.redis = push->redis,
		.pg = push->pg,
		.gateways = push->gateways,
		.members = push->members,
		.inbox_limits = { .max_entries = 100000, .max_age_s = 3600, .expire_s = 3600 },
		.max_conversations = 4,
		.max_cached_routes = 1000,
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

int close_push(void **state)
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

/* ---- what comes ---- */

static Skein__V1__MessageRecord *record(const char *conversation, const char *from, uint64_t seq, uint64_t member_version,
                                        const char *joined, const char *left)
{
	char *joined_list[] = { (char *)joined }, *left_list[] = { (char *)left };
	Skein__V1__MembershipDelta delta = SKEIN__V1__MEMBERSHIP_DELTA__INIT;
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
	delta.joined = joined_list;
	delta.n_joined = joined ? 1 : 0;
	delta.left = left_list;
	delta.n_left = left ? 1 : 0;
	if (joined || left)
		made.membership = &delta;
	size_t len = skein__v1__message_record__pack(&made, packed);
	return skein__v1__message_record__unpack(NULL, len, packed);
}

static void take_record(struct push *push, Skein__V1__MessageRecord *made, int32_t partition, int64_t offset)
{
	struct outgoing *outgoing = outgoing_new(made);

	outgoing->has_place = true;
	outgoing->partition = partition;
	outgoing->offset = offset;
	conversations_take(push->conversations, outgoing);
}

void take(struct push *push, const char *conversation, uint64_t seq, int64_t offset)
{
	take_of_version(push, conversation, seq, offset, 0, NULL, NULL);
}

void take_from_added_partition(struct push *push, const char *conversation, uint64_t seq, int64_t offset)
{
	take_record(push, record(conversation, push->alice, seq, 0, NULL, NULL), ADDED_PARTITION, offset);
}

void take_of_version(struct push *push, const char *conversation, uint64_t seq, int64_t offset, uint64_t member_version,
                     const char *joined, const char *left)
{
	take_record(push, record(conversation, push->alice, seq, member_version, joined, left), 3, offset);
}

static bool is_quiet(void *arg)
{
	struct push *push = arg;

	return conversations_in_flight(push->conversations) == 0;
}

void settle(struct push *push)
{
	turn_until(&push->worker, is_quiet, push);
}

void query(const char *sql)
{
	PGconn *conn = pg_connect_blocking(pg_server.uri);
	assert_non_null(conn);
	PGresult *result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

void store_rows_of(struct push *push, const char *conversation, unsigned from, unsigned to, uint64_t time)
{
	char sql[768];

	snprintf(sql, sizeof(sql),
	         "insert into conversation (id, kind, last_seq, counted) values ('%s', %d, %u, %u) on conflict (id) do update"
	         " set last_seq = greatest(conversation.last_seq, excluded.last_seq);"
	         "insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, body)"
	         " select no, n, n, %llu, n, fn.entry_key(no, n::text), fn.type_no('text'), '%s', '{\"text\":\"hi\"}'"
	         " from conversation, generate_series(%u, %u) n where id = '%s'",
	         conversation, *conversation == 'g' ? 2 : 1, to, to, (unsigned long long)time, push->alice, from, to, conversation);
	query(sql);
}

void store_rows(struct push *push, unsigned from, unsigned to)
{
	store_rows_of(push, push->conversation, from, to, NOW_MS);
}

void store_group(struct push *push)
{
	char sql[768];

	snprintf(sql, sizeof(sql),
	         "with made as (insert into conversation (id, kind) values ('g:%s', 2) returning no), "
	         "joined as (insert into group_member (no, uid) select no, unnest(array['%s', '%s']) from made) "
	         "insert into chat_group (no, name, owner, join_mode, history_mode, member_version, member_count) "
	         "select no, 'x', '%s', 'invite', 'all', 1, 2 from made",
	         push->group, push->alice, push->bob, push->alice);
	query(sql);
}

void lock_groups(struct push *push)
{
	push->locker = pg_connect_blocking(pg_server.uri);
	assert_non_null(push->locker);
	PQclear(PQexec(push->locker, "begin; lock table chat_group, group_member"));
}

void unlock_groups(struct push *push)
{
	PQfinish(push->locker);
	push->locker = NULL;
}

static void note_answer(void *arg, err_t err, const redisReply *reply)
{
	(void)reply;
	assert_int_equal(err, OK);
	*(bool *)arg = true;
}

void command(struct push *push, const struct str *args, unsigned count)
{
	bool is_answered = false;

	redis_command(push->redis, args, count, note_answer, &is_answered);
	turn_until_true(&push->worker, &is_answered);
}

void set_dispatched(struct push *push, const char *seq)
{
	char key[96];

	snprintf(key, sizeof(key), "im:seq:{%s}", push->conversation);
	const struct str args[] = { STR("SET"), str_from(key), str_from(seq) };
	command(push, args, ARRAY_LEN(args));
}

/* ---- what is there ---- */

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

void assert_inbox(struct push *push, const char *uid, const char *seqs)
{
	struct listing listing = { 0 };
	char key[64];

	snprintf(key, sizeof(key), "im:inbox:{%s}", uid);
	const struct str args[] = { STR("LRANGE"), str_from(key), STR("0"), STR("-1") };
	redis_command(push->redis, args, ARRAY_LEN(args), on_listed, &listing);
	turn_until_true(&push->worker, &listing.has_come);
	assert_string_equal(listing.text, seqs);
}

void assert_inbox_range(struct push *push, const char *uid, unsigned from, unsigned to)
{
	struct buf expected = { 0 };

	for (unsigned seq = from; seq <= to; seq++)
		buf_printf(&expected, " %u", seq);
	assert_inbox(push, uid, buf_text(&expected));
	buf_release(&expected);
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

void assert_dispatched(struct push *push, const char *conversation, uint64_t seq)
{
	struct reading reading = { 0 };
	char key[96];

	snprintf(key, sizeof(key), "im:seq:{%s}", conversation);
	const struct str args[] = { STR("GET"), str_from(key) };
	redis_command(push->redis, args, ARRAY_LEN(args), on_dispatched_read, &reading);
	turn_until_true(&push->worker, &reading.has_come);
	assert_int_equal(reading.seq, seq);
}
