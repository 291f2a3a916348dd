/* GET /v1/presence: first PostgreSQL says whose presence the caller may see, then Redis where these users are. */

#include "base/text/ident.h"
#include "cluster/node_list.h"
#include "cluster/presence.h"
#include "cluster/routes.h"
#include "im/http/call.h"
#include "im/presence/presence.h"

#define PRESENCE_UIDS_MAX 200 /* contract section 3 */

/* caller, uids -> uid, is_seen: in the order of the uids */
static const struct pg_statement presence_seen = {
	"presence_seen",
	"select uid, is_seen from fn.presence_seen($1::text, $2::text[])",
};

/* One user of the answer. `devices` is a JSON array without its brackets. */
struct presence_item {
	struct call *call;
	struct str uid;
	struct buf devices;
	struct presence presence;
};

struct presence_answer {
	size_t count;
	size_t open; /* answers of Redis to come, and 1 until all were asked */
	bool has_failed;
	struct presence_item items[PRESENCE_UIDS_MAX];
};

static void presence_get_write(struct buf *out, const struct presence_item *item)
{
	buf_append_char(out, '{');
	json_put_field(out, "uid", item->uid);
	json_put_bool_field(out, "online", item->presence.is_online || item->devices.len);
	json_put_key(out, "devices");
	buf_append_char(out, '[');
	buf_append_str(out, buf_str(&item->devices));
	buf_append_char(out, ']');
	if (item->presence.last_seen_ms && !item->devices.len)
		json_put_u64_field(out, "last_seen", item->presence.last_seen_ms);
	buf_append_char(out, '}');
}

static void presence_get_leave(struct call *call)
{
	struct presence_answer *answer = call_state(call);
	struct buf *out = call_out(call);

	if (--answer->open)
		return;
	buf_append_str(out, STR("{\"users\":["));
	for (size_t i = 0; i < answer->count; i++) {
		if (i)
			buf_append_char(out, ',');
		presence_get_write(out, &answer->items[i]);
		buf_release(&answer->items[i].devices);
	}
	buf_append_str(out, STR("]}"));
	if (answer->has_failed)
		call_fail(call, ERR_UNAVAILABLE, NULL, NULL);
	else
		call_ok(call, 200);
}

static void presence_get_on_state(void *arg, err_t err, const redisReply *reply)
{
	struct presence_item *item = arg;
	struct presence_answer *answer = call_state(item->call);

	if (err)
		answer->has_failed = true;
	else
		item->presence = presence_read(reply);
	presence_get_leave(item->call);
}

static void presence_get_put_device(struct buf *out, const struct route *route)
{
	if (out->len)
		buf_append_char(out, ',');
	buf_append_char(out, '{');
	json_put_field(out, "platform", route->platform);
	json_put_u64_field(out, "since", route->since_ms);
	buf_append_char(out, '}');
}

static void presence_get_on_routes(void *arg, err_t err, const struct device_route *routes, size_t count)
{
	struct presence_item *item = arg;
	struct presence_answer *answer = call_state(item->call);
	const struct node_list *gateways = ((const struct presence_calls *)call_context(item->call))->gateways;

	answer->has_failed |= err != OK;
	for (size_t i = 0; i < count; i++)
		if (!node_list_is_fresh(gateways) ||
		    node_list_find_epoch(gateways, routes[i].route.node, routes[i].route.node_epoch))
			presence_get_put_device(&item->devices, &routes[i].route);
	presence_get_leave(item->call);
}

static void presence_get_look(const struct presence_calls *presence, struct presence_answer *answer, struct presence_item *item)
{
	struct presence_key key;

	presence_key_fill(&key, item->uid);
	const struct str args[] = { STR("GET"), key.key };
	answer->open += 2;
	redis_command(presence->redis, args, ARRAY_LEN(args), presence_get_on_state, item);
	route_list(presence->redis, item->uid, presence_get_on_routes, item);
}

static void presence_get_on_seen(struct call *call, const PGresult *result)
{
	struct presence_answer *answer = call_state(call);

	answer->open = 1;
	for (size_t i = 0; i < answer->count && i < (size_t)PQntuples(result); i++)
		if (pg_bool(result, (int)i, 1))
			presence_get_look(call_context(call), answer, &answer->items[i]);
	presence_get_leave(call);
}

/* Cuts "a,b,c". */
static void presence_get_read(struct call *call, struct presence_answer *answer)
{
	struct str rest = call_query_text(call, "uids");
	bool has_more = true;

	while (has_more) {
		has_more = rest.len && memchr(rest.ptr, ',', rest.len);
		struct str uid = str_cut(&rest, ',');

		if (!ident_is_valid(uid)) {
			call_reject(call, ERR_INVALID_ARGUMENT, "uids", "uids must be a list of uids with commas between");
			return;
		}
		if (answer->count == PRESENCE_UIDS_MAX) {
			call_reject(call, ERR_INVALID_ARGUMENT, "uids", "uids must have at most %d uids", PRESENCE_UIDS_MAX);
			return;
		}
		answer->items[answer->count++] = (struct presence_item){ .call = call, .uid = call_copy(call, uid) };
	}
}

void presence_get(struct call *call)
{
	struct presence_answer *answer = call_make_state(call, sizeof(*answer));
	struct pg_params params = { 0 };

	presence_get_read(call, answer);
	pg_put_text(&params, call_uid(call));
	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < answer->count; i++)
		pg_array_text(&params, answer->items[i].uid);
	pg_array_end(&params);
	call_query(call, &presence_seen, &params, presence_get_on_seen);
}
