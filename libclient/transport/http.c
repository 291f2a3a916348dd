#include "libclient/transport/http.h"

#include <stdlib.h>

#include "base/mem.h"

#define MAX_HOST_CONNECTIONS 64 /* further calls wait for a connection, because local ports are limited */

static size_t http_on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	if (call->received.len + size * count > HTTP_MAX_ANSWER)
		return 0;
	buf_append(&call->received, bytes, size * count);
	return size * count;
}

static void http_forget(struct http_call *call)
{
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	call->easy = NULL;
	call->headers = NULL;
}

static void http_on_done(struct curl_loop *loop, CURL *easy, CURLcode code)
{
	struct http_call *call;
	struct http_answer answer = { 0 };
	curl_off_t retry_after = 0;
	long status = 0;

	(void)loop;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	if (code == CURLE_OK) {
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	}
	struct buf received = call->received;
	call->received = (struct buf){ 0 };
	answer.status = (unsigned)status;
	answer.retry_after_ms = retry_after > 0 && retry_after < 86400 ? (uint64_t)retry_after * 1000 : 0;
	answer.body = buf_str(&received);
	http_forget(call);
	call->answered(call, &answer);
	buf_release(&received);
}

void http_configure(CURL *easy, const struct skein_net *net, bool uses_proxy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	if (!uses_proxy)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (net->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, net->ca_file);
}

void http_start(struct http_call *call, struct skein_net *net, const struct http_request *request,
                void (*answered)(struct http_call *call, const struct http_answer *answer))
{
	CURL *easy = curl_easy_init();
	struct buf authorization = { 0 };

	if (!easy)
		abort(); /* out of memory, as in base/mem.h */
	call->easy = easy;
	call->net = net;
	call->answered = answered;
	buf_printf(&authorization, "Authorization: Bearer %s", request->token);
	call->headers = curl_slist_append(NULL, "Expect:");
	call->headers = curl_slist_append(call->headers, buf_text(&authorization));
	buf_release(&authorization);
	http_configure(easy, net, request->uses_proxy);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)call);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	if (request->body.ptr) {
		call->headers = curl_slist_append(call->headers, "Content-Type: application/json");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_multi_add_handle(net->curl.multi, easy);
}

void http_cancel(struct http_call *call)
{
	if (!call->easy)
		return;
	curl_multi_remove_handle(call->net->curl.multi, call->easy);
	http_forget(call);
	buf_release(&call->received);
}

/* ---- the connections that the clients of a loop share ---- */

struct skein_net *skein_net_new(uv_loop_t *loop, const char *ca_file)
{
	struct skein_net *net = MEM_NEW(struct skein_net);

	net->ca_file = ca_file ? str_dup(str_from(ca_file)) : NULL;
	curl_loop_init(&net->curl, loop, http_on_done);
	curl_multi_setopt(net->curl.multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)MAX_HOST_CONNECTIONS);
	return net;
}

static void http_on_net_closed(struct curl_loop *loop)
{
	struct skein_net *net = container_of(loop, struct skein_net, curl);
	void (*closed)(void *arg) = net->closed;
	void *arg = net->arg;

	free(net->ca_file);
	mem_free(net);
	if (closed)
		closed(arg);
}

void skein_net_close(struct skein_net *net, void (*closed)(void *arg), void *arg)
{
	net->closed = closed;
	net->arg = arg;
	curl_loop_close(&net->curl, http_on_net_closed);
}
