#include "im/endpoints/endpoints.h"

#include "cluster/node_list.h"
#include "im/endpoints/gateway_order.h"
#include "im/http/call.h"

#define ENDPOINTS_MAX 256
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000

void endpoints_list(struct call *call)
{
	const struct node *gateways[ENDPOINTS_MAX];
	struct buf *out = call_out(call);

	(void)call_query_ident(call, "room"); /* checked; every gateway serves every room */
	if (!call_finish_reading(call))
		return;
	size_t count = node_list_all(call_context(call), gateways, ENDPOINTS_MAX);
	count = gateway_order(gateways, count, call_uid(call));
	if (count == 0) {
		call_fail(call, ERR_UNAVAILABLE, NULL, "no gateway lives");
		return;
	}
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
	call_ok(call, 200);
}
