#include "rpc/server/rpc_server.h"

#include <assert.h>
#include <grpc/grpc_security.h>
#include <unistd.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "loop/listener.h"
#include "rpc/core/merge_queue.h"
#include "rpc/core/rpc_args.h"
#include "rpc/server/reflection.h"
#include "rpc/server/rpc_server_builtin.h"
#include "rpc/server/rpc_server_slots.h"
#include "rpc/server/rpc_server_streams.h"

/* Calls under way on one connection. A client waits with its further calls. */
#define MAX_STREAMS_OF_CONNECTION 16384

static grpc_server *rpc_server_create(const struct rpc_server_options *options)
{
	struct rpc_args args = { 0 };
	size_t max_message = options->max_message ? options->max_message : RPC_MESSAGE_MAX;

	for (size_t i = 0; i < options->method_count; i++)
		if (options->methods[i].stream)
			max_message = MAX(max_message, MERGE_MAX);
	rpc_args_common(&args, max_message);
	/* Otherwise two processes could listen on one port by mistake and share its connections. */
	rpc_args_int(&args, GRPC_ARG_ALLOW_REUSEPORT, 0);
	/* Otherwise the server closes connections for the clients' keepalive pings (too_many_pings). */
	rpc_args_int(&args, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, RPC_KEEPALIVE_MS / 4);
	rpc_args_int(&args, GRPC_ARG_MAX_CONCURRENT_STREAMS, MAX_STREAMS_OF_CONNECTION);
	rpc_args_int(&args, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5000);
	return grpc_server_create(&args.args, NULL);
}

static void rpc_server_register_endpoints(struct rpc_server *server, const struct rpc_server_options *options)
{
	server->endpoints = mem_zalloc((options->method_count + RPC_BUILTIN_MAX) * sizeof(*server->endpoints));
	for (size_t i = 0; i < options->method_count; i++)
		server->endpoints[i] =
			(struct rpc_endpoint){ .server = server, .method = &options->methods[i], .arg = options->arg };
	server->endpoint_count = options->method_count;
	server->endpoint_count += rpc_builtin_endpoints(server, server->endpoints + options->method_count);

	for (size_t i = 0; i < server->endpoint_count; i++) {
		struct rpc_endpoint *endpoint = &server->endpoints[i];
		const char *path = endpoint->method->path;
		grpc_server_register_method_payload_handling payload =
			endpoint->method->unary ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE;

		endpoint->registered = grpc_server_register_method(server->grpc, path, NULL, payload, 0);
		assert(endpoint->registered); /* NULL: the table has a path twice */
	}
}

static void rpc_server_free(struct rpc_server *server)
{
	uv_mutex_destroy(&server->lock);
	mem_free(server->endpoints);
	mem_free(server);
}

/* gRPC says that it cannot listen, and why, in some hundred words. An attempt of our own says it in a line. */
static err_t rpc_server_try_to_listen(const char *address)
{
	int fd;

	err_t err = listener_open(&fd, address, false);
	if (!err)
		close(fd);
	return err;
}

static void rpc_server_run_destroy(struct task *task);
static void rpc_server_on_grace_over(struct timer *timer);

err_t rpc_server_new(struct rpc_server **out, struct worker *worker, const struct rpc_server_options *options)
{
	if (reflection_check(options->descriptor_set))
		return ERR_INVALID_ARGUMENT;
	err_t err = rpc_server_try_to_listen(options->listen);
	if (err)
		return err;

	struct rpc_server *server = MEM_NEW(struct rpc_server);
	server->worker = worker;
	server->descriptor_set = options->descriptor_set;
	server->destroy.run = rpc_server_run_destroy;
	server->is_serving = true;
	server->holds = 1;
	list_init(&server->streams);
	timer_init(&server->grace, rpc_server_on_grace_over);
	if (uv_mutex_init(&server->lock)) {
		mem_free(server);
		return ERR_NO_MEMORY;
	}
	rpc_queue_init(&server->queue, "rpc-server");
	server->grpc = rpc_server_create(options);
	grpc_server_register_completion_queue(server->grpc, server->queue.cq, NULL);
	rpc_server_register_endpoints(server, options);
	grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
	int port = grpc_server_add_http2_port(server->grpc, options->listen, credentials);
	grpc_server_credentials_release(credentials);
	if (port == 0) {
		log_error("cannot listen for grpc", LOG_TEXT("address", options->listen));
		grpc_server_destroy(server->grpc);
		rpc_queue_release(&server->queue);
		rpc_server_free(server);
		return ERR_IO;
	}
	rpc_queue_start(&server->queue);
	grpc_server_start(server->grpc);
	rpc_slots_post(server);
	*out = server;
	return OK;
}

void rpc_server_set_serving(struct rpc_server *server, bool is_serving)
{
	atomic_store(&server->is_serving, is_serving);
}

/*
 * gRPC aborts unless a server ends in this order: shutdown_and_notify, grace,
 * cancel_all_calls, the tag, destroy the server, shut the queue down, drain it,
 * destroy it. The tag does not wait for calls that were cancelled and not yet
 * answered, and answering on a queue that was shut down aborts, too. Therefore
 * everything that may still start an operation holds the server.
 */

static void rpc_server_on_queue_ended(struct rpc_queue *queue)
{
	struct rpc_server *server = container_of(queue, struct rpc_server, queue);
	void (*closed)(void *arg) = server->closed;
	void *arg = server->closed_arg;

	rpc_server_free(server);
	closed(arg);
}

static void rpc_server_run_destroy(struct task *task)
{
	struct rpc_server *server = container_of(task, struct rpc_server, destroy);

	worker_cancel(server->worker, &server->grace);
	grpc_server_destroy(server->grpc);
	rpc_queue_close(&server->queue, server->worker, rpc_server_on_queue_ended);
}

static void rpc_server_on_stopped(struct rpc_tag *tag, bool ok)
{
	(void)ok; /* never false */
	rpc_server_release(container_of(tag, struct rpc_server, stopped));
}

static void rpc_server_on_grace_over(struct timer *timer)
{
	grpc_server_cancel_all_calls(container_of(timer, struct rpc_server, grace)->grpc);
}

void rpc_server_close(struct rpc_server *server, uint64_t grace_ms, void (*closed)(void *arg), void *arg)
{
	server->closed = closed;
	server->closed_arg = arg;
	grpc_server_shutdown_and_notify(server->grpc, server->queue.cq,
	                                rpc_tag_arm(&server->stopped, rpc_server_on_stopped));
	rpc_server_streams_finish(server);
	worker_arm_in(server->worker, &server->grace, grace_ms);
}
