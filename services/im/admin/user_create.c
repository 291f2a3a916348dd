#include "im/accounts/new_token.h"
#include "im/admin/admin.h"
#include "im/admin/audit.h"
#include "im/admin/user_answer.h"

/* audit_put(), name, hash of the password or NULL, whether it is a bot -> as fn.admin_user_make() */
static const struct pg_statement user_create = {
	"admin_user_make",
	"select verdict, detail, field, " USER_ANSWER_COLUMNS
	" from fn.admin_user_make($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::boolean)",
};

#define FIRST_USER_COLUMN 3

struct user_creation {
	struct str uid, name, password;
	bool is_bot;
	struct str token; /* of a bot; told in the answer, and nowhere else */
};

/* Before the bot is stored: it could not be given a token later. False if it has none; then the call has failed. */
static bool user_create_sign_token(struct call *call)
{
	const struct admin *admin = call_context(call);
	struct user_creation *creation = call_state(call);
	struct jwt_claims claims;
	struct buf token = { 0 };

	new_token_begin(admin->accounts, &claims, creation->uid, -1);
	claims.expires_ms = claims.issued_ms + NEW_TOKEN_BOT_LIFE_MS;
	bool is_signed = new_token_sign(call, admin->accounts, &claims, STR(""), &token);
	if (is_signed)
		creation->token = call_keep(call, &token);
	else
		buf_release(&token); /* the call may be gone */
	return is_signed;
}

static void user_create_on_stored(struct call *call, const PGresult *result)
{
	const struct user_creation *creation = call_state(call);

	buf_append_char(call_out(call), '{');
	user_answer_put(call_out(call), result, 0, FIRST_USER_COLUMN);
	if (creation->is_bot)
		json_put_field(call_out(call), "token", creation->token);
	buf_append_char(call_out(call), '}');
	call_ok(call, 201);
}

static void user_create_store(struct call *call, struct str hash)
{
	const struct user_creation *creation = call_state(call);
	struct pg_params params = { 0 };

	audit_put(&params, call, creation->uid, creation->is_bot ? STR("{\"bot\":true}") : STR(""));
	pg_put_text(&params, creation->name);
	pg_put_text_or_null(&params, hash);
	pg_put_bool(&params, creation->is_bot);
	call_query(call, &user_create, &params, user_create_on_stored);
}

static void user_create_on_hashed(void *arg, const char *hash)
{
	user_create_store(arg, str_from(hash));
}

void admin_create_user(struct call *call)
{
	const struct admin *admin = call_context(call);
	struct user_creation *creation = call_make_state(call, sizeof(*creation));

	creation->uid = call_ident(call, "uid", JSON_REQUIRED);
	creation->name = call_name(call, "name", JSON_REQUIRED);
	creation->password = call_secret(call, "password", JSON_OPTIONAL, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES);
	creation->is_bot = call_bool(call, "bot", JSON_OPTIONAL);
	if (!call_finish_reading(call) || (creation->is_bot && !user_create_sign_token(call)))
		return;
	if (!creation->password.ptr) {
		user_create_store(call, (struct str){ 0 });
		return;
	}
	err_t err = password_pool_hash(&admin->accounts->new_passwords, creation->password, user_create_on_hashed, call);
	if (err)
		call_fail(call, err, NULL, PASSWORDS_REFUSAL);
}
