/* Readers of paths, queries and bodies. They share the error of the JSON readers (base/text/json.h): the first one is kept. */

#include <assert.h>

#include "im/http/call.h"
#include "im/http/call_state.h"

#define IDENT_FORM "1 to 64 of A-Z a-z 0-9 _ . -"

struct json_error *call_error(struct call *call)
{
	return &call->error;
}

void call_reject(struct call *call, err_t err, const char *field, const char *format, ...)
{
	char detail[sizeof(call->error.detail)];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	json_fail(&call->error, err, field, "%s", detail);
}

bool call_check_reading(struct call *call)
{
	if (!call->error.err)
		return true;
	call_fail(call, call->error.err, call->error.field, call->error.detail);
	return false;
}

bool call_finish_reading(struct call *call)
{
	call_drop_json(call);
	return call_check_reading(call);
}

void call_leave(struct call *call)
{
	bool is_answered = !call_finish_reading(call);

	(void)is_answered;
}

/* An absent text stays absent. */
static struct str call_read_kept(struct call *call, struct str text)
{
	return text.ptr ? call_copy(call, text) : text;
}

/* ---- path and query ---- */

/* The name is a handler's constant: a name that is not in the pattern is a bug. */
struct str call_path_text(struct call *call, const char *name)
{
	struct str pattern = str_from(call->route->path), wanted = str_from(name);

	for (unsigned index = 0;; index++) {
		(void)str_cut(&pattern, '{');
		assert(pattern.ptr);
		if (str_equal(str_cut(&pattern, '}'), wanted))
			return http_request_param(call->request, index);
	}
}

static struct str call_read_ident(struct call *call, const char *name, struct str text)
{
	if (ident_is_valid(text))
		return text;
	call_reject(call, ERR_INVALID_ARGUMENT, name, "%s must be " IDENT_FORM, name);
	return (struct str){ 0 };
}

struct str call_path_ident(struct call *call, const char *name)
{
	return call_read_ident(call, name, call_path_text(call, name));
}

/* False: it was rejected. */
static bool call_read_conversation(struct call *call, const char *name, struct str id, struct conversation *conversation)
{
	if (!conversation_parse(id, conversation))
		call_reject(call, ERR_INVALID_ARGUMENT, name, "%s is not a conversation id", name);
	else if (conversation->kind == CONVERSATION_ROOM)
		call_reject(call, ERR_NOT_FOUND, name, "the messages of a room are under /v1/rooms");
	else
		return true;
	return false;
}

struct str call_path_conversation(struct call *call, const char *name)
{
	struct str id = call_path_text(call, name), uid = call_uid(call);
	struct conversation conversation;

	if (call_read_conversation(call, name, id, &conversation) && conversation.kind == CONVERSATION_DIRECT &&
	    !str_equal(conversation.first, uid) && !str_equal(conversation.second, uid))
		call_reject(call, ERR_NOT_MEMBER, NULL, "this is a conversation of others");
	return id;
}

struct str call_path_conversation_of_any(struct call *call, const char *name)
{
	struct str id = call_path_text(call, name);
	struct conversation conversation;

	(void)call_read_conversation(call, name, id, &conversation);
	return id;
}

uint64_t call_path_u64(struct call *call, const char *name, uint64_t min, uint64_t max)
{
	uint64_t number;

	if (str_to_u64(call_path_text(call, name), &number) && number >= min && number <= max)
		return number;
	call_reject(call, ERR_INVALID_ARGUMENT, name, "%s must be a number from %llu to %llu", name, (unsigned long long)min,
	            (unsigned long long)max);
	return 0;
}

struct str call_query_text(struct call *call, const char *name)
{
	return http_request_query(call->request, name);
}

struct str call_query_ident(struct call *call, const char *name)
{
	struct str text = call_query_text(call, name);

	return text.ptr ? call_read_ident(call, name, text) : text;
}

int64_t call_query_int(struct call *call, const char *name, int64_t fallback, int64_t min, int64_t max)
{
	struct str text = call_query_text(call, name);
	int64_t number;

	if (!text.ptr)
		return fallback;
	if (str_to_i64(text, &number) && number >= min && number <= max)
		return number;
	call_reject(call, ERR_INVALID_ARGUMENT, name, "%s must be a number from %lld to %lld", name, (long long)min,
	            (long long)max);
	return fallback;
}

