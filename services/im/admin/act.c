/* The calls of an admin that do not end with a statement: they kick a user, or send a message in its name. */

#include "base/text/json.h"
#include "im/admin/admin.h"
#include "im/admin/audit.h"
#include "im/changes/kicks.h"
#include "proto/router.pb-c.h"

/* audit_put(), action, whether it is done in the user's name -> verdict; see fn.admin_act() */
static const struct pg_statement act_begin = {
	"admin_act",
	"select verdict from fn.admin_act($1::text, $2::text, $3::text, $4::text, $5::text, $6::boolean)",
};

/* ---- POST /v1/admin/kick ---- */

#define KICK_CODE 4001
#define KICK_REASON "kicked by an administrator"

static const struct call_reason act_kick_reasons[] = {
	{ ERR_NOT_FOUND, "uid", "there is no such user" },
	{ .err = OK },
};

struct user_kick {
	struct str uid, device;
};

static void act_on_kicked(void *arg, err_t err, struct str response, const char *detail)
{
	struct call *call = arg;
	(void)response;
	(void)detail;

	if (err)
		call_fail(call, ERR_UNAVAILABLE, NULL, "not every connection could be closed");
	else
		call_no_content(call);
}

static void act_kick(struct call *call, const PGresult *result)
{
	const struct admin *admin = call_context(call);
	const struct user_kick *kick = call_state(call);
	Skein__V1__KickUser message = SKEIN__V1__KICK_USER__INIT;
	uint8_t bytes[256]; /* two ids, the code and the reason */
	(void)result;

	message.uid = (char *)kick->uid.ptr;
	if (kick->device.len)
		message.device = (char *)kick->device.ptr;
	message.code = KICK_CODE;
	message.reason = (char *)KICK_REASON;
	size_t len = skein__v1__kick_user__pack(&message, bytes);
	rpc_call(admin->routers, admin->worker, KICK_PATH, str_of((const char *)bytes, len), KICK_TIMEOUT_MS, true,
	         call_trace(call), act_on_kicked, call);
}

void admin_kick(struct call *call)
{
	struct user_kick *kick = call_make_state(call, sizeof(*kick));
	struct pg_params params = { 0 };
	struct buf details = { 0 };

	kick->uid = call_ident(call, "uid", JSON_REQUIRED);
	kick->device = call_ident(call, "device", JSON_OPTIONAL);
	if (kick->device.len) {
		buf_append_char(&details, '{');
		json_put_field(&details, "device", kick->device);
		buf_append_char(&details, '}');
	}
	audit_put(&params, call, kick->uid, call_keep(call, &details));
	pg_put_text(&params, STR("user.kick"));
	pg_put_bool(&params, false);
	call_explain(call, act_kick_reasons);
	call_query(call, &act_begin, &params, act_kick);
}

/* ---- POST /v1/admin/messages ---- */

static const struct call_reason act_send_reasons[] = {
	{ ERR_NOT_FOUND, "from", "there is no such user" },
	{ ERR_FAILED_PRECONDITION, "from", "this user is disabled" },
	{ .err = OK },
};

static void act_send(struct call *call, const PGresult *result)
{
	const struct admin *admin = call_context(call);
	(void)result;

	messages_send_from(call, admin->messages, call_ident(call, "from", JSON_REQUIRED));
}

static struct str act_send_details(struct call *call)
{
	struct buf details = { 0 };

	buf_append_str(&details, STR("{\"to\":"));
	json_dump_compact(&details, json_object_get(call_json(call), "to"));
	json_put_field(&details, "client_msg_id", str_from(json_string_value(json_object_get(call_json(call), "client_msg_id"))));
	buf_append_char(&details, '}');
	return call_keep(call, &details);
}

/* The same checks as if the user itself sent it: its blocks, mutes, memberships and rate. */
void admin_send(struct call *call)
{
	struct pg_params params = { 0 };
	struct str from = call_ident(call, "from", JSON_REQUIRED);

	if (!messages_check_send(call))
		return;
	audit_put(&params, call, from, act_send_details(call));
	pg_put_text(&params, STR("message.send"));
	pg_put_bool(&params, true);
	call_explain(call, act_send_reasons);
	call_query_reading(call, &act_begin, &params, act_send);
}
