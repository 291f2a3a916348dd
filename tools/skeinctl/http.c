#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "tools/skeinctl/skeinctl.h"

static CURL *curl; /* kept, so that calls share its connection */

static size_t http_on_body(char *bytes, size_t size, size_t count, void *arg)
{
	buf_append(arg, bytes, size * count);
	return size * count;
}

struct http_answer http_call(const char *method, const char *url, const char *token, json_t *body)
{
	struct http_answer answer = { 0 };
	struct buf received = { 0 }, authorization = { 0 };
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	if (text)
		list = curl_slist_append(list, "Content-Type: application/json");
	if (token) {
		buf_printf(&authorization, "Authorization: Bearer %s", token);
		list = curl_slist_append(list, buf_text(&authorization));
	}
	if (!curl)
		curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (text)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		die("%s %s: %s", method, url, curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	answer.body = json_loadb(received.ptr ? received.ptr : "", received.len, 0, NULL);
	curl_slist_free_all(list);
	buf_release(&authorization);
	buf_release(&received);
	free(text);
	json_decref(body);
	return answer;
}

json_t *http_must(const char *method, const char *url, const char *token, json_t *body)
{
	struct http_answer answer = http_call(method, url, token, body);

	if (answer.status >= 300) {
		const char *code = json_string_value(json_object_get(answer.body, "code"));
		const char *detail = json_string_value(json_object_get(answer.body, "detail"));

		die("%s %s: %ld %s%s%s", method, url, answer.status, code ? code : "", detail ? ": " : "",
		    detail ? detail : "");
	}
	return answer.body;
}

void http_end(void)
{
	if (curl)
		curl_easy_cleanup(curl);
	curl = NULL;
	curl_global_cleanup();
}
