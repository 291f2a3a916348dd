#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "tools/skeinctl/skeinctl.h"

static CURL *curl; /* kept, so that calls share its connection */

static size_t http_on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct buf *received = arg;

	if (received->len + size * count > ANSWER_SIZE_MAX)
		return CURL_WRITEFUNC_ERROR;
	buf_append(received, bytes, size * count);
	return size * count;
}

static struct curl_slist *http_headers(const char *token, bool has_body)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	struct buf authorization = { 0 };

	if (has_body)
		list = curl_slist_append(list, "Content-Type: application/json");
	if (token) {
		buf_printf(&authorization, "Authorization: Bearer %s", token);
		list = curl_slist_append(list, buf_text(&authorization));
	}
	buf_release(&authorization);
	return list;
}

static CURLcode http_try(const char *method, const char *url, const char *token, const char *text, struct http_answer *answer)
{
	struct curl_slist *list = http_headers(token, text);

	if (!curl)
		curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* ".." is a valid uid */
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->text);
	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (text)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	CURLcode code = curl_easy_perform(curl);
	curl_slist_free_all(list);
	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
		answer->body = answer->text.len ? json_loadb(answer->text.ptr, answer->text.len, 0, NULL) : NULL;
	}
	return code;
}

static _Noreturn void http_die(const char *method, const char *url, CURLcode code)
{
	if (code == CURLE_WRITE_ERROR)
		die("%s %s: the answer is larger than %zu MiB", method, url, ANSWER_SIZE_MAX >> 20);
	die("%s %s: %s", method, url, curl_easy_strerror(code));
}

struct http_answer http_call(const char *method, const char *url, const char *token, json_t *body)
{
	struct http_answer answer = { 0 };
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	CURLcode code = http_try(method, url, token, text, &answer);

	if (code != CURLE_OK)
		http_die(method, url, code);
	free(text);
	json_decref(body);
	return answer;
}

/* The answer's own words, or what came instead of them. */
static _Noreturn void http_die_of_problem(const char *method, const char *path, const struct http_answer *answer)
{
	const char *code = json_string_value(json_object_get(answer->body, "code"));
	const char *detail = json_string_value(json_object_get(answer->body, "detail"));
	const char *title = json_string_value(json_object_get(answer->body, "title"));
	const char *field = json_string_value(json_object_get(answer->body, "field"));
	const char *sentence = detail ? detail : title ? title : "no more is known";
	bool is_told = !field || strstr(sentence, field);

	if (!code)
		die("%ld: %s %s was not answered by Skein: is SKEIN_HTTP im's address?", answer->status, method, path);
	die("%s: %s%s%s%s", code, sentence, is_told ? "" : " (", is_told ? "" : field, is_told ? "" : ")");
}

struct http_answer http_api(const char *method, const char *path, const char *token, json_t *body)
{
	struct str bases = str_from(setting("SKEIN_HTTP"));
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct http_answer answer = { 0 };
	struct buf url = { 0 };
	CURLcode code;

	do {
		struct str base = setting_cut_url(&bases);

		buf_clear(&url);
		buf_printf(&url, "%.*s%s", STR_ARG(base), path);
		code = http_try(method, buf_text(&url), token, text, &answer);
		/* Nothing was sent, so another may be asked. */
	} while ((code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) && bases.ptr);
	if (code != CURLE_OK)
		http_die(method, buf_text(&url), code);
	if (answer.status < 200 || answer.status >= 300)
		http_die_of_problem(method, path, &answer);
	buf_release(&url);
	free(text);
	json_decref(body);
	return answer;
}

void http_answer_release(struct http_answer *answer)
{
	json_decref(answer->body);
	buf_release(&answer->text);
}

void http_end(void)
{
	if (curl)
		curl_easy_cleanup(curl);
	curl = NULL;
	curl_global_cleanup();
}
