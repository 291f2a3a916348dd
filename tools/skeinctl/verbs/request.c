/* Makes the request of a row, follows the pages of a list, and hands the answer to be shown. */

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"
#include "tools/skeinctl/verbs/verb.h"

#define ROWS_MAX 10000 /* of all pages of a list together: beyond, --cursor goes on */
#define LIST_FILE_MAX ((size_t)1 << 20)
#define TOKEN_TTL_MS 600000

/* ---- values ---- */

/* The whole of a file, or of standard input. */
static void request_read_file(struct buf *content, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char chunk[4096];

	if (!file)
		die("%s: %s", path, strerror(errno));
	for (size_t len; (len = fread(chunk, 1, sizeof(chunk), file)) > 0;) {
		buf_append(content, chunk, len);
		if (content->len > LIST_FILE_MAX)
			die("%s: more than %zu KiB", path, LIST_FILE_MAX >> 10);
	}
	if (ferror(file))
		die("%s: %s", path, strerror(errno));
	if (file != stdin)
		fclose(file);
}

/* The texts between the separators, without blanks around them and without empty ones. */
static json_t *request_list(struct str text, char separator)
{
	json_t *list = json_array();

	while (text.ptr) {
		struct str item = str_trim(str_cut(&text, separator));

		if (item.len && json_array_append_new(list, json_stringn(item.ptr, item.len)))
			die("a text in the list is not UTF-8");
	}
	return list;
}

static json_t *request_list_file(const char *path)
{
	struct buf content = { 0 };

	request_read_file(&content, path);
	json_t *list = request_list(buf_str(&content), '\n');
	buf_release(&content);
	return list;
}

static json_t *request_text(const struct param *param, const char *text)
{
	json_t *value = json_string(text);

	if (!value)
		die_of_usage("%s is not UTF-8", param->name);
	return value;
}

static json_t *request_number(const struct param *param, const char *text)
{
	int64_t number;

	if (!str_to_i64(str_from(text), &number))
		die_of_usage("%s \"%s\" is no number", param->name, text);
	return json_integer(number);
}

static json_t *request_object(const struct param *param, const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(value))
		die_of_usage("%s is no JSON object%s%s", param->name, value ? "" : ": ", value ? "" : error.text);
	return value;
}

static json_t *request_secret(const struct param *param, const char *path)
{
	char *secret = read_secret_file(param->name, path);
	json_t *value = request_text(param, secret);

	mem_free(secret);
	return value;
}

static json_t *request_key(void)
{
	char key[25];

	random_hex(key, sizeof(key) - 1);
	return json_string(key);
}

static json_t *request_value(const struct param *param, const char *text)
{
	switch (param->kind) {
	case PARAM_NUMBER:
		return request_number(param, text);
	case PARAM_FLAG:
		return json_true();
	case PARAM_LIST:
		return request_list(str_from(text), ',');
	case PARAM_LIST_FILE:
		return request_list_file(text);
	case PARAM_SECRET_FILE:
		return request_secret(param, text);
	case PARAM_JSON:
		return request_object(param, text);
	case PARAM_TEXT:
	case PARAM_KEY:
	case PARAM_FILE:
		break;
	}
	return request_text(param, text);
}

/* ---- the request ---- */

/* Sets the member that `field` names: "to.user" is one of an object. */
static void request_set_member(json_t *object, const char *field, json_t *value)
{
	const char *dot = strchr(field, '.');

	if (!dot) {
		json_object_set_new(object, field, value);
		return;
	}
	char *name = str_dup(str_of(field, (size_t)(dot - field)));
	if (!json_object_get(object, name))
		json_object_set_new(object, name, json_object());
	request_set_member(json_object_get(object, name), dot + 1, value);
	mem_free(name);
}

/* NULL for a row whose request has no body. */
static json_t *request_body(const struct args *args)
{
	const struct verb *verb = args->verb;
	json_t *body = verb->body ? json_loads(verb->body, 0, NULL) : NULL;

	for (size_t i = 0; i < verb_param_count(verb); i++) {
		const struct param *param = &verb->params[i];

		if (param->place != PARAM_BODY || (!args->values[i] && param->kind != PARAM_KEY))
			continue;
		if (!body)
			body = json_object();
		request_set_member(body, param->field, args->values[i] ? request_value(param, args->values[i]) : request_key());
	}
	return body;
}

static void request_append_encoded(struct buf *out, const char *text)
{
	char *encoded = curl_easy_escape(NULL, text, 0);

	buf_append_text(out, encoded);
	curl_free(encoded);
}

static const char *request_value_in_path(const struct args *args, struct str field)
{
	for (size_t i = 0; i < verb_param_count(args->verb); i++)
		if (args->verb->params[i].place == PARAM_PATH && str_equal(str_from(args->verb->params[i].field), field))
			return args->values[i];
	return "";
}

