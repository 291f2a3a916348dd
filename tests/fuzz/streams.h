#ifndef SKEIN_TESTS_FUZZ_STREAMS_H
#define SKEIN_TESTS_FUZZ_STREAMS_H

#include "base/text/buf.h"
#include "rpc/server/rpc_server.h"

/*
 * A stream without gRPC for the handlers of one: include it once, in a target
 * that is linked with --wrap for these functions (mk/fuzz.mk). What is sent is
 * kept in `sent`.
 */

struct rpc_stream *__wrap_rpc_stream_ref(struct rpc_stream *stream);
void __wrap_rpc_stream_unref(struct rpc_stream *stream);
err_t __wrap_rpc_stream_send(struct rpc_stream *stream, struct str message);
void __wrap_rpc_stream_end(struct rpc_stream *stream, err_t err, const char *detail);
void __wrap_rpc_stream_keep_bytes(struct rpc_stream *stream, size_t bytes);
void __wrap_rpc_stream_give_back_bytes(struct rpc_stream *stream, size_t bytes);

static struct {
	int refs;
	unsigned sends;
	struct buf sent; /* batches concatenate */
	size_t kept; /* bytes that the handler has not given back */
	bool has_ended;
} peer;

/* Never looked into. */
#define PEER ((struct rpc_stream *)&peer)

struct rpc_stream *__wrap_rpc_stream_ref(struct rpc_stream *stream)
{
	peer.refs++;
	return stream;
}

void __wrap_rpc_stream_unref(struct rpc_stream *stream)
{
	(void)stream;
	peer.refs--;
}

err_t __wrap_rpc_stream_send(struct rpc_stream *stream, struct str message)
{
	(void)stream;
	peer.sends++;
	buf_append_str(&peer.sent, message);
	return OK;
}

void __wrap_rpc_stream_end(struct rpc_stream *stream, err_t err, const char *detail)
{
	(void)stream;
	(void)err;
	(void)detail;
	peer.has_ended = true;
}

void __wrap_rpc_stream_keep_bytes(struct rpc_stream *stream, size_t bytes)
{
	(void)stream;
	peer.kept += bytes;
}

void __wrap_rpc_stream_give_back_bytes(struct rpc_stream *stream, size_t bytes)
{
	(void)stream;
	peer.kept -= bytes;
}

static void peer_begin(void)
{
	buf_clear(&peer.sent);
	peer.refs = 0;
	peer.sends = 0;
	peer.kept = 0;
	peer.has_ended = false;
}

#endif
