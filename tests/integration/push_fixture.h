#ifndef SKEIN_TESTS_PUSH_FIXTURE_H
#define SKEIN_TESTS_PUSH_FIXTURE_H

#include <stdint.h>
#include <libpq-fe.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "push/order/conversations.h"
#include "store/redis/redis.h"
#include "servers.h"

/*
 * The conversations of push against a real Redis and a real PostgreSQL. Nobody is connected, so a message is done with once
 * it stands in the inboxes, which is where the tests look.
 */

#define FINISHED_MAX 2048

extern struct real_server redis_server, pg_server;

struct push {
	struct worker worker;
	struct redis *redis;
	struct pg *pg;
	struct rpc_client *rpc;
	struct node_list *nodes;
	struct gateways *gateways;
	struct member_cache *members;
	struct conversations *conversations; /* remember four */
	char conversation[80], alice[32], bob[32], group[32]; /* each test's own; the first is alice's and bob's */
	int64_t finished[FINISHED_MAX]; /* offsets, in the order in which push finished them */
	unsigned finished_count;
	size_t most_bytes; /* in flight at any time */
	PGconn *locker; /* holds a lock on the groups */
	unsigned unknown_count; /* seqs that PostgreSQL does not have */
	uint64_t unknown_seq; /* the last */
};

/* A program's tests: PUSH_TEST(name) each, between make_servers() and remove_servers() for all. */
#define PUSH_TEST(name) cmocka_unit_test_setup_teardown(name, open_push, close_push)

int make_servers(void **state); /* with the tables */
int remove_servers(void **state);
int open_push(void **state);
int close_push(void **state);

/* ---- what push is given ---- */

#define NOW_MS clock_wall_ms()
#define LONG_AGO_MS (NOW_MS - 600000)

/* A record of partition 3: a message from alice. */
void take(struct push *push, const char *conversation, uint64_t seq, int64_t offset);

/* The same of a partition that was added to the topic. */
#define ADDED_PARTITION 12
void take_from_added_partition(struct push *push, const char *conversation, uint64_t seq, int64_t offset);

/* The same with the version of the group's membership; who joined and who left (or NULL) by this entry. */
void take_of_version(struct push *push, const char *conversation, uint64_t seq, int64_t offset, uint64_t member_version,
                     const char *joined, const char *left);

/* Waits until push has finished everything that it was given. */
void settle(struct push *push);

/* Rows of messages in PostgreSQL; the first function stamps them with the present time. */
void store_rows(struct push *push, unsigned from, unsigned to);
void store_rows_of(struct push *push, const char *conversation, unsigned from, unsigned to, uint64_t time);

/* The group, of alice and bob. */
void store_group(struct push *push);
void query(const char *sql);

/* Between lock and unlock, no query for the members of a group gets an answer. */
void lock_groups(struct push *push);
void unlock_groups(struct push *push);

/* Runs a Redis command and waits for it; its reply is ignored. */
void command(struct push *push, const struct str *args, unsigned count);

/* Redis remembers that the conversation was dispatched up to here. */
void set_dispatched(struct push *push, const char *seq);

/* ---- looking at what is there ---- */

/* The seqs in the inbox: " 1 2 3". */
void assert_inbox(struct push *push, const char *uid, const char *seqs);
void assert_inbox_range(struct push *push, const char *uid, unsigned from, unsigned to);

/* The seq up to which Redis remembers the conversation as dispatched; 0: Redis does not know the conversation. */
void assert_dispatched(struct push *push, const char *conversation, uint64_t seq);

#endif
