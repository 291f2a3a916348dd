#include "im/endpoints/endpoints.h"

#include "base/mem.h"
#include "cluster/node_list.h"
#include "im/endpoints/gateway_order.h"
#include "im/endpoints/living.h"
#include "im/http/call.h"

#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000

static void endpoints_write(struct buf *out, const struct node *const *gateways, size_t count)
{
	buf_append_str(out, STR("{\"gateways\":["));
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_char(out, '{');
		json_put_field(out, "url", str_from(gateways[i]->ws_url));
		json_put_field(out, "node", str_from(gateways[i]->name));
		buf_append_char(out, '}');
	}
	buf_append_str(out, STR("],\"retry\":{"));
	json_put_u64_field(out, "min_ms", RETRY_MIN_MS);
	json_put_u64_field(out, "max_ms", RETRY_MAX_MS);
	buf_append_str(out, STR("}}"));
}

/* False while no gateway lives that takes connections. */
static bool endpoints_answer(struct call *call)
{
	struct living living = living_from(call_context(call));
	size_t count = gateway_order(living.nodes, living.count, call_uid(call));

	if (count > 0)
		endpoints_write(call_out(call), living.nodes, count);
	mem_free(living.nodes);
	if (count > 0)
		call_ok(call, 200);
	return count > 0;
}

static void endpoints_on_looked_up(void *arg)
{
	struct call *call = arg;

	if (!endpoints_answer(call))
		call_fail(call, ERR_UNAVAILABLE, NULL, "no gateway lives");
}

void endpoints_list(struct call *call)
{
	(void)call_query_ident(call, "room"); /* checked; every gateway serves every room */
	if (!call_finish_reading(call))
		return;
	/* After a start of everything the first gateway may have come up within the last second. */
	if (!endpoints_answer(call))
		node_list_refresh(call_context(call), endpoints_on_looked_up, call);
}
