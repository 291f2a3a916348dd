#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/text/json.h"
#include "base/mem.h"
#include "im/endpoints/gateway_order.h"

#define GATEWAYS_MAX 256
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000

static void put_gateways(struct buf *body, const struct node *const *gateways, size_t count)
{
	buf_append_str(body, STR("{\"gateways\":["));
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(body, ',');
		buf_append_char(body, '{');
		json_put_field(body, "url", str_from(gateways[i]->ws_url));
		json_put_field(body, "node", str_from(gateways[i]->name));
		buf_append_char(body, '}');
	}
	buf_append_str(body, STR("],\"retry\":{"));
	json_put_u64_field(body, "min_ms", RETRY_MIN_MS);
	json_put_u64_field(body, "max_ms", RETRY_MAX_MS);
	buf_append_str(body, STR("}}"));
}

static void list(struct app *app, struct http_request *request, const struct caller *caller)
{
	const struct node *gateways[GATEWAYS_MAX];
	struct str room = http_request_query(request, "room");
	struct buf body = { 0 };

	if (room.ptr && !ident_is_valid(room)) {
		http_respond_problem(request, ERR_INVALID_ARGUMENT, "room", "room must be 1 to 64 of A-Z a-z 0-9 _ . -");
		return;
	}
	size_t count = node_list_all(app->gateways, gateways, GATEWAYS_MAX);
	count = gateway_order(gateways, count, caller->uid);
	if (count == 0) {
		http_respond_problem(request, ERR_UNAVAILABLE, NULL, "no gateway lives");
		return;
	}
	put_gateways(&body, gateways, count);
	http_respond_json(request, 200, &body);
}

void endpoints_api_list(struct http_request *request, void *arg)
{
	auth_require(arg, request, list);
}
