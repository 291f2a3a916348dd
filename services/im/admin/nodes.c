#include "cluster/node_list.h"
#include "im/admin/admin.h"
#include "im/http/call.h"

#define NODES_MAX 1024

static void nodes_put(struct buf *out, const struct node *node)
{
	buf_append_char(out, '{');
	json_put_field(out, "node", str_from(node->name));
	json_put_field(out, "url", str_from(node->ws_url));
	json_put_field(out, "cell", str_from(node->cell));
	json_put_bool_field(out, "draining", node->is_draining);
	json_put_u64_field(out, "connections", node->connections);
	json_put_u64_field(out, "queue_bytes", node->queue_bytes);
	json_put_u64_field(out, "lag_ms", node->lag_ms);
	buf_append_char(out, '}');
}

void admin_nodes(struct call *call)
{
	const struct node *nodes[NODES_MAX];
	struct buf *out = call_out(call);

	size_t count = node_list_all(call_context(call), nodes, NODES_MAX);
	buf_append_str(out, STR("{\"nodes\":["));
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		nodes_put(out, nodes[i]);
	}
	buf_append_str(out, STR("]}"));
	call_ok(call, 200);
}
