#include "libclient/transport/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/ws/ws_reader.h"
#include "libclient/transport/upgrade.h"

#define READ_CHUNK 16384

/* A server's frame has 256 KiB at most (contract section 1). */
static const struct ws_reader_rules link_rules = { .sender = WS_SERVER, .max_message = 512 * 1024 };

enum link_stage { LINK_CONNECTING, LINK_UPGRADING, LINK_OPEN, LINK_OVER };

struct link {
	struct curl_loop curl;
	CURL *easy;
	uv_poll_t poll;
	bool has_poll;
	unsigned open_handles;
	enum link_stage stage;
	bool is_closing;
	struct buf upgrade; /* the bytes received of the answer to the handshake */
	struct buf out; /* bytes that the socket has not taken */
	struct ws_reader reader;
	char key[UPGRADE_KEY_LEN + 1];
	struct link_events events;
};

static void link_end(struct link *link, unsigned close_code, unsigned status, uint64_t retry_after_ms)
{
	if (link->stage == LINK_OVER || link->is_closing)
		return;
	link->stage = LINK_OVER;
	if (link->has_poll)
		uv_poll_stop(&link->poll);
	link->events.over(link->events.arg, close_code, status, retry_after_ms);
}

/* ---- out ---- */

static void link_on_ready(uv_poll_t *poll, int status, int events);

/* A socket that takes no more may still hold the server's close frame, so the link ends only when all is read. */
static void link_flush(struct link *link)
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
	uv_poll_start(&link->poll, UV_READABLE | (link->out.len ? UV_WRITABLE : 0), link_on_ready);
}

static void link_put_frame(struct link *link, enum ws_opcode opcode, struct str payload)
{
	unsigned char mask[WS_MASK_LEN];

	random_bytes(mask, sizeof(mask));
	ws_put_masked_frame(&link->out, opcode, payload, mask);
}

static void link_say_goodbye(struct link *link, uint16_t code)
{
	unsigned char mask[WS_MASK_LEN];
	size_t sent;

	random_bytes(mask, sizeof(mask));
	ws_put_masked_close(&link->out, code, NULL, mask);
	(void)curl_easy_send(link->easy, link->out.ptr, link->out.len, &sent); /* the connection ends either way */
}

/* ---- in ---- */

/* False: there is no whole frame any more, or the link has ended. */
static bool link_take_event(struct link *link, char **at, size_t *len)
{
	struct ws_message message;

	switch (ws_reader_take(&link->reader, at, len, &message)) {
	case WS_GOT_TEXT:
		link->events.text(link->events.arg, message.payload);
		return true;
	case WS_GOT_PING:
		link_put_frame(link, WS_PONG, message.payload);
		return true;
	case WS_GOT_PONG:
		return true;
	case WS_GOT_CLOSE:
		link_say_goodbye(link, 1000);
		link_end(link, message.code, 0, 0);
		return false;
	case WS_GOT_BINARY: /* this subprotocol has text only */
		link_say_goodbye(link, 1003);
		link_end(link, 0, 0, 0);
		return false;
	case WS_GOT_VIOLATION:
		link_say_goodbye(link, message.code);
		link_end(link, 0, 0, 0);
		return false;
	default:
		return false;
	}
}

static void link_take_frames(struct link *link, char *at, size_t len)
{
	while (link->stage == LINK_OPEN && !link->is_closing && link->out.len <= LINK_MAX_WAITING &&
	       link_take_event(link, &at, &len))
		;
	if (link->out.len > LINK_MAX_WAITING)
		link_end(link, 0, 0, 0); /* the server pings and does not read */
}

/* The answer to the handshake is kept until it is whole. Frames may follow in the same piece. */
static void link_take_upgrade(struct link *link, const char *bytes, size_t len)
{
	struct upgrade_answer answer;

	buf_append(&link->upgrade, bytes, len);
	struct str rest = buf_str(&link->upgrade);
	if (!upgrade_take_answer(&rest, link->key, &answer))
		return;
	struct buf whole = link->upgrade;
	link->upgrade = (struct buf){ 0 };
	if (answer.status == 101) {
		link->stage = LINK_OPEN;
		link_take_frames(link, whole.ptr + whole.len - rest.len, rest.len);
	} else {
		link_end(link, 0, answer.status, answer.retry_after_ms);
	}
	buf_release(&whole);
}

static void link_receive(struct link *link)
{
	char chunk[READ_CHUNK];
	size_t got = 0;

	while (link->stage != LINK_OVER && !link->is_closing) {
		CURLcode code = curl_easy_recv(link->easy, chunk, sizeof(chunk), &got);
		if (code == CURLE_AGAIN)
			break;
		if (code != CURLE_OK || got == 0) {
			link_end(link, 0, 0, 0);
			return;
		}
		if (link->stage == LINK_UPGRADING)
			link_take_upgrade(link, chunk, got);
		else
			link_take_frames(link, chunk, got);
	}
	if (link->stage != LINK_OVER && !link->is_closing)
		link_flush(link);
}

static void link_on_ready(uv_poll_t *poll, int status, int events)
{
	struct link *link = container_of(poll, struct link, poll);

	(void)events;
	link_receive(link);
	if (status < 0)
		link_end(link, 0, 0, 0);
}

/* ---- opening ---- */

static void link_on_connected(struct curl_loop *loop, CURL *easy, CURLcode code)
{
	struct link *link = container_of(loop, struct link, curl);
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(loop->loop, &link->poll, fd)) {
		link_end(link, 0, 0, 0);
		return;
	}
	link->has_poll = true;
	link->open_handles++;
	link->stage = LINK_UPGRADING;
	link_flush(link);
}

/* Writes the request, from the parts of the URL. False: the URL is malformed. */
static bool link_put_request(struct link *link, const char *url, const char *token)
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
		upgrade_put_request(&link->out, buf_text(&authority), buf_text(&target), token, link->key);
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
	link->reader.rules = &link_rules;
	curl_loop_init(&link->curl, net->curl.loop, link_on_connected);
	link->curl.keeps = true;
	link->easy = curl_easy_init();
	if (!link->easy)
		abort(); /* out of memory, as in base/mem.h */
	upgrade_make_key(link->key);
	buf_printf(&http_url, "http%s", url + 2); /* ws: http:, wss: https: */
	(void)link_put_request(link, buf_text(&http_url), token); /* a malformed URL fails to connect below */
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
	if (link->stage != LINK_OPEN || link->is_closing || link->out.len + text.len > LINK_MAX_WAITING)
		return false;
	link_put_frame(link, WS_TEXT, text);
	link_flush(link);
	return link->stage == LINK_OPEN;
}

/* ---- closing ---- */

static void link_handle_closed(struct link *link)
{
	struct link_events events = link->events;

	if (--link->open_handles)
		return;
	buf_release(&link->upgrade);
	buf_release(&link->out);
	ws_reader_release(&link->reader);
	mem_free(link);
	events.gone(events.arg);
}

static void link_on_poll_closed(uv_handle_t *handle)
{
	link_handle_closed(container_of((uv_poll_t *)handle, struct link, poll));
}

static void link_on_curl_closed(struct curl_loop *loop)
{
	link_handle_closed(container_of(loop, struct link, curl));
}

void link_close(struct link *link)
{
	link->is_closing = true;
	if (link->stage == LINK_OPEN)
		link_say_goodbye(link, 1000);
	if (link->has_poll)
		uv_close((uv_handle_t *)&link->poll, link_on_poll_closed);
	curl_multi_remove_handle(link->curl.multi, link->easy);
	curl_easy_cleanup(link->easy);
	curl_loop_close(&link->curl, link_on_curl_closed);
}