static const char *call_read_choice(struct call *call, const char *name, struct str text, const char *const *choices)
{
	for (const char *const *choice = choices; *choice; choice++)
		if (str_equal(text, str_from(*choice)))
			return *choice;
	call_reject(call, ERR_INVALID_ARGUMENT, name, "%s has a value that is not known", name);
	return choices[0];
}

const char *call_query_choice(struct call *call, const char *name, const char *const *choices)
{
	struct str text = call_query_text(call, name);

	return text.ptr ? call_read_choice(call, name, text, choices) : choices[0];
}

/* ---- body ---- */

const json_t *call_json(struct call *call)
{
	if (!call->is_json_read)
		call->json = json_read(http_request_body(call->request), &call->error);
	call->is_json_read = true;
	return call->json;
}

struct str call_ident(struct call *call, const char *field, enum json_presence presence)
{
	return call_read_kept(call, json_ident(call_json(call), field, presence, &call->error));
}

struct str call_name(struct call *call, const char *field, enum json_presence presence)
{
	return call_read_kept(call, json_name(call_json(call), field, presence, &call->error));
}

struct str call_text(struct call *call, const char *field, enum json_presence presence, size_t min_bytes, size_t max_bytes)
{
	return call_read_kept(call, json_text(call_json(call), field, presence, min_bytes, max_bytes, &call->error));
}

struct str call_removable_text(struct call *call, const char *field, size_t max_bytes)
{
	return call_is_null(call, field) ? STR("") : call_text(call, field, JSON_OPTIONAL, 0, max_bytes);
}

struct str call_secret(struct call *call, const char *field, enum json_presence presence, size_t min_bytes, size_t max_bytes)
{
	assert(!call->secret.ptr);
	call->secret = call_text(call, field, presence, min_bytes, max_bytes);
	return call->secret;
}

int64_t call_int(struct call *call, const char *field, enum json_presence presence, int64_t min, int64_t max)
{
	return json_int(call_json(call), field, presence, min, max, &call->error);
}

bool call_bool(struct call *call, const char *field, enum json_presence presence)
{
	return json_bool(call_json(call), field, presence, &call->error);
}

bool call_has_body(const struct call *call)
{
	return http_request_body(call->request).len > 0;
}

bool call_has(struct call *call, const char *field)
{
	const json_t *value = json_object_get(call_json(call), field);

	return value && !json_is_null(value);
}

bool call_is_null(struct call *call, const char *field)
{
	return json_is_null(json_object_get(call_json(call), field));
}

const char *call_choice(struct call *call, const char *field, enum json_presence presence, const char *const *choices)
{
	struct str text = json_text(call_json(call), field, presence, 0, SIZE_MAX, &call->error);

	return text.ptr ? call_read_choice(call, field, text, choices) : choices[0];
}

json_t *call_object(struct call *call, const char *field, enum json_presence presence)
{
	return json_object_field(call_json(call), field, presence, &call->error);
}

json_t *call_array(struct call *call, const char *field, enum json_presence presence, size_t max_items)
{
	return json_array_field(call_json(call), field, presence, max_items, &call->error);
}

struct ident_list call_ident_list(struct call *call, const char *field, enum json_presence presence, size_t max_items)
{
	const json_t *items = call_array(call, field, presence, max_items);
	struct ident_list list = { 0 };

	if (call->error.err || json_array_size(items) == 0)
		return list;
	list.idents = call_alloc(call, json_array_size(items) * sizeof(list.idents[0]));
	for (; list.count < json_array_size(items); list.count++) {
		const json_t *item = json_array_get(items, list.count);
		struct str ident = str_of(json_string_value(item), json_string_length(item));

		if (!ident_is_valid(ident)) {
			call_reject(call, ERR_INVALID_ARGUMENT, field, "%s must be a list of ids: " IDENT_FORM, field);
			return (struct ident_list){ 0 };
		}
		list.idents[list.count] = call_copy(call, ident);
	}
	return list;
}

void ident_list_put(struct pg_params *params, const struct ident_list *list)
{
	pg_array_begin(params, PG_TEXT);
	for (size_t i = 0; i < list->count; i++)
		pg_array_text(params, list->idents[i]);
	pg_array_end(params);
}
