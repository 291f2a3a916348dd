#include "base/mem.h"
#include "rpc/client/rpc_channel.h"
#include "rpc/client/rpc_client.h"
#include "rpc/core/rpc_message.h"
#include "rpc/core/rpc_status.h"

/* Longer timeouts are cut to this: gRPC's arithmetic overflows. */
#define TIMEOUT_MAX_MS (24ull * 3600 * 1000)

struct client_call {
	struct rpc_tag over;
	struct task task;
	struct rpc_channel *channel;
	struct worker *worker;
	rpc_done done;
	void *arg;

	struct channel_call open; /* in the channel's list until it is over */
	grpc_metadata traceparent;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *request, *response;
	grpc_status_code status;
	grpc_slice details;
};

static err_t client_call_error(const struct client_call *call, bool is_closed)
{
	if (call->status == GRPC_STATUS_CANCELLED && is_closed)
		return ERR_CLOSED;
	if (call->status == GRPC_STATUS_OK && !call->response)
		return ERR_INTERNAL; /* a success needs a response */
	return rpc_status_error((int)call->status, rpc_metadata_find(&call->trailing, RPC_ERROR_KEY));
}

static void client_call_run_done(struct task *task)
{
	struct client_call *call = container_of(task, struct client_call, task);
	struct rpc_message message = { .joined = grpc_empty_slice() };
	char detail[RPC_DETAIL_MAX + 1];

	uv_mutex_lock(&call->channel->lock);
	list_remove(&call->open.link);
	bool is_closed = call->channel->is_closed;
	uv_mutex_unlock(&call->channel->lock);

	err_t err = client_call_error(call, is_closed);
	if (err == OK)
		rpc_message_open(&message, call->response);
	rpc_detail_escape(detail, rpc_slice_str(&call->details));
	call->done(call->arg, err, message.bytes, detail);
	rpc_message_close(&message);

	grpc_metadata_array_destroy(&call->initial);
	grpc_metadata_array_destroy(&call->trailing);
	grpc_byte_buffer_destroy(call->request);
	grpc_byte_buffer_destroy(call->response);
	grpc_slice_unref(call->traceparent.value);
	grpc_slice_unref(call->details);
	grpc_call_unref(call->open.call);
	rpc_channel_unref(call->channel);
	mem_free(call);
}

static void client_call_on_over(struct rpc_tag *tag, bool ok)
{
	struct client_call *call = container_of(tag, struct client_call, over);

	(void)ok; /* RECV_STATUS_ON_CLIENT never fails; the status tells the outcome */
	worker_post(call->worker, &call->task);
}

static void client_call_start(struct client_call *call, bool wait_for_ready, bool has_traceparent)
{
	grpc_op ops[6] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA, .flags = wait_for_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0 },
		{ .op = GRPC_OP_SEND_MESSAGE },
		{ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
		{ .op = GRPC_OP_RECV_INITIAL_METADATA },
		{ .op = GRPC_OP_RECV_MESSAGE },
		{ .op = GRPC_OP_RECV_STATUS_ON_CLIENT },
	};

	ops[0].data.send_initial_metadata.count = has_traceparent ? 1 : 0;
	ops[0].data.send_initial_metadata.metadata = &call->traceparent;
	ops[1].data.send_message.send_message = call->request;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
	ops[4].data.recv_message.recv_message = &call->response;
	ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
	ops[5].data.recv_status_on_client.status = &call->status;
	ops[5].data.recv_status_on_client.status_details = &call->details;
	rpc_start(call->open.call, ops, ARRAY_LEN(ops), &call->over, client_call_on_over);
}

void rpc_call(struct rpc_channel *channel, struct worker *worker, const char *path, struct str request,
              uint64_t timeout_ms, bool wait_for_ready, struct str traceparent, rpc_done done, void *arg)
{
	struct client_call *call = MEM_NEW(struct client_call);
	bool has_traceparent = rpc_traceparent_is_valid(traceparent);
	gpr_timespec timeout = gpr_time_from_millis((int64_t)MIN(timeout_ms, TIMEOUT_MAX_MS), GPR_TIMESPAN);
	gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), timeout);
	grpc_slice method = rpc_slice_copy(str_from(path));

	rpc_channel_ref(channel);
	call->channel = channel;
	call->worker = worker;
	call->task.run = client_call_run_done;
	call->done = done;
	call->arg = arg;
	call->request = rpc_message_new(request);
	call->details = grpc_empty_slice();
	call->traceparent.key = grpc_slice_from_static_string(RPC_TRACEPARENT_KEY);
	call->traceparent.value = has_traceparent ? rpc_slice_copy(traceparent) : grpc_empty_slice();
	grpc_metadata_array_init(&call->initial);
	grpc_metadata_array_init(&call->trailing);
	call->open.call = grpc_channel_create_call(channel->grpc, NULL, GRPC_PROPAGATE_DEFAULTS, channel->client->queue.cq,
	                                           method, NULL, deadline, NULL);
	grpc_slice_unref(method);
	uv_mutex_lock(&channel->lock);
	list_push_back(&channel->calls, &call->open.link);
	uv_mutex_unlock(&channel->lock);
	client_call_start(call, wait_for_ready, has_traceparent);
}
