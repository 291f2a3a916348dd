#include "base/mem.h"
#include "im/admin/admin.h"
#include "im/endpoints/living.h"
#include "im/http/call.h"

void admin_nodes(struct call *call)
{
	struct living living = living_from(call_context(call));
	const struct node *const *nodes = living.nodes;
	struct buf *out = call_out(call);

	buf_append_str(out, STR("{\"nodes\":["));
	for (size_t i = 0; i < living.count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_char(out, '{');
		json_put_field(out, "node", str_from(nodes[i]->name));
		json_put_field(out, "url", str_from(nodes[i]->ws_url));
		json_put_field(out, "cell", str_from(nodes[i]->cell));
		json_put_bool_field(out, "draining", nodes[i]->is_draining);
		json_put_u64_field(out, "connections", nodes[i]->connections);
		json_put_u64_field(out, "queue_bytes", nodes[i]->queue_bytes);
		json_put_u64_field(out, "lag_ms", nodes[i]->lag_ms);
		buf_append_char(out, '}');
	}
	mem_free(living.nodes);
	buf_append_str(out, STR("]}"));
	call_ok(call, 200);
}
