#ifndef SKEIN_TESTS_RPC_STREAM_FIXTURE_H
#define SKEIN_TESTS_RPC_STREAM_FIXTURE_H

#include "base/text/buf.h"
#include "rpc_fixture.h"

/* A server and a client that is connected to it, a stream between them, and what each end of it has seen. */

/* What one end of a stream has seen. */
struct end {
	struct tally opened, closed, messages, bytes;
	atomic_int last_err;
	_Atomic(struct rpc_stream *) stream;
	_Atomic(struct buf *) collect; /* where the handlers put the received bytes, if the test wants them */
	_Atomic(uv_sem_t *) gate; /* the message handler waits here first */
};

/* Handlers that count into the struct end that is their argument. */
extern const struct rpc_stream_handlers end_handlers;
void end_opened(struct rpc_stream *stream, void *arg);
void end_message(struct rpc_stream *stream, struct str message, void *arg);
void end_closed(struct rpc_stream *stream, err_t err, void *arg);

struct pair {
	struct test_server server;
	struct test_client client;
	struct end near; /* the client's */
	struct end far; /* the server's, of /test.Stream/Given */
	struct rpc_stream *open; /* closed by pair_tear_down if a test failed before */
};

/* The setup and teardown of each test; *state is the pair. */
int pair_set_up(void **state);
int pair_tear_down(void **state);

struct rpc_stream *pair_open(struct pair *pair, const char *path, size_t max_queued, const struct rpc_stream_handlers *handlers,
                             void *arg);

/* With end_handlers; waits until the stream is up. */
struct rpc_stream *pair_open_and_wait(struct pair *pair, const char *path, size_t max_queued);
void pair_close(struct pair *pair, struct rpc_stream *stream);

/* Sends as soon as the stream is up. */
err_t send_when_up(struct rpc_stream *stream, struct str message);

#endif
