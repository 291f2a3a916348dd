#include "im/accounts/accounts.h"
#include "im/http/call.h"

/* uid, name, password -> created_at; no row when the uid is taken */
static const struct pg_statement users_register = {
	"account_register",
	"insert into account (uid, name, password) values ($1::text, $2::text, $3::text)"
	" on conflict do nothing returning created_at",
};

/* uid -> a row when it is taken; looked up first, so that such a registration costs no hash */
static const struct pg_statement account_taken = {
	"account_taken",
	"select from account where uid = $1::text",
};

struct registration {
	struct str uid, name, password;
	struct rate_key address;
};

static void register_refuse_taken(struct call *call)
{
	call_fail(call, ERR_ALREADY_EXISTS, "uid", "this uid is taken");
}

static void register_on_stored(struct call *call, const PGresult *result)
{
	const struct registration *registration = call_state(call);
	struct buf *out = call_out(call);

	if (PQntuples(result) == 0) {
		register_refuse_taken(call);
		return;
	}
	buf_append_char(out, '{');
	json_put_field(out, "uid", registration->uid);
	json_put_field(out, "name", registration->name);
	json_put_u64_field(out, "created_at", (uint64_t)pg_i64(result, 0, 0));
	buf_append_char(out, '}');
	call_ok(call, 201);
}

static void register_on_hashed(void *arg, const char *hash)
{
	struct call *call = arg;
	const struct registration *registration = call_state(call);
	struct pg_params params = { 0 };

	pg_put_text(&params, registration->uid);
	pg_put_text(&params, registration->name);
	pg_put_text(&params, str_from(hash));
	call_query(call, &users_register, &params, register_on_stored);
}

/* The first broadcast makes the system user. Whoever registered its uid before would speak for the operator. */
static bool register_is_of_system(const struct accounts *accounts, const struct registration *registration)
{
	return str_equal(registration->uid, str_from(accounts->config->admin_system_user));
}

static void register_on_looked_up(struct call *call, const PGresult *result)
{
	struct accounts *accounts = call_context(call);
	struct registration *registration = call_state(call);

	if (PQntuples(result) > 0 || register_is_of_system(accounts, registration)) {
		register_refuse_taken(call);
		return;
	}
	err_t err = password_pool_hash(&accounts->new_passwords, registration->password, register_on_hashed, call);
	if (err) {
		call_give_back(call, &registration->address, 1); /* nothing was tried */
		call_fail(call, err, NULL, PASSWORDS_REFUSAL);
	}
}

static void register_on_taken(struct call *call)
{
	const struct registration *registration = call_state(call);
	struct pg_params params = { 0 };

	pg_put_text(&params, registration->uid);
	call_query(call, &account_taken, &params, register_on_looked_up);
}

static bool register_is_open(const struct im_config *config)
{
	return config->auth_registration == REGISTRATION_ON ||
	       (config->auth_registration == REGISTRATION_AUTO && !*config->auth_jwks);
}

void accounts_register(struct call *call)
{
	const struct accounts *accounts = call_context(call);
	struct registration *registration = call_make_state(call, sizeof(*registration));

	if (!register_is_open(accounts->config)) {
		call_fail(call, ERR_PERMISSION_DENIED, NULL, "registration is switched off");
		return;
	}
	registration->uid = call_ident(call, "uid", JSON_REQUIRED);
	registration->name = call_name(call, "name", JSON_REQUIRED);
	registration->password = call_secret(call, "password", JSON_REQUIRED, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES);
	registration->address = (struct rate_key){ .class = RATE_REGISTER, .key = call_address(call) };
	if (call_finish_reading(call))
		call_take_exactly(call, &registration->address, 1, register_on_taken);
}
