#ifndef SKEIN_NET_HTTP_HTTP_SERVER_H
#define SKEIN_NET_HTTP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/telemetry/metrics.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * An HTTP/1.1 server on libmicrohttpd, one daemon per worker, its epoll fd in
 * the worker's loop. A handler runs once the whole request is there and may
 * answer at once or later (the connection sleeps meanwhile); every request is
 * answered exactly once. A client that goes away meanwhile is noticed when the
 * answer is written, not before.
 *
 * Done here, for every service alike: routes with {parameters}, 404 and 405
 * (with Allow), body and header limits (413, 431), time-outs of slow clients,
 * caps on connections, X-Request-Id (the caller's if it is 1-64 printable
 * characters, else a new one), problem documents. What is not HTTP at all
 * (a malformed request line, headers that outgrow its 24 KiB) libmicrohttpd
 * refuses itself, with a page of its own. Thread: the worker's.
 */

struct http_server;
struct http_request;

typedef void (*http_handler)(struct http_request *request, void *arg);

/*
 * One row of a service's table. Where several routes match a request, the first in the table wins. GET serves HEAD too.
 * A path that only other methods have is answered 405.
 *
 * `call` is the service's own and opaque here: a service whose endpoints share one dispatcher points `handle` to it and
 * `call` to what describes the endpoint; the dispatcher finds it by http_request_call(). NULL where it is not needed.
 */
struct http_route {
	const char *method; /* "POST" */
	const char *path; /* "/v1/groups/{gid}/members/{uid}": a parameter is one segment, decoded, not empty; at most
	                     12 segments */
	http_handler handle;
	const void *call;
};

struct http_server_options {
	const char *listen; /* "127.0.0.1:8080", "[::1]:0" */
	bool shares_port; /* several workers listen there (SO_REUSEPORT, see listener.h) */
	size_t max_body; /* bytes */
	unsigned max_connections; /* of this worker, as the next one */
	unsigned max_connections_per_address; /* 0: no cap */
	unsigned max_pending; /* requests whose handler owes an answer; 503 to what is over; 0: no cap */
	struct gauge *connection_gauge, *pending_gauge; /* of those, over all workers; may be NULL */
	/*
	 * At least 1; kept to within a second. The longest silence of a client, and
	 * the time in which the first line of a request must come (counted from the
	 * connection's start or the last answer), and then the rest of it.
	 */
	unsigned idle_timeout_s;
	const struct http_route *routes; /* lives as long as the server */
	size_t route_count;
	void *arg; /* given to handlers */
	/*
	 * Called when an answer was handed over, for metrics and the access log; may be NULL. The duration counts from
	 * when the request was whole, and is 0 for one that was refused before.
	 */
	void (*finished)(const struct http_request *request, int status, uint64_t duration_us, void *arg);
};

/* ERR_IO or ERR_BAD_CONFIG with a logged sentence if it cannot listen. */
err_t http_server_new(struct http_server **out, struct worker *worker,
                      const struct http_server_options *options) MUST_CHECK;

/* The port it listens on: what the kernel chose for port 0. */
uint16_t http_server_port(const struct http_server *server);

/* No new connections; what is in progress goes on, and the next answer on a connection is its last. */
void http_server_stop_listening(struct http_server *server);

/* Requests that have no answer yet. */
unsigned http_server_pending(const struct http_server *server);

/* All requests must have been answered; answers on their way get two seconds. `closed` on a later turn. */
void http_server_close(struct http_server *server, void (*closed)(void *arg), void *arg);

/* The request lives until it is answered. Strings live as long. */
struct str http_request_method(const struct http_request *request);
struct str http_request_path(const struct http_request *request); /* not decoded */
struct str http_request_route(const struct http_request *request); /* the pattern that matched, or empty */
const void *http_request_call(const struct http_request *request); /* the `call` of the route that matched, or NULL */
struct str http_request_body(const struct http_request *request);
struct str http_request_id(const struct http_request *request);
struct str http_request_header(const struct http_request *request, const char *name);
struct str http_request_param(const struct http_request *request, unsigned index); /* in the order of the pattern */
struct str http_request_query(const struct http_request *request, const char *name); /* the first; ptr NULL if absent */
struct str http_request_address(const struct http_request *request); /* the peer's, without port */

/* A place for the handler to keep its own. */
void http_request_set_context(struct http_request *request, void *context);
void *http_request_context(const struct http_request *request);

/* Before the answer. Copied; without control characters. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/*
 * Answers with a JSON body, whose memory is taken over (`body` is empty afterwards); NULL for no body. The request is
 * not to be used any more. Thread: the worker's, inside the handler or at any time later.
 */
void http_respond_json(struct http_request *request, int status, struct buf *body);
void http_respond_text(struct http_request *request, int status, const char *content_type, struct buf *body);

/*
 * Answers application/problem+json: {type, title, status, code, detail, field?,
 * instance}. `detail` is one sentence for the caller or NULL; `field` may be NULL
 * or "". A 401 carries WWW-Authenticate: Bearer; whatever is answered 503 or 429,
 * Retry-After (1 second unless http_set_retry_after()).
 */
void http_respond_problem(struct http_request *request, err_t err, const char *field, const char *detail);
void http_set_retry_after(struct http_request *request, unsigned seconds);

/* The same document into a buffer, for batch answers. */
void http_write_problem(struct buf *out, err_t err, const char *field, const char *detail);

#endif
