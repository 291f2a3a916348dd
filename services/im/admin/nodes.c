#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/text/json.h"

#define NODES_MAX 1024

static void put_node(struct buf *body, const struct node *node)
{
	buf_append_char(body, '{');
	json_put_field(body, "node", str_from(node->name));
	json_put_field(body, "url", str_from(node->ws_url));
	json_put_field(body, "cell", str_from(node->cell));
	json_put_bool_field(body, "draining", node->is_draining);
	json_put_u64_field(body, "connections", node->connections);
	json_put_u64_field(body, "queue_bytes", node->queue_bytes);
	json_put_u64_field(body, "lag_ms", node->lag_ms);
	buf_append_char(body, '}');
}

static void list_nodes(struct app *app, struct http_request *request, const struct caller *caller)
{
	const struct node *nodes[NODES_MAX];
	struct buf body = { 0 };

	if (!caller->is_admin) {
		http_respond_problem(request, ERR_PERMISSION_DENIED, NULL, "the token has no scope admin");
		return;
	}
	size_t count = node_list_all(app->gateways, nodes, NODES_MAX);
	buf_append_str(&body, STR("{\"nodes\":["));
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(&body, ',');
		put_node(&body, nodes[i]);
	}
	buf_append_str(&body, STR("]}"));
	http_respond_json(request, 200, &body);
}

void admin_api_nodes(struct http_request *request, void *arg)
{
	auth_require(arg, request, list_nodes);
}
