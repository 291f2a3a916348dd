#include "base/clock.h"
#include "im/admin/admin.h"
#include "im/admin/audit.h"
#include "im/admin/user_answer.h"

/* audit_put(), disabled or NULL, hash of the password or NULL, id and kind of the change -> as fn.admin_user_change() */
static const struct pg_statement user_change = {
	"admin_user_change",
	"select verdict, detail, field, " USER_ANSWER_COLUMNS
	" from fn.admin_user_change($1::text, $2::text, $3::text, $4::text, $5::boolean, $6::text, $7::bytea, $8::text)",
};

/* audit_put(), id of the change, now -> verdict, the time up to which the tokens are not valid */
static const struct pg_statement user_change_logout = {
	"admin_user_logout",
	"select verdict, issued_until from fn.admin_user_logout($1::text, $2::text, $3::text, $4::text, $5::bytea, $6::bigint)",
};

#define FIRST_USER_COLUMN 3

static const struct call_reason user_change_reasons[] = {
	{ ERR_NOT_FOUND, "uid", "there is no such user" },
	{ .err = OK },
};

struct user_changing {
	struct str uid, password;
	bool sets_disabled, is_disabled;
	struct change change; /* what every im is to know */
};

static void user_change_on_stored(struct call *call, const PGresult *result)
{
	const struct admin *admin = call_context(call);
	const struct user_changing *changing = call_state(call);

	if (changing->sets_disabled)
		change_feed_learn(admin->changes, &changing->change);
	buf_append_char(call_out(call), '{');
	user_answer_put(call_out(call), result, 0, FIRST_USER_COLUMN);
	buf_append_char(call_out(call), '}');
	call_ok(call, 200);
}

static struct str user_change_details(struct call *call, const struct user_changing *changing)
{
	struct buf details = { 0 };

	buf_append_char(&details, '{');
	if (changing->sets_disabled)
		json_put_bool_field(&details, "disabled", changing->is_disabled);
	if (changing->password.ptr)
		json_put_bool_field(&details, "password", true);
	buf_append_char(&details, '}');
	return call_keep(call, &details);
}

static void user_change_store(struct call *call, struct str hash)
{
	struct user_changing *changing = call_state(call);
	struct pg_params params = { 0 };

	change_make(&changing->change, changing->is_disabled ? CHANGE_USER_DISABLED : CHANGE_USER_ENABLED, changing->uid);
	audit_put(&params, call, changing->uid, user_change_details(call, changing));
	if (changing->sets_disabled)
		pg_put_bool(&params, changing->is_disabled);
	else
		pg_put_null(&params);
	pg_put_text_or_null(&params, hash);
	change_put(&params, &changing->change);
	call_explain(call, user_change_reasons);
	call_query(call, &user_change, &params, user_change_on_stored);
}

static void user_change_on_hashed(void *arg, const char *hash)
{
	user_change_store(arg, str_from(hash));
}

/* A new password ends no token: admin_log_out_user() does, and tells those apart who want it from those who do not. */
void admin_change_user(struct call *call)
{
	const struct admin *admin = call_context(call);
	struct user_changing *changing = call_make_state(call, sizeof(*changing));

	changing->uid = call_path_ident(call, "uid");
	changing->sets_disabled = call_has(call, "disabled");
	changing->is_disabled = call_bool(call, "disabled", JSON_OPTIONAL);
	changing->password = call_secret(call, "password", JSON_OPTIONAL, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES);
	if (!call_finish_reading(call))
		return;
	if (!changing->password.ptr) {
		user_change_store(call, (struct str){ 0 });
		return;
	}
	err_t err = password_pool_hash(&admin->accounts->new_passwords, changing->password, user_change_on_hashed, call);
	if (err)
		call_fail(call, err, NULL, PASSWORDS_REFUSAL);
}

/* ---- logout of all tokens ---- */

static void user_change_on_logged_out(struct call *call, const PGresult *result)
{
	const struct admin *admin = call_context(call);
	struct change *change = call_state(call);

	change->issued_until_ms = (uint64_t)pg_i64(result, 0, 1);
	change_feed_learn(admin->changes, change);
	call_no_content(call);
}

void admin_log_out_user(struct call *call)
{
	struct change *change = call_make_state(call, sizeof(*change));
	struct str uid = call_path_ident(call, "uid");
	struct pg_params params = { 0 };

	change_make(change, CHANGE_USER_LOGGED_OUT, uid);
	audit_put(&params, call, uid, STR(""));
	change_put_id(&params, change);
	pg_put_i64(&params, (int64_t)clock_wall_ms());
	call_explain(call, user_change_reasons);
	call_query(call, &user_change_logout, &params, user_change_on_logged_out);
}
