#include "router/nodes/nodes_api.h"

#include "base/text/ident.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "proto/router.pb-c.h"
#include "router/app.h"
#include "cluster/node_registry.h"
#include "cluster/presence.h"

#define OTHERS_MAX 256 /* gateways named to a draining one, so that they fit on the stack */

/* A call that Redis has not answered. */
struct node_call {
	struct app *app;
	struct rpc_call *call;
	struct node node;
	bool was_out; /* of a renewal */
};

static const char *nodes_api_first_fault(const Skein__V1__Node *request, struct node *node)
{
	struct str cell = str_from(request->cell);

	if (!ident_is_valid(str_from(request->name)))
		return "name: not a valid id";
	if (cell.len && !ident_is_valid(cell))
		return "cell: not a valid id";
	(void)str_copy(node->name, sizeof(node->name), str_from(request->name));
	(void)str_copy(node->cell, sizeof(node->cell), cell);
	if (!str_copy(node->grpc_address, sizeof(node->grpc_address), str_from(request->grpc_address)) ||
	    !*node->grpc_address)
		return "grpc_address: missing or too long";
	if (!str_copy(node->ws_url, sizeof(node->ws_url), str_from(request->ws_url)) || !*node->ws_url)
		return "ws_url: missing or too long";
	node->epoch = request->epoch;
	node->is_draining = request->draining;
	node->connections = request->connections;
	node->queue_bytes = request->queue_bytes;
	node->lag_ms = request->lag_ms;
	return NULL;
}

/* Reads the call's node. NULL: the call was answered with an error. */
static struct node_call *nodes_api_open(struct app *app, struct rpc_call *call, struct str request)
{
	Skein__V1__Node *message = skein__v1__node__unpack(NULL, request.len, (const uint8_t *)request.ptr);
	struct node_call *open = MEM_NEW(struct node_call);

	open->app = app;
	open->call = call;
	const char *fault = message ? nodes_api_first_fault(message, &open->node) : "not a Node";
	if (message)
		skein__v1__node__free_unpacked(message, NULL);
	if (!fault)
		return open;
	rpc_reply_error(call, ERR_INVALID_ARGUMENT, fault);
	mem_free(open);
	return NULL;
}

static void nodes_api_on_registered(void *arg, err_t err, uint64_t epoch)
{
	struct node_call *open = arg;

	if (err) {
		rpc_reply_error(open->call, err, NULL);
	} else {
		Skein__V1__Registered answer = SKEIN__V1__REGISTERED__INIT;
		uint8_t bytes[16];

		answer.epoch = epoch;
		if (open->app->config.presence_enabled)
			presence_note_node(open->app->redis, str_from(open->node.name), epoch);
		size_t len = skein__v1__registered__pack(&answer, bytes);
		log_info("gateway registered", LOG_TEXT("gateway", open->node.name), LOG_U64("epoch", epoch),
		         LOG_TEXT("grpc", open->node.grpc_address), LOG_TEXT("ws", open->node.ws_url));
		rpc_reply(open->call, str_of(bytes, len));
	}
	mem_free(open);
}

/* ---- where the clients of a draining gateway may go ---- */

static bool nodes_api_may_take_over(const struct node *other, const struct node *leaving, bool is_same_cell)
{
	return !other->is_draining && strcmp(other->name, leaving->name) != 0 &&
	       (strcmp(other->cell, leaving->cell) == 0) == is_same_cell;
}

static size_t nodes_api_others_of_cell(Skein__V1__OtherGateway *out, const struct node *const *nodes, size_t count,
                                       const struct node *leaving, bool is_same_cell)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!nodes_api_may_take_over(nodes[i], leaving, is_same_cell))
			continue;
		skein__v1__other_gateway__init(&out[found]);
		out[found].ws_url = (char *)nodes[i]->ws_url;
		out[found].connections = nodes[i]->connections;
		found++;
	}
	return found;
}

static void nodes_api_reply_renewed(void *arg)
{
	struct node_call *open = arg;
	const struct node *nodes[OTHERS_MAX];
	Skein__V1__OtherGateway others[OTHERS_MAX], *pointers[OTHERS_MAX];
	Skein__V1__Renewed answer = SKEIN__V1__RENEWED__INIT;
	struct buf bytes = { 0 };

	size_t count = open->node.is_draining ? node_list_all(open->app->nodes, nodes, OTHERS_MAX) : 0;
	answer.was_out = open->was_out;
	answer.n_others = nodes_api_others_of_cell(others, nodes, count, &open->node, true);
	if (!answer.n_others)
		answer.n_others = nodes_api_others_of_cell(others, nodes, count, &open->node, false);
	for (size_t i = 0; i < answer.n_others; i++)
		pointers[i] = &others[i];
	answer.others = pointers;
	size_t len = skein__v1__renewed__get_packed_size(&answer);
	bytes.len = skein__v1__renewed__pack(&answer, (uint8_t *)buf_reserve(&bytes, len));
	rpc_reply(open->call, buf_str(&bytes));
	buf_release(&bytes);
	mem_free(open);
}

static void nodes_api_on_renewed(void *arg, err_t err, bool was_out)
{
	struct node_call *open = arg;

	if (err == ERR_FAILED_PRECONDITION)
		log_warn("gateway's name was taken by another process", LOG_TEXT("gateway", open->node.name),
		         LOG_U64("epoch", open->node.epoch));
	/* Redis may have lost everything. */
	if (!err && was_out && open->app->config.presence_enabled)
		presence_note_node(open->app->redis, str_from(open->node.name), open->node.epoch);
	open->was_out = was_out;
	if (err) {
		rpc_reply_error(open->call, err, NULL);
		mem_free(open);
	} else if (open->node.is_draining) {
		node_list_refresh(open->app->nodes, nodes_api_reply_renewed, open); /* one may have come up in the last second */
	} else {
		nodes_api_reply_renewed(open);
	}
}

static void nodes_api_on_removed(void *arg, err_t err, bool was_out)
{
	struct node_call *open = arg;

	if (!err)
		log_info("gateway left", LOG_TEXT("gateway", open->node.name), LOG_U64("epoch", open->node.epoch));
	open->node.is_draining = false; /* it asks for no others any more */
	nodes_api_on_renewed(arg, err, was_out);
}

void nodes_api_register(struct rpc_call *call, struct str request, void *arg)
{
	struct node_call *open = nodes_api_open(arg, call, request);

	if (open)
		node_register(open->app->redis, &open->node, nodes_api_on_registered, open);
}

void nodes_api_renew(struct rpc_call *call, struct str request, void *arg)
{
	struct node_call *open = nodes_api_open(arg, call, request);

	if (open)
		node_renew(open->app->redis, &open->node, nodes_api_on_renewed, open);
}

void nodes_api_remove(struct rpc_call *call, struct str request, void *arg)
{
	struct node_call *open = nodes_api_open(arg, call, request);

	if (open)
		node_remove(open->app->redis, str_from(open->node.name), open->node.epoch, nodes_api_on_removed, open);
}