/* The row's path with its {fields} filled in, and its query; `cursor` is that of the next page, or NULL. */
static void request_append_path(struct buf *out, const struct args *args, const char *cursor)
{
	const struct verb *verb = args->verb;
	struct str rest = str_from(verb->path);
	char before = '?';

	while (rest.ptr) {
		buf_append_str(out, str_cut(&rest, '{'));
		if (rest.ptr)
			request_append_encoded(out, request_value_in_path(args, str_cut(&rest, '}')));
	}
	for (size_t i = 0; i < verb_param_count(verb); i++) {
		bool is_cursor = cursor && strcmp(verb->params[i].name, "--cursor") == 0;
		const char *value = is_cursor ? cursor : args->values[i];

		if (verb->params[i].place != PARAM_QUERY || !value)
			continue;
		buf_printf(out, "%c%s=", before, verb->params[i].field);
		request_append_encoded(out, verb->params[i].kind == PARAM_FLAG ? "true" : value);
		before = '&';
	}
}

/* ---- the token ---- */

static const char *request_actor(const struct args *args)
{
	for (size_t i = 0; i < verb_param_count(args->verb); i++)
		if (args->verb->params[i].place == PARAM_ACTOR)
			return args->values[i];
	return NULL;
}

/* The JWT's own characters, so that none ends the header's line. */
static char *request_checked_token(const char *token)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";

	if (!*token || token[strspn(token, letters)])
		die_of_usage("the token is no JWT");
	return str_dup(str_from(token));
}

static const char *request_token_of_environment(void)
{
	const char *token = getenv("SKEIN_TOKEN");

	return token && *token ? token : NULL;
}

bool request_has_token(const struct args *args)
{
	return args->token || request_token_of_environment();
}

char *request_token(const struct args *args)
{
	const char *actor = request_actor(args), *of_environment = request_token_of_environment();

	if (args->token && actor)
		die_of_usage("%s: the token says who acts: give it or the user", args->verb->name);
	if (args->token)
		return request_checked_token(args->token);
	if (actor)
		return make_token(actor, false, TOKEN_TTL_MS, NULL);
	if (of_environment)
		return request_checked_token(of_environment);
	return make_token("skeinctl", true, TOKEN_TTL_MS, NULL);
}

/* ---- pages ---- */

/* Whether the person asked for one page. */
static bool request_has_page(const struct args *args)
{
	return args_value(args, "--limit") || args_value(args, "--cursor");
}

static bool request_is_paged(const struct verb *verb)
{
	for (size_t i = 0; i < verb_param_count(verb); i++)
		if (strcmp(verb->params[i].name, "--cursor") == 0)
			return true;
	return false;
}

static struct http_answer request_get(const struct args *args, const char *token, const char *cursor)
{
	struct buf path = { 0 };

	request_append_path(&path, args, cursor);
	struct http_answer answer = http_api(args->verb->method, buf_text(&path), token, request_body(args));
	buf_release(&path);
	return answer;
}

/* Prints the items of all pages as they come. */
static void request_print_lines(const struct args *args, const char *token, struct http_answer *page)
{
	size_t index;
	json_t *item;

	for (;;) {
		json_array_foreach(json_object_get(page->body, args->verb->list), index, item)
			visible_print_json(item);
		const char *cursor = json_string_value(json_object_get(page->body, "next_cursor"));
		if (!cursor || request_has_page(args)) {
			answer_print_more(page->body);
			return;
		}
		struct http_answer next = request_get(args, token, cursor);
		http_answer_release(page);
		*page = next;
	}
}

/* Appends the rows of the pages after `first` to its list; its next_cursor is that of the last page that was read. */
static void request_join_pages(const struct args *args, const char *token, json_t *first)
{
	json_t *rows = json_object_get(first, args->verb->list);
	json_t *cursor;

	while ((cursor = json_object_get(first, "next_cursor")) && json_array_size(rows) < ROWS_MAX) {
		struct http_answer page = request_get(args, token, json_string_value(cursor));

		json_array_extend(rows, json_object_get(page.body, args->verb->list));
		if (json_object_get(page.body, "next_cursor"))
			json_object_set(first, "next_cursor", json_object_get(page.body, "next_cursor"));
		else
			json_object_del(first, "next_cursor");
		http_answer_release(&page);
	}
}

/* All pages, unless the person asked for one; NULL where the answer has all there is. */
static json_t *request_joined(const struct args *args, const char *token, const json_t *first)
{
	if (!request_is_paged(args->verb) || request_has_page(args) || !json_object_get(first, "next_cursor"))
		return NULL;
	json_t *joined = json_deep_copy(first);
	request_join_pages(args, token, joined);
	return joined;
}

int request_run(const struct args *args)
{
	const struct verb *verb = args->verb;
	char *token = request_token(args);
	struct http_answer answer = request_get(args, token, NULL);
	bool is_done = true;

	if (verb->list && !json_is_array(json_object_get(answer.body, verb->list)))
		die("%s %s: the answer has no list of %s", verb->method, verb->path, verb->list);
	if (args_value(args, "--wait"))
		is_done = follow_job(&answer, token);
	if (verb->is_lines && !args->as_json) {
		request_print_lines(args, token, &answer);
	} else {
		json_t *joined = request_joined(args, token, answer.body);

		answer_print(args, &answer, joined);
		json_decref(joined);
	}
	http_answer_release(&answer);
	mem_free(token);
	return is_done ? 0 : 1;
}
