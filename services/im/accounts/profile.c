/* What a user shows of itself, and its settings. */

#include "im/accounts/accounts.h"
#include "im/http/call.h"

#define PROFILE_COLUMNS \
	"uid, name, avatar, attributes, is_bot, created_at, coalesce(messages_from, $1::text), coalesce(presence, 'everyone')"

/* default of messages_from, uid -> the profile; no row when there is no such user */
static const struct pg_statement profile_read = {
	"profile_read",
	"select " PROFILE_COLUMNS " from account where uid = $2::text",
};

/*
 * default of messages_from, uid, name, avatar, attributes, messages_from, presence -> the profile. NULL keeps what is
 * there; an empty avatar and empty attributes remove them.
 */
static const struct pg_statement profile_change = {
	"profile_change",
	"update account set name = coalesce($3::text, name), avatar = nullif(coalesce($4::text, avatar), ''),"
	" attributes = nullif(coalesce($5::text, attributes), ''), messages_from = coalesce($6::text, messages_from),"
	" presence = coalesce($7::text, presence) where uid = $2::text and deleted_at is null returning " PROFILE_COLUMNS,
};

enum profile_column { PROFILE_UID, PROFILE_NAME, PROFILE_AVATAR, PROFILE_ATTRIBUTES, PROFILE_IS_BOT, PROFILE_CREATED_AT,
	              PROFILE_MESSAGES_FROM, PROFILE_PRESENCE };

#define ATTRIBUTES_MAX_BYTES 4096

/* Whom a user who has not chosen lets send direct messages. */
static struct str profile_default_messages_from(const struct accounts *accounts)
{
	return im_config_is_for_friends(accounts->config) ? STR("friends") : STR("everyone");
}

static void profile_put_settings(struct buf *out, const PGresult *result)
{
	json_put_key(out, "settings");
	buf_append_char(out, '{');
	json_put_field(out, "messages_from", pg_text(result, 0, PROFILE_MESSAGES_FROM));
	json_put_field(out, "presence", pg_text(result, 0, PROFILE_PRESENCE));
	buf_append_char(out, '}');
}

/* Settings are for the user itself. */
static void profile_on_row(struct call *call, const PGresult *result)
{
	struct buf *out = call_out(call);

	if (PQntuples(result) == 0) {
		call_fail(call, ERR_NOT_FOUND, "uid", "there is no such user");
		return;
	}
	struct str uid = pg_text(result, 0, PROFILE_UID), attributes = pg_text(result, 0, PROFILE_ATTRIBUTES);
	struct str avatar = pg_text(result, 0, PROFILE_AVATAR);
	buf_append_char(out, '{');
	json_put_field(out, "uid", uid);
	json_put_field(out, "name", pg_text(result, 0, PROFILE_NAME));
	if (avatar.len)
		json_put_field(out, "avatar", avatar);
	if (attributes.len) {
		json_put_key(out, "attributes");
		buf_append_str(out, attributes);
	}
	if (pg_bool(result, 0, PROFILE_IS_BOT))
		json_put_bool_field(out, "bot", true);
	json_put_u64_field(out, "created_at", (uint64_t)pg_i64(result, 0, PROFILE_CREATED_AT));
	if (str_equal(uid, call_uid(call)))
		profile_put_settings(out, result);
	buf_append_char(out, '}');
	call_ok(call, 200);
}

/* `me` is the caller. */
void accounts_profile(struct call *call)
{
	struct str uid = call_path_ident(call, "uid");
	struct pg_params params = { 0 };

	pg_put_text(&params, profile_default_messages_from(call_context(call)));
	pg_put_text(&params, str_equal(uid, STR("me")) ? call_uid(call) : uid);
	call_query(call, &profile_read, &params, profile_on_row);
}

/* ---- PATCH /v1/users/me ---- */

static struct str profile_read_attributes(struct call *call)
{
	struct buf text = { 0 };

	if (call_is_null(call, "attributes"))
		return STR("");
	const json_t *attributes = call_object(call, "attributes", JSON_OPTIONAL);
	if (!attributes)
		return (struct str){ 0 };
	json_dump_compact(&text, attributes);
	if (text.len > ATTRIBUTES_MAX_BYTES)
		call_reject(call, ERR_INVALID_ARGUMENT, "attributes", "attributes must have at most %d bytes",
		            ATTRIBUTES_MAX_BYTES);
	return call_keep(call, &text);
}

/* One of the choices of an object inside the body, or an absent text. */
static struct str profile_read_setting(struct call *call, const json_t *settings, const char *field, const char *const *choices)
{
	struct str text = json_text(settings, field, JSON_OPTIONAL, 0, SIZE_MAX, call_error(call));

	for (const char *const *choice = choices; text.ptr && *choice; choice++)
		if (str_equal(text, str_from(*choice)))
			return str_from(*choice);
	if (text.ptr)
		call_reject(call, ERR_INVALID_ARGUMENT, field, "settings.%s has a value that is not known", field);
	return (struct str){ 0 };
}

void accounts_change_profile(struct call *call)
{
	static const char *const messages_from[] = { "everyone", "friends", NULL };
	static const char *const presence[] = { "everyone", "friends", "nobody", NULL };
	struct pg_params params = { 0 };

	pg_put_text(&params, profile_default_messages_from(call_context(call)));
	pg_put_text(&params, call_uid(call));
	pg_put_text_or_null(&params, call_name(call, "name", JSON_OPTIONAL));
	pg_put_text_or_null(&params, call_removable_text(call, "avatar", AVATAR_MAX_BYTES));
	pg_put_text_or_null(&params, profile_read_attributes(call));
	const json_t *settings = call_object(call, "settings", JSON_OPTIONAL);
	json_prefix(call_error(call), "settings.");
	pg_put_text_or_null(&params, profile_read_setting(call, settings, "messages_from", messages_from));
	pg_put_text_or_null(&params, profile_read_setting(call, settings, "presence", presence));
	json_prefix(call_error(call), "");
	call_query(call, &profile_change, &params, profile_on_row);
}
