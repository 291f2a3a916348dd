#include "rpc/server/rpc_server_calls.h"

#include <assert.h>

#include "base/mem.h"
#include "rpc/core/rpc_message.h"
#include "rpc/core/rpc_status.h"

struct rpc_call {
	struct rpc_tag replied;
	struct task task;
	struct rpc_server *server;
	const struct rpc_endpoint *endpoint;
	grpc_call *call;
	grpc_metadata_array metadata;
	grpc_byte_buffer *request;
	grpc_byte_buffer *response;
	int is_cancelled; /* required by gRPC, not used */
};

static void rpc_call_on_replied(struct rpc_tag *tag, bool ok)
{
	struct rpc_call *call = container_of(tag, struct rpc_call, replied);

	(void)ok; /* false: the caller is gone */
	grpc_metadata_array_destroy(&call->metadata);
	grpc_byte_buffer_destroy(call->response);
	grpc_call_unref(call->call);
	rpc_server_release(call->server);
	mem_free(call);
}

/* The whole answer and the end of the call in one batch. */
static void rpc_call_reply(struct rpc_call *call, struct grpc_op_send_status_from_server status)
{
	grpc_op ops[4] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA },
		{ .op = GRPC_OP_SEND_STATUS_FROM_SERVER, .data.send_status_from_server = status },
		{ .op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->is_cancelled },
		{ .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->response },
	};

	rpc_start(call->call, ops, call->response ? 4 : 3, &call->replied, rpc_call_on_replied);
}

void rpc_reply(struct rpc_call *call, struct str message)
{
	call->response = rpc_message_new(message);
	rpc_call_reply(call, (struct grpc_op_send_status_from_server){ .status = GRPC_STATUS_OK });
}

void rpc_reply_error(struct rpc_call *call, err_t err, const char *detail)
{
	char text[RPC_DETAIL_MAX + 1];

	assert(err != OK);
	rpc_detail_escape(text, str_from(detail));
	grpc_slice details = rpc_slice_copy(str_from(text));
	grpc_metadata code = {
		.key = grpc_slice_from_static_string(RPC_ERROR_KEY),
		.value = grpc_slice_from_static_string(err_code(err)),
	};
	rpc_call_reply(call, (struct grpc_op_send_status_from_server){
				     .status = (grpc_status_code)err_grpc_status(err),
				     .status_details = &details,
				     .trailing_metadata = &code,
				     .trailing_metadata_count = 1,
			     });
	grpc_slice_unref(details);
}

void rpc_call_refuse(struct rpc_server *server, grpc_call *grpc, err_t err, const char *detail)
{
	struct rpc_call *call = MEM_NEW(struct rpc_call);

	call->server = server;
	call->call = grpc;
	rpc_reply_error(call, err, detail);
}

struct str rpc_call_traceparent(const struct rpc_call *call)
{
	struct str value = rpc_metadata_find(&call->metadata, RPC_TRACEPARENT_KEY);

	return rpc_traceparent_is_valid(value) ? value : (struct str){ 0 };
}

static void rpc_call_handle(struct rpc_call *call)
{
	const struct rpc_endpoint *endpoint = call->endpoint;
	grpc_byte_buffer *request = call->request; /* kept here: the reply may free the call before the handler returns */
	struct rpc_message message;

	rpc_message_open(&message, request);
	endpoint->method->unary(call, message.bytes, endpoint->arg);
	rpc_message_close(&message);
	grpc_byte_buffer_destroy(request);
}

static void rpc_call_run_handle(struct task *task)
{
	rpc_call_handle(container_of(task, struct rpc_call, task));
}

void rpc_call_begin(const struct rpc_endpoint *endpoint, grpc_call *grpc, grpc_metadata_array metadata,
                    grpc_byte_buffer *request)
{
	struct rpc_call *call = MEM_NEW(struct rpc_call);

	call->server = endpoint->server;
	call->endpoint = endpoint;
	call->call = grpc;
	call->metadata = metadata;
	call->request = request;
	if (!request) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "no request message");
	} else if (endpoint->method->thread == RPC_ON_QUEUE) {
		rpc_call_handle(call);
	} else {
		call->task.run = rpc_call_run_handle;
		worker_post(endpoint->server->worker, &call->task);
	}
}
