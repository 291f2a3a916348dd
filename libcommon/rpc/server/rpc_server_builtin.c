#include "rpc/server/rpc_server_builtin.h"

#include "rpc/protobuf_wire.h"
#include "rpc/server/reflection.h"

/* grpc/health/v1/health.proto */
#define HEALTH_REQUEST_SERVICE 1
#define HEALTH_RESPONSE_STATUS 1
enum health_status { HEALTH_SERVING = 1, HEALTH_NOT_SERVING = 2 };

/* There is a method "/service/...". */
static bool rpc_builtin_has_service(const struct rpc_server *server, struct str service)
{
	for (size_t i = 0; i < server->endpoint_count; i++) {
		struct str path = str_from(server->endpoints[i].method->path);

		str_cut(&path, '/');
		if (str_equal(str_cut(&path, '/'), service))
			return true;
	}
	return false;
}

static void rpc_builtin_check_health(struct rpc_call *call, struct str request, void *arg)
{
	struct rpc_server *server = arg;
	struct str service = wire_find(request, HEALTH_REQUEST_SERVICE);

	if (!wire_is_valid(request)) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "not a HealthCheckRequest");
		return;
	}
	if (service.len > 0 && !rpc_builtin_has_service(server, service)) {
		rpc_reply_error(call, ERR_NOT_FOUND, "no such service");
		return;
	}
	struct buf response = { 0 };
	wire_put_varint(&response, HEALTH_RESPONSE_STATUS,
	                atomic_load(&server->is_serving) ? HEALTH_SERVING : HEALTH_NOT_SERVING);
	rpc_reply(call, buf_str(&response));
	buf_release(&response);
}

static void rpc_builtin_reflect(struct rpc_stream *stream, struct str request, void *arg)
{
	struct rpc_server *server = arg;
	struct buf response = { 0 };
	err_t err = reflection_answer(&response, server->descriptor_set, request);

	if (!err)
		err = rpc_stream_send(stream, buf_str(&response));
	if (err)
		rpc_stream_end(stream, err, "not a ServerReflectionRequest, or its answer is too large");
	buf_release(&response);
}

static const struct rpc_stream_handlers reflection_handlers = { .message = rpc_builtin_reflect };

static const struct rpc_method health = {
	.path = "/grpc.health.v1.Health/Check",
	.thread = RPC_ON_QUEUE,
	.unary = rpc_builtin_check_health,
};

static const struct rpc_method reflection = {
	.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	.thread = RPC_ON_QUEUE,
	.stream = &reflection_handlers,
};

size_t rpc_builtin_endpoints(struct rpc_server *server, struct rpc_endpoint *out)
{
	out[0] = (struct rpc_endpoint){ .server = server, .method = &health, .arg = server };
	if (server->descriptor_set.len == 0)
		return 1;
	/* Its messages are not batches, so they must not be merged. */
	out[1] = (struct rpc_endpoint){ .server = server, .method = &reflection, .arg = server, .is_lockstep = true };
	return 2;
}
