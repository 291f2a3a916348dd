#include "rpc/server/rpc_server_slots.h"

#include "base/mem.h"
#include "rpc/server/rpc_server_calls.h"
#include "rpc/server/rpc_server_streams.h"

/*
 * gRPC gives a call to a server only through a request that was posted for its
 * method before. A method without a posted request lets its callers wait until
 * their deadline. So each method has several requests, and each request is
 * posted again as soon as a call has taken it.
 */

/* Requests for each method. A burst of more calls than this waits until the queue's thread has posted the next ones. */
#define UNARY_SLOTS 32
#define STREAM_SLOTS 4
#define UNKNOWN_METHOD_SLOTS 4

/* Calls and streams open at once; further ones are refused with ERR_UNAVAILABLE. */
#define CALLS_MAX 32768

struct slot {
	struct rpc_tag tag;
	struct rpc_server *server;
	const struct rpc_endpoint *endpoint; /* NULL: for unknown methods */
	grpc_call *call;
	gpr_timespec deadline;
	grpc_metadata_array metadata;
	grpc_byte_buffer *request;
	grpc_call_details details; /* of unknown methods */
};

static void slot_on_request(struct rpc_tag *tag, bool ok);

static void slot_post(struct slot *slot)
{
	struct rpc_server *server = slot->server;
	grpc_completion_queue *cq = server->queue.cq;

	slot->request = NULL;
	grpc_metadata_array_init(&slot->metadata);
	if (!slot->endpoint) {
		grpc_call_details_init(&slot->details);
		grpc_server_request_call(server->grpc, &slot->call, &slot->details, &slot->metadata, cq, cq,
		                         rpc_tag_arm(&slot->tag, slot_on_request));
		return;
	}
	/* A stream's messages are read one by one; a unary call comes with its only one. */
	grpc_byte_buffer **request = slot->endpoint->method->unary ? &slot->request : NULL;
	grpc_server_request_registered_call(server->grpc, slot->endpoint->registered, &slot->call, &slot->deadline,
	                                    &slot->metadata, request, cq, cq, rpc_tag_arm(&slot->tag, slot_on_request));
}

static void slot_begin(struct slot *slot)
{
	if (!slot->endpoint) {
		grpc_metadata_array_destroy(&slot->metadata);
		grpc_call_details_destroy(&slot->details);
		rpc_call_refuse(slot->server, slot->call, ERR_METHOD_NOT_ALLOWED, "no such method");
	} else if (atomic_load_explicit(&slot->server->holds, memory_order_relaxed) > CALLS_MAX) {
		grpc_metadata_array_destroy(&slot->metadata);
		grpc_byte_buffer_destroy(slot->request);
		rpc_call_refuse(slot->server, slot->call, ERR_UNAVAILABLE, "too many calls at once");
	} else if (slot->endpoint->method->unary) {
		rpc_call_begin(slot->endpoint, slot->call, slot->metadata, slot->request);
	} else {
		grpc_metadata_array_destroy(&slot->metadata);
		rpc_server_stream_begin(slot->endpoint, slot->call);
	}
}

static void slot_on_request(struct rpc_tag *tag, bool ok)
{
	struct slot *slot = container_of(tag, struct slot, tag);

	if (!ok) { /* the server is closing */
		grpc_metadata_array_destroy(&slot->metadata);
		if (!slot->endpoint)
			grpc_call_details_destroy(&slot->details);
		rpc_server_release(slot->server);
		mem_free(slot);
		return;
	}
	rpc_server_hold(slot->server);
	slot_begin(slot);
	slot_post(slot);
}

static void slots_add(struct rpc_server *server, const struct rpc_endpoint *endpoint, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slot *slot = MEM_NEW(struct slot);

		slot->server = server;
		slot->endpoint = endpoint;
		rpc_server_hold(server);
		slot_post(slot);
	}
}

void rpc_slots_post(struct rpc_server *server)
{
	for (size_t i = 0; i < server->endpoint_count; i++) {
		const struct rpc_endpoint *endpoint = &server->endpoints[i];

		slots_add(server, endpoint, endpoint->method->unary ? UNARY_SLOTS : STREAM_SLOTS);
	}
	slots_add(server, NULL, UNKNOWN_METHOD_SLOTS);
}
