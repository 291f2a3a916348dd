#include "tests/bench/http_peer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define READ_CHUNK 16384

static void lose(struct http_peer *peer)
{
	bool was_busy = peer->is_busy;

	loop_remove(&peer->watch);
	buf_clear(&peer->in);
	buf_clear(&peer->out);
	peer->sent = 0;
	peer->is_busy = false;
	if (!peer->survives)
		http_peer_open(peer, peer->host, peer->port);
	if (was_busy)
		peer->answered(peer, 0, (struct str){ 0 });
}

static void flush(struct http_peer *peer)
{
	while (peer->sent < peer->out.len) {
		ssize_t n = send(peer->watch.fd, peer->out.ptr + peer->sent, peer->out.len - peer->sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (peer->survives && errno != EAGAIN)
				return; /* a read reports the error, too */
			if (errno != EAGAIN && errno != ENOTCONN)
				fail("send to %s:%d: %s", peer->host, peer->port, strerror(errno));
			loop_want_write(&peer->watch, true);
			return;
		}
		peer->sent += (size_t)n;
	}
	loop_want_write(&peer->watch, false);
}

static struct str header(struct str head, const char *name)
{
	for (struct str line = str_cut(&head, '\n'); head.ptr; line = str_cut(&head, '\n')) {
		size_t len = strlen(name);

		if (line.len > len && strncasecmp(line.ptr, name, len) == 0 && line.ptr[len] == ':') {
			struct str value = str_of(line.ptr + len + 1, line.len - len - 1);
			while (value.len && *value.ptr == ' ')
				value = str_of(value.ptr + 1, value.len - 1);
			while (value.len && value.ptr[value.len - 1] == '\r')
				value.len--;
			return value;
		}
	}
	return (struct str){ 0 };
}

/* Hands over a whole answer; false while it is not there. */
static bool take_answer(struct http_peer *peer)
{
	const char *end = memmem(peer->in.ptr, peer->in.len, "\r\n\r\n", 4);
	uint64_t length = 0;

	if (!end)
		return false;
	size_t head = (size_t)(end - peer->in.ptr) + 4;
	(void)str_to_u64(header(str_of(peer->in.ptr, head), "content-length"), &length);
	if (peer->in.len < head + length)
		return false;
	int status = (peer->in.ptr[9] - '0') * 100 + (peer->in.ptr[10] - '0') * 10 + peer->in.ptr[11] - '0';
	peer->is_busy = false;
	struct buf answer = peer->in;
	peer->in = (struct buf){ 0 };
	peer->answered(peer, status, str_of(answer.ptr + head, length));
	if (peer->in.ptr) {
		buf_release(&answer);
	} else { /* keep the memory */
		peer->in = answer;
		buf_clear(&peer->in);
	}
	return true;
}

static void on_ready(struct watch *watch, bool can_read, bool can_write)
{
	struct http_peer *peer = container_of(watch, struct http_peer, watch);

	if (can_write)
		flush(peer);
	if (!can_read)
		return;
	ssize_t n = recv(watch->fd, buf_reserve(&peer->in, READ_CHUNK), READ_CHUNK, 0);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			lose(peer);
		return;
	}
	peer->in.len += (size_t)n;
	take_answer(peer);
}

void http_peer_open(struct http_peer *peer, const char *host, int port)
{
	peer->host = host;
	peer->port = port;
	peer->watch = (struct watch){ .fd = peer->survives ? loop_try_connect(host, port, 0) : loop_connect(host, port, 0),
		                      .ready = on_ready };
	if (peer->watch.fd >= 0)
		loop_add(&peer->watch);
}

void http_peer_call(struct http_peer *peer, const char *method, const char *path, struct str token, struct str body)
{
	buf_clear(&peer->out);
	peer->sent = 0;
	peer->is_busy = true;
	buf_printf(&peer->out, "%s %s HTTP/1.1\r\nHost: skein\r\nAuthorization: Bearer ", method, path);
	buf_append_str(&peer->out, token);
	if (body.len) {
		buf_append_text(&peer->out, "\r\nContent-Type: application/json\r\nContent-Length: ");
		buf_append_u64(&peer->out, body.len);
	}
	buf_append_text(&peer->out, "\r\n\r\n");
	buf_append_str(&peer->out, body);
	flush(peer);
}

void http_peer_post(struct http_peer *peer, const char *path, struct str token, struct str body)
{
	http_peer_call(peer, "POST", path, token, body);
}

void http_peer_close(struct http_peer *peer)
{
	loop_remove(&peer->watch);
	buf_release(&peer->in);
	buf_release(&peer->out);
}

void http_peer_get(struct http_peer *peer, const char *path, struct str token)
{
	http_peer_call(peer, "GET", path, token, STR(""));
}

struct single {
	struct buf *answer;
	int status;
	bool is_done;
};

static void on_single(struct http_peer *peer, int status, struct str body)
{
	struct single *single = peer->arg;

	single->status = status;
	single->is_done = true;
	if (single->answer)
		buf_append_str(single->answer, body);
}

static bool is_single_done(void *arg)
{
	return ((struct single *)arg)->is_done;
}

static int http_wait(struct http_peer *peer, struct single *single)
{
	loop_run(now_us() + 15000000, NULL, is_single_done, single);
	http_peer_close(peer);
	return single->status;
}

int http_post_now(const char *host, int port, const char *path, struct str token, struct str body, struct buf *answer)
{
	struct single single = { .answer = answer };
	struct http_peer peer = { .answered = on_single, .arg = &single };

	http_peer_open(&peer, host, port);
	http_peer_post(&peer, path, token, body);
	return http_wait(&peer, &single);
}

int http_get_now(const char *host, int port, const char *path, struct str token, struct buf *answer)
{
	struct single single = { .answer = answer };
	struct http_peer peer = { .answered = on_single, .arg = &single };

	http_peer_open(&peer, host, port);
	http_peer_get(&peer, path, token);
	return http_wait(&peer, &single);
}
