#include "libclient/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "libclient/ws.h"

#define READ_CHUNK 16384

enum stage { CONNECTING, UPGRADING, OPEN, OVER };

struct link {
	struct curl_loop curl;
	CURL *easy;
	uv_poll_t poll;
	bool has_poll;
	unsigned open_handles;
	enum stage stage;
	bool is_closing;
	struct buf in, out;
	struct ws_reader reader;
	char key[WS_KEY_LEN + 1];
	struct link_events events;
};

static void end(struct link *link, unsigned close_code, unsigned status, uint64_t retry_after_ms)
{
	if (link->stage == OVER || link->is_closing)
		return;
	link->stage = OVER;
	if (link->has_poll)
		uv_poll_stop(&link->poll);
	link->events.over(link->events.arg, close_code, status, retry_after_ms);
}

/* ---- out ---- */

static void on_ready(uv_poll_t *poll, int status, int events);

/* A socket that takes nothing more may still hold why: what came is read to its end before it is over. */
static void flush(struct link *link)
{
	size_t sent = 0;
	CURLcode code = CURLE_OK;

	while (link->out.len && code == CURLE_OK) {
		code = curl_easy_send(link->easy, link->out.ptr, link->out.len, &sent);
		if (code != CURLE_OK)
			break;
		link->out.len -= sent;
		memmove(link->out.ptr, link->out.ptr + sent, link->out.len);
	}
	if (code != CURLE_OK && code != CURLE_AGAIN)
		link->out.len = 0;
	uv_poll_start(&link->poll, UV_READABLE | (link->out.len ? UV_WRITABLE : 0), on_ready);
}

static void say_goodbye(struct link *link)
{
	size_t sent;

	ws_put_close(&link->out, 1000);
	(void)curl_easy_send(link->easy, link->out.ptr, link->out.len, &sent); /* it is over either way */
}

/* ---- in ---- */

static void take_answer(struct link *link, struct str *in)
{
	struct ws_answer answer;

	if (!ws_take_answer(in, link->key, &answer))
		return;
	if (answer.status == 101)
		link->stage = OPEN;
	else
		end(link, 0, answer.status, answer.retry_after_ms);
}

/* False: nothing more to take. */
static bool take_event(struct link *link, struct str *in)
{
	struct str payload;
	unsigned code;

	switch (ws_read(&link->reader, in, &payload, &code)) {
	case WS_GOT_TEXT:
		link->events.text(link->events.arg, payload);
		return true;
	case WS_GOT_PING:
		ws_put_frame(&link->out, WS_PONG, payload);
		return true;
	case WS_GOT_PONG:
		return true;
	case WS_GOT_CLOSE:
		say_goodbye(link);
		end(link, code, 0, 0);
		return false;
	case WS_GOT_NONSENSE:
		end(link, 0, 0, 0);
		return false;
	default:
		return false;
	}
}

/* Everything that is whole in `link->in`. */
static void take_all(struct link *link)
{
	struct str in = buf_str(&link->in);

	if (link->stage == UPGRADING)
		take_answer(link, &in);
	while (link->stage == OPEN && !link->is_closing && link->out.len <= LINK_MAX_WAITING && take_event(link, &in))
		;
	if (link->out.len > LINK_MAX_WAITING)
		end(link, 0, 0, 0); /* it pings and does not read */
	memmove(link->in.ptr, in.ptr, in.len);
	link->in.len = in.len;
}

static void receive(struct link *link)
{
	CURLcode code = CURLE_OK;
	size_t got = 0;

	while (link->stage != OVER && !link->is_closing) {
		code = curl_easy_recv(link->easy, buf_reserve(&link->in, READ_CHUNK), READ_CHUNK, &got);
		if (code == CURLE_AGAIN)
			break;
		if (code != CURLE_OK || got == 0) {
			end(link, 0, 0, 0);
			return;
		}
		link->in.len += got;
		take_all(link);
	}
	if (link->in.len == 0)
		buf_release(&link->in); /* an idle one keeps no buffer */
	if (link->stage != OVER && !link->is_closing)
		flush(link);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct link *link = container_of(poll, struct link, poll);

	(void)events;
	receive(link);
	if (status < 0)
		end(link, 0, 0, 0);
}

