#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/text/json.h"
#include "base/mem.h"
#include "base/random.h"

/* gid, name, owner, join, history, members -> unknown, member_count */
static const struct pg_statement group_create = {
	"group_create",
	"select unknown, member_count from fn.im_group_create($1::text, $2::text, $3::text, $4::text, $5::text, $6::text[])",
};

#define GID_DIGITS 20

/* A group while it is being made. */
struct creation {
	struct http_request *request;
	char gid[GID_DIGITS + 1];
	char owner[65];
	const char *join, *history;
	struct buf name;
};

static void creation_free(struct creation *creation)
{
	buf_release(&creation->name);
	mem_free(creation);
}

static void respond_group(const struct creation *creation, int64_t member_count)
{
	char id[CONVERSATION_ID_MAX + 1];
	struct buf body = { 0 };

	size_t id_len = conversation_group(id, str_from(creation->gid));
	buf_append_char(&body, '{');
	json_put_field(&body, "group_id", str_from(creation->gid));
	json_put_field(&body, "conversation_id", str_of(id, id_len));
	json_put_field(&body, "name", buf_str(&creation->name));
	json_put_field(&body, "owner", str_from(creation->owner));
	json_put_field(&body, "join", str_from(creation->join));
	json_put_field(&body, "history", str_from(creation->history));
	json_put_u64_field(&body, "member_count", (uint64_t)member_count);
	buf_append_char(&body, '}');
	http_respond_json(creation->request, 201, &body);
}

static void refuse_unknown(const struct creation *creation, struct str unknown)
{
	char detail[128];

	snprintf(detail, sizeof(detail), "there is no user %.*s", STR_ARG(unknown));
	http_respond_problem(creation->request, ERR_NOT_FOUND, "members", detail);
}

static void on_created(void *arg, err_t err, const PGresult *result)
{
	struct creation *creation = arg;

	if (err)
		http_respond_problem(creation->request, ERR_UNAVAILABLE, NULL, NULL);
	else if (!PQgetisnull(result, 0, 0))
		refuse_unknown(creation, pg_text(result, 0, 0));
	else
		respond_group(creation, pg_i64(result, 0, 1));
	creation_free(creation);
}

static void put_members(struct pg_params *params, const json_t *members, struct json_error *error)
{
	pg_array_begin(params, PG_TEXT);
	for (size_t i = 0; i < json_array_size(members) && !error->err; i++) {
		const json_t *member = json_array_get(members, i);
		struct str uid = str_of(json_string_value(member), json_string_length(member));
		if (!ident_is_valid(uid))
			json_fail(error, ERR_INVALID_ARGUMENT, "members", "members must be uids");
		else
			pg_array_text(params, uid);
	}
	pg_array_end(params);
}

/* One of the choices, the first when the field is absent. */
static const char *read_choice(const json_t *root, const char *field, const char *const *choices, struct json_error *error)
{
	struct str text = json_text(root, field, JSON_OPTIONAL, 0, SIZE_MAX, error);

	if (!text.ptr)
		return choices[0];
	for (; *choices; choices++)
		if (str_equal(text, str_from(*choices)))
			return *choices;
	json_fail(error, ERR_INVALID_ARGUMENT, field, "%s has a value that is not known", field);
	return "";
}

static size_t max_members(const struct im_config *config)
{
	return (size_t)MIN(config->limits_group_create_members, config->limits_group_members - 1);
}

static void create(struct app *app, struct http_request *request, const struct caller *caller)
{
	static const char *const joins[] = { "invite", "approval", "open", NULL };
	static const char *const histories[] = { "all", "since_join", NULL };
	struct json_error error = { 0 };
	struct pg_params params = { 0 };
	struct creation *creation = MEM_NEW(struct creation);

	creation->request = request;
	random_hex(creation->gid, GID_DIGITS);
	(void)str_copy(creation->owner, sizeof(creation->owner), caller->uid);
	json_t *root = json_read(http_request_body(request), &error);
	buf_append_str(&creation->name, json_name(root, "name", JSON_REQUIRED, &error));
	const json_t *members = json_array_field(root, "members", JSON_OPTIONAL, max_members(&app->config), &error);
	creation->join = read_choice(root, "join", joins, &error);
	creation->history = read_choice(root, "history", histories, &error);
	pg_put_text(&params, str_from(creation->gid));
	pg_put_text(&params, buf_str(&creation->name));
	pg_put_text(&params, caller->uid);
	pg_put_text(&params, str_from(creation->join));
	pg_put_text(&params, str_from(creation->history));
	put_members(&params, members, &error);
	json_decref(root);
	if (error.err) {
		http_respond_problem(request, error.err, error.field, error.detail);
		pg_params_release(&params);
		creation_free(creation);
		return;
	}
	pg_query(app->pg.calls, PG_ANY_LANE, &group_create, &params, on_created, creation);
}

void groups_api_create(struct http_request *request, void *arg)
{
	auth_require(arg, request, create);
}
