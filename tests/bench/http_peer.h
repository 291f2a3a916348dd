#ifndef SKEIN_BENCH_HTTP_PEER_H
#define SKEIN_BENCH_HTTP_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "tests/bench/loop.h"

/* A keep-alive connection that has one request under way at most. */
struct http_peer {
	struct watch watch;
	const char *host;
	int port;
	struct buf out, in;
	size_t sent;
	bool is_busy;
	/* The answer came: its status and body. 0 when the connection was lost instead. */
	void (*answered)(struct http_peer *peer, int status, struct str body);
	bool survives; /* a refused connection is an answer of 0, not the end of the tool; http_peer_is_open() tells */
	uint64_t tag; /* the caller's */
	void *arg;
};

void http_peer_open(struct http_peer *peer, const char *host, int port);
static inline bool http_peer_is_open(const struct http_peer *peer)
{
	return peer->watch.fd >= 0;
}

/* An empty body is none. */
void http_peer_call(struct http_peer *peer, const char *method, const char *path, struct str token, struct str body);
void http_peer_post(struct http_peer *peer, const char *path, struct str token, struct str body);
void http_peer_close(struct http_peer *peer);

void http_peer_get(struct http_peer *peer, const char *path, struct str token);

/* One call, waited for: its status; the body goes to `answer` unless that is NULL. */
int http_get_now(const char *host, int port, const char *path, struct str token, struct buf *answer);
int http_post_now(const char *host, int port, const char *path, struct str token, struct str body, struct buf *answer);

#endif
