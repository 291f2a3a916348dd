#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "rpc/client/rpc_channel.h"
#include "rpc/client/rpc_client.h"
#include "rpc/core/rpc_message.h"
#include "rpc/core/rpc_status.h"
#include "rpc/core/stream_core.h"

/*
 * A client's stream outlives its calls. Each call goes through: open (wait for a connection, send our headers, wait for the
 * server's), up, over, pause; then the next call is made. Completions come on the queue's thread, everything else happens on
 * the worker's.
 */

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 500

struct client_stream {
	struct rpc_stream stream;
	struct rpc_channel *channel;
	const char *path;
	struct timer pause;
	bool is_pausing; /* no call is under way. Thread: the worker's */
	bool is_refused; /* the last call ended before it was accepted. Thread: the queue's */

	struct rpc_tag answered, ended;
	grpc_metadata_array initial, trailing;
	grpc_status_code status;
	grpc_slice details;
};

static struct client_stream *client_stream_of(struct rpc_stream *stream)
{
	return container_of(stream, struct client_stream, stream);
}

/* The server's headers came. The headers of a refused call lack the key RPC_STREAM_KEY. */
static void client_stream_on_answered(struct rpc_tag *tag, bool ok)
{
	struct client_stream *mine = container_of(tag, struct client_stream, answered);
	bool is_accepted = ok && rpc_metadata_find(&mine->initial, RPC_STREAM_KEY).len > 0;

	grpc_metadata_array_destroy(&mine->initial);
	if (is_accepted) {
		mine->is_refused = false;
		rpc_stream_accepted(&mine->stream);
	}
	rpc_stream_completed(&mine->stream);
}

static void client_stream_on_ended(struct rpc_tag *tag, bool ok)
{
	struct client_stream *mine = container_of(tag, struct client_stream, ended);
	err_t err = rpc_status_error((int)mine->status, rpc_metadata_find(&mine->trailing, RPC_ERROR_KEY));

	(void)ok; /* RECV_STATUS_ON_CLIENT never fails; the status tells the outcome */
	/* Logs the first failure only, not each further try to open the stream. */
	if (!mine->is_refused && mine->status != GRPC_STATUS_CANCELLED) {
		char detail[RPC_DETAIL_MAX + 1];

		rpc_detail_escape(detail, rpc_slice_str(&mine->details));
		log_warn("rpc stream is down", LOG_TEXT("targets", mine->channel->targets), LOG_TEXT("path", mine->path),
		         LOG_ERR(err), LOG_TEXT("detail", detail));
	}
	mine->is_refused = true;
	grpc_metadata_array_destroy(&mine->trailing);
	grpc_slice_unref(mine->details);
	rpc_stream_set_over(&mine->stream, err);
}

static void client_stream_open_call(struct client_stream *mine)
{
	struct rpc_channel *channel = mine->channel;
	grpc_slice method = rpc_slice_copy(str_from(mine->path));
	grpc_call *call = grpc_channel_create_call(channel->grpc, NULL, GRPC_PROPAGATE_DEFAULTS, channel->client->queue.cq,
	                                           method, NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	grpc_op whole[2] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA, .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY },
		{ .op = GRPC_OP_RECV_STATUS_ON_CLIENT },
	};
	grpc_op answer = { .op = GRPC_OP_RECV_INITIAL_METADATA };

	grpc_slice_unref(method);
	grpc_metadata_array_init(&mine->initial);
	grpc_metadata_array_init(&mine->trailing);
	mine->details = grpc_empty_slice();
	whole[1].data.recv_status_on_client.trailing_metadata = &mine->trailing;
	whole[1].data.recv_status_on_client.status = &mine->status;
	whole[1].data.recv_status_on_client.status_details = &mine->details;
	answer.data.recv_initial_metadata.recv_initial_metadata = &mine->initial;
	rpc_stream_attach(&mine->stream, call, 2);
	rpc_start(call, whole, ARRAY_LEN(whole), &mine->ended, client_stream_on_ended);
	rpc_start(call, &answer, 1, &mine->answered, client_stream_on_answered);
}

static void client_stream_on_pause_over(struct timer *timer)
{
	struct client_stream *mine = container_of(timer, struct client_stream, pause);

	mine->is_pausing = false;
	client_stream_open_call(mine);
}

/* The owner has closed the stream and its last call is over. */
static void client_stream_leave(struct client_stream *mine)
{
	rpc_channel_unref(mine->channel);
	rpc_stream_unref(&mine->stream);
}

static void client_stream_on_down(struct rpc_stream *stream)
{
	struct client_stream *mine = client_stream_of(stream);

	if (stream->is_silenced) {
		client_stream_leave(mine);
		return;
	}
	mine->is_pausing = true;
	worker_arm(stream->worker, &mine->pause,
	           clock_mono_ms() + PAUSE_MIN_MS + random_below(PAUSE_MAX_MS - PAUSE_MIN_MS + 1));
}

static void client_stream_on_release(struct rpc_stream *stream)
{
	rpc_stream_release(stream);
	mem_free(client_stream_of(stream));
}

static const struct rpc_stream_side client_side = { .down = client_stream_on_down, .release = client_stream_on_release };

struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, struct worker *worker, const char *path,
                                   const struct rpc_stream_handlers *handlers, size_t max_queued, void *arg)
{
	struct client_stream *mine = MEM_NEW(struct client_stream);

	rpc_channel_ref(channel);
	atomic_fetch_add(&channel->open_streams, 1);
	mine->channel = channel;
	mine->path = path;
	timer_init(&mine->pause, client_stream_on_pause_over);
	rpc_stream_init(&mine->stream, &client_side, handlers, arg, worker, max_queued);
	client_stream_open_call(mine);
	return &mine->stream;
}

void rpc_stream_reopen(struct rpc_stream *stream)
{
	rpc_stream_cancel(stream, GRPC_STATUS_CANCELLED, "reopened");
}

void rpc_stream_close(struct rpc_stream *stream)
{
	struct client_stream *mine = client_stream_of(stream);

	stream->is_silenced = true;
	atomic_fetch_sub(&mine->channel->open_streams, 1);
	if (mine->is_pausing) {
		worker_cancel(stream->worker, &mine->pause);
		client_stream_leave(mine);
	} else {
		rpc_stream_cancel(stream, GRPC_STATUS_CANCELLED, "closed");
	}
}
