#ifndef SKEIN_TESTS_SCHEMA_FIXTURE_H
#define SKEIN_TESTS_SCHEMA_FIXTURE_H

#include <libpq-fe.h>
#include <stddef.h>

#include "base/text/buf.h"
#include "servers.h"

/*
 * What the tests of deploy/schema share: a real PostgreSQL with the schema, alice, bob, carol and dave, and the group 'team'
 * of alice (its owner) and bob. Statements that must not fail end the test with the server's error.
 */

#define NODE 7
#define EPOCH 3

extern struct real_server schema_server;
extern PGconn *db;

int start_server(void **state); /* the setup and teardown of a whole program */
int stop_server(void **state);
int reset(void **state); /* before each test: a fresh database */

PGconn *open_connection(void);
PGresult *ask_on(PGconn *conn, const char *sql);
void run_sql(const char *sql);
void run_sqlf(const char *format, ...) __attribute__((format(printf, 1, 2)));
long ask_number(const char *sql);

/* The first cell of the answer is this text; a NULL is "". */
void assert_text(const char *sql, const char *expected);

/* Sends a statement on a connection of its own, and waits until it waits for a lock. */
void ask_and_wait(PGconn *conn, const char *sql);
void await_lock_wait(PGconn *conn);

/* The first cell of the statement that ask_and_wait() sent, once it has its lock. */
void assert_answer(PGconn *conn, const char *expected);

/* The second statement waits for the transaction of the first, and then answers this text in its first cell. */
void assert_race(const char *first_sql, const char *second_sql, const char *second_answer);

/* One send of a batch for fn.im_send(). write_call() fills in the fields that are left out. */
struct sent {
	const char *conversation, *sender, *user, *group, *key;
	long msg_id;
	const char *type, *body;
	long reply_to;
	const char *mentions;
};

#define SENT(...) ((struct sent){ __VA_ARGS__ })
#define TO_BOB .conversation = "u:alice:bob", .user = "bob"
#define TO_TEAM .conversation = "g:team", .group = "team"

/* The statement that sends a batch; its rows are status, msg_id, seq, duplicate, member_version in the order of the batch. */
void write_call(struct buf *sql, int node, int epoch, const struct sent *sends, unsigned count);
PGresult *send_on(PGconn *conn, int node, int epoch, const struct sent *sends, unsigned count);
PGresult *send_all(const struct sent *sends, unsigned count);

/* One send is answered with this status. */
void check(struct sent send, const char *status);

#endif