/* ---- opening ---- */

static void on_connected(struct curl_loop *loop, CURL *easy, CURLcode code)
{
	struct link *link = container_of(loop, struct link, curl);
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(loop->loop, &link->poll, fd)) {
		end(link, 0, 0, 0);
		return;
	}
	link->has_poll = true;
	link->open_handles++;
	link->stage = UPGRADING;
	flush(link);
}

/* The request, from the parts of the URL. False: it is none. */
static bool put_request(struct link *link, const char *url, const char *token)
{
	char *host = NULL, *port = NULL, *path = NULL, *query = NULL;
	CURLU *parts = curl_url();
	struct buf authority = { 0 }, target = { 0 };
	bool is_url = parts && !curl_url_set(parts, CURLUPART_URL, url, 0) && !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
	              !curl_url_get(parts, CURLUPART_PATH, &path, 0);

	if (is_url) {
		(void)curl_url_get(parts, CURLUPART_PORT, &port, 0);
		(void)curl_url_get(parts, CURLUPART_QUERY, &query, 0);
		buf_printf(&authority, "%s%s%s", host, port ? ":" : "", port ? port : "");
		buf_printf(&target, "%s%s%s", path, query ? "?" : "", query ? query : "");
		ws_put_request(&link->out, buf_text(&authority), buf_text(&target), token, link->key);
	}
	curl_free(host);
	curl_free(port);
	curl_free(path);
	curl_free(query);
	curl_url_cleanup(parts);
	buf_release(&authority);
	buf_release(&target);
	return is_url;
}

struct link *link_open(struct skein_net *net, const char *url, const char *token, bool uses_proxy,
                       const struct link_events *events)
{
	struct link *link = MEM_NEW(struct link);
	struct buf http_url = { 0 };

	link->events = *events;
	link->open_handles = 1;
	curl_loop_init(&link->curl, net->curl.loop, on_connected);
	link->curl.keeps = true;
	link->easy = curl_easy_init();
	if (!link->easy)
		abort(); /* as base/mem.h does */
	ws_make_key(link->key);
	buf_printf(&http_url, "http%s", url + 2); /* ws: http:, wss: https: */
	(void)put_request(link, buf_text(&http_url), token); /* what is no URL does not connect either */
	http_configure(link->easy, net, uses_proxy);
	curl_easy_setopt(link->easy, CURLOPT_URL, buf_text(&http_url));
	curl_easy_setopt(link->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(link->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(link->easy, CURLOPT_HTTPPROXYTUNNEL, (long)uses_proxy);
	curl_multi_add_handle(link->curl.multi, link->easy);
	buf_release(&http_url);
	return link;
}

bool link_send(struct link *link, struct str text)
{
	if (link->stage != OPEN || link->is_closing || link->out.len + text.len > LINK_MAX_WAITING)
		return false;
	ws_put_frame(&link->out, WS_TEXT, text);
	flush(link);
	return link->stage == OPEN;
}

/* ---- closing ---- */

static void handle_closed(struct link *link)
{
	struct link_events events = link->events;

	if (--link->open_handles)
		return;
	buf_release(&link->in);
	buf_release(&link->out);
	ws_reader_release(&link->reader);
	mem_free(link);
	events.gone(events.arg);
}

static void on_poll_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_poll_t *)handle, struct link, poll));
}

static void on_curl_closed(struct curl_loop *loop)
{
	handle_closed(container_of(loop, struct link, curl));
}

void link_close(struct link *link)
{
	link->is_closing = true;
	if (link->stage == OPEN)
		say_goodbye(link);
	if (link->has_poll)
		uv_close((uv_handle_t *)&link->poll, on_poll_closed);
	curl_multi_remove_handle(link->curl.multi, link->easy);
	curl_easy_cleanup(link->easy);
	curl_loop_close(&link->curl, on_curl_closed);
}
