#include "rpc/server/rpc_server_streams.h"

#include "base/mem.h"
#include "rpc/core/rpc_status.h"
#include "rpc/core/stream_core.h"

/* Bytes that may wait unsent on one stream. */
#define MAX_QUEUED (8u << 20)

struct server_stream {
	struct rpc_stream stream;
	struct rpc_server *server;
	struct list link; /* in the server's streams */
	struct rpc_tag ended;
	int is_cancelled;
	grpc_metadata greeting;
};

static struct server_stream *server_stream_of(struct rpc_stream *stream)
{
	return container_of(stream, struct server_stream, stream);
}

/* The client will send no more: the server ends the stream, too. */
static void server_stream_on_peer_is_done(struct rpc_stream *stream)
{
	rpc_stream_finish(stream, OK);
}

static void server_stream_on_down(struct rpc_stream *stream)
{
	struct server_stream *mine = server_stream_of(stream);
	struct rpc_server *server = mine->server;

	uv_mutex_lock(&server->lock);
	list_remove(&mine->link);
	uv_mutex_unlock(&server->lock);
	rpc_server_release(server);
	rpc_stream_unref(stream);
}

static void server_stream_on_release(struct rpc_stream *stream)
{
	rpc_stream_release(stream);
	mem_free(server_stream_of(stream));
}

static const struct rpc_stream_side server_side = {
	.peer_is_done = server_stream_on_peer_is_done,
	.down = server_stream_on_down,
	.release = server_stream_on_release,
};

static void server_stream_on_ended(struct rpc_tag *tag, bool ok)
{
	struct server_stream *mine = container_of(tag, struct server_stream, ended);

	(void)ok; /* RECV_CLOSE_ON_SERVER never fails */
	rpc_stream_set_over(&mine->stream, mine->is_cancelled ? ERR_CLOSED : OK);
}

void rpc_server_stream_begin(const struct rpc_endpoint *endpoint, grpc_call *call)
{
	const struct rpc_method *method = endpoint->method;
	struct rpc_server *server = endpoint->server;
	struct server_stream *mine = MEM_NEW(struct server_stream);
	grpc_op ops[2] = { { .op = GRPC_OP_SEND_INITIAL_METADATA }, { .op = GRPC_OP_RECV_CLOSE_ON_SERVER } };

	mine->server = server;
	rpc_stream_init(&mine->stream, &server_side, method->stream, endpoint->arg,
	                method->thread == RPC_ON_LOOP ? server->worker : NULL, MAX_QUEUED);
	mine->stream.is_lockstep = endpoint->is_lockstep;
	uv_mutex_lock(&server->lock);
	list_push_back(&server->streams, &mine->link);
	bool is_late = server->is_closing;
	uv_mutex_unlock(&server->lock);

	/* The headers are sent at once, because the client waits for them. The batch completes at the end of the call. */
	mine->greeting = (grpc_metadata){
		.key = grpc_slice_from_static_string(RPC_STREAM_KEY),
		.value = grpc_slice_from_static_string("1"),
	};
	ops[0].data.send_initial_metadata.count = 1;
	ops[0].data.send_initial_metadata.metadata = &mine->greeting;
	ops[1].data.recv_close_on_server.cancelled = &mine->is_cancelled;
	rpc_stream_attach(&mine->stream, call, 1);
	rpc_start(call, ops, ARRAY_LEN(ops), &mine->ended, server_stream_on_ended);
	rpc_stream_accepted(&mine->stream);
	if (is_late)
		rpc_stream_finish(&mine->stream, ERR_UNAVAILABLE);
}

void rpc_server_streams_finish(struct rpc_server *server)
{
	uv_mutex_lock(&server->lock);
	server->is_closing = true;
	list_for_each(link, &server->streams)
		rpc_stream_finish(&container_of(link, struct server_stream, link)->stream, ERR_UNAVAILABLE);
	uv_mutex_unlock(&server->lock);
}

void rpc_stream_end(struct rpc_stream *stream, err_t err, const char *detail)
{
	char text[RPC_DETAIL_MAX + 1];

	rpc_detail_escape(text, str_from(detail));
	rpc_stream_cancel(stream, (grpc_status_code)err_grpc_status(err), text);
}
