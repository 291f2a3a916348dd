#ifndef SKEIN_TESTS_RPC_FIXTURE_H
#define SKEIN_TESTS_RPC_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "loop/worker.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"

/*
 * What the rpc tests share: a server and a client, each on a worker of its own,
 * both steered from the test's thread; the same server as a process of its own,
 * to be killed or frozen; and waiting for things to happen.
 */

/* How long a test waits for what must happen, before it fails. */
#define PATIENCE_MS 20000

/* Counts what happens on other threads. */
struct tally {
	uv_mutex_t lock;
	uv_cond_t changed;
	uint64_t count;
};

void tally_init(struct tally *tally);
void tally_release(struct tally *tally);
void tally_add(struct tally *tally, uint64_t n);
uint64_t tally_now(struct tally *tally);

/* Waits until the count is at least `count`; false after PATIENCE_MS. */
bool tally_reach(struct tally *tally, uint64_t count);

/* Polls `is_so` until it is true; false when that takes longer than `within_ms`. */
bool becomes_true(bool (*is_so)(const void *arg), const void *arg, uint64_t within_ms);

/* Runs `fn` on the worker's thread and waits until it has returned. */
void run_on(struct worker *worker, void (*fn)(void *arg), void *arg);

/*
 * The server of the tests:
 *   /test.Unary/Echo     the request, from the queue's thread
 *   /test.Unary/OnLoop   the request, from the loop
 *   /test.Unary/Fail     the error whose name is the request ("ERR_BLOCKED"), with it as the detail
 *   /test.Unary/Keep     no reply until server_reply_kept()
 *   /test.Unary/Trace    the traceparent
 *   /test.Stream/Echo    each message, from the loop
 *   /test.Stream/Quick   each message, from the queue's thread
 *   /test.Stream/Given   what the test set as `given`, on the loop
 */
#define UNARY_ECHO "/test.Unary/Echo"
#define UNARY_ON_LOOP "/test.Unary/OnLoop"
#define UNARY_FAIL "/test.Unary/Fail"
#define UNARY_KEEP "/test.Unary/Keep"
#define UNARY_TRACE "/test.Unary/Trace"
#define STREAM_ECHO "/test.Stream/Echo"
#define STREAM_QUICK "/test.Stream/Quick"
#define STREAM_GIVEN "/test.Stream/Given"

#define KEPT_MAX 16

struct test_server {
	struct worker worker;
	struct rpc_server *rpc;
	char listen[32];
	size_t max_message;
	struct str descriptor_set;
	const struct rpc_stream_handlers *given; /* handlers of /test.Stream/Given; their arg is given_arg */
	void *given_arg;
	struct tally calls; /* unary calls that reached a handler */
	struct tally closed;
	struct rpc_call *kept[KEPT_MAX]; /* the loop's */
	size_t kept_count;
	bool is_closing;
	err_t start_err;
};

/* Ports of this test program, 0 to RPC_PORTS - 1, that nobody used when it began; and how a client calls one, "127.0.0.1:PORT". */
#define RPC_PORTS 4
unsigned rpc_port(unsigned i);
const char *rpc_target(unsigned i);

/* The caller zeroes `server` and sets what it needs. */
void server_start(struct test_server *server, unsigned port);
void server_close(struct test_server *server, uint64_t grace_ms); /* begins to */
void server_reply_kept(struct test_server *server);
void server_join(struct test_server *server); /* waits until it is closed, frees */
void server_stop(struct test_server *server); /* close without grace, and join */

struct test_client {
	struct worker worker;
	struct rpc_client *rpc;
	struct rpc_channel *channel;
	struct tally closed;
};

void client_start(struct test_client *client, const char *targets);
void client_stop(struct test_client *client);

/* Waits for a connection. */
void client_wait_up(struct test_client *client);

/* One call and its outcome. */
struct outcome {
	struct tally done;
	err_t err;
	char detail[512];
	char text[512]; /* the response's beginning */
	size_t len;
	bool is_on_worker; /* `done` came on the worker's thread */
	const struct worker *worker;
};

/* Waits for the outcome. */
void call(struct test_client *client, const char *path, struct str request, uint64_t timeout_ms, struct outcome *out);

/* Does not wait: outcome_wait(). */
void call_start(struct test_client *client, const char *path, struct str request, uint64_t timeout_ms,
                bool wait_for_ready, struct outcome *out);
void outcome_wait(struct outcome *out);

/* A server of its own process. */
struct process {
	pid_t pid;
	int life; /* it ends when this end of the pipe is closed */
};

/* main() calls it first. True if this program is such a server process; then the server has already run to its end. */
bool process_main(int argc, char **argv);

void process_start(struct process *process, unsigned port);
void process_signal(const struct process *process, int signal);

/* Kills and reaps it. */
void process_kill(struct process *process);

uint64_t now_ms(void);

/* Memory of this process that is in use now, in bytes. */
size_t resident_bytes(void);

#endif
