#include "base/mem.h"
#include "im/admin/admin.h"
#include "im/endpoints/living.h"
#include "im/http/call.h"

/* how many users, conversations, groups and messages there are, about */
static const struct pg_statement stats_read = {
	"admin_stats",
	"select fn.estimate('account'), fn.estimate('conversation'), fn.estimate('chat_group'), fn.estimate('message')",
};

static const char *const stats_estimates[] = { "users", "conversations", "groups", "messages" };

static void stats_put_connections(struct buf *out, const struct admin *admin)
{
	struct living living = living_from(admin->gateways);
	uint64_t connections = 0;

	for (size_t i = 0; i < living.count; i++)
		connections += living.nodes[i]->connections;
	mem_free(living.nodes);
	json_put_u64_field(out, "gateways", living.count);
	json_put_u64_field(out, "connections", connections);
}

/* The sizes of tables are estimates of PostgreSQL's: counting millions of rows would take seconds. */
static void stats_on_read(struct call *call, const PGresult *result)
{
	struct buf *out = call_out(call);

	buf_append_char(out, '{');
	for (int i = 0; i < (int)ARRAY_LEN(stats_estimates); i++)
		json_put_u64_field(out, stats_estimates[i], (uint64_t)pg_i64(result, 0, i));
	stats_put_connections(out, call_context(call));
	json_put_key(out, "estimates");
	buf_append_char(out, '[');
	for (size_t i = 0; i < ARRAY_LEN(stats_estimates); i++) {
		if (i)
			buf_append_char(out, ',');
		json_put_string(out, str_from(stats_estimates[i]));
	}
	buf_append_str(out, STR("]}"));
	call_ok(call, 200);
}

void admin_stats(struct call *call)
{
	struct pg_params params = { 0 };

	call_query(call, &stats_read, &params, stats_on_read);
}
