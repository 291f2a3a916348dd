#ifndef SKEIN_NET_HTTP_HTTP_SERVER_H
#define SKEIN_NET_HTTP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/telemetry/metrics.h"
#include "loop/worker.h"
#include "net/http/http_request.h"
#include "net/http/http_routes.h"
#include "net/http/problem.h"

/*
 * An HTTP/1.1 server on libmicrohttpd: one daemon per worker, its epoll fd in the worker's loop. The one header that a
 * service includes: routes, requests and problems come with it.
 *
 * A handler runs once the whole request has arrived, and answers at once or later; the connection sleeps in between. The
 * server does not notice a client that goes away while its request waits for an answer.
 *
 * Done here for every service alike: routes with {parameters}, 404 and 405 (with Allow), limits on body and headers (413,
 * 431), deadlines for slow clients, caps on connections, X-Request-Id (the caller's if it has 1-64 printable characters, else
 * a new one), problem documents. libmicrohttpd itself refuses input that is not HTTP (a malformed request line, headers over
 * its 24 KiB), with a page of its own. Thread: the worker's.
 */

struct http_server;

struct http_server_options {
	const char *listen; /* "127.0.0.1:8080", "[::1]:0" */
	bool shares_port; /* several workers listen there (SO_REUSEPORT, see listener.h) */
	size_t max_body; /* bytes */
	unsigned max_connections; /* of this worker */
	unsigned max_connections_per_address; /* of this worker; 0: no cap */
	unsigned max_pending; /* requests whose handler has not answered; further ones get 503; 0: no cap */
	struct gauge *connection_gauge, *pending_gauge; /* count both over all workers; may be NULL */
	/*
	 * At least 1; exact to a second. A client is dropped if it is silent for this time, if the first line of its request
	 * takes longer (counted from the connection's start or the last answer), or if the rest of the request does.
	 */
	unsigned idle_timeout_s;
	const struct http_route *routes; /* lives as long as the server */
	size_t route_count;
	void *arg; /* given to handlers */
	/*
	 * Called when an answer was given, for metrics and the access log; may be NULL. The duration counts from the moment
	 * in which the request was whole; it is 0 for a request that was refused earlier.
	 */
	void (*finished)(const struct http_request *request, int status, uint64_t duration_us, void *arg);
};

/* ERR_IO or ERR_BAD_CONFIG with a logged sentence if it cannot listen. */
err_t http_server_new(struct http_server **out, struct worker *worker,
                      const struct http_server_options *options) MUST_CHECK;

/* The port it listens on; for port 0 the one that the kernel picked. */
uint16_t http_server_port(const struct http_server *server);

/* No new connections. Requests under way are served; the next answer on each connection is its last. */
void http_server_stop_listening(struct http_server *server);

/* Stops listening, and calls no handler any more: further requests on open connections get 503. */
void http_server_refuse(struct http_server *server);

/* Requests that wait for an answer. */
unsigned http_server_pending(const struct http_server *server);

/* All requests must have been answered. Answers get two seconds to be sent. `closed` is called on a later turn of the loop. */
void http_server_close(struct http_server *server, void (*closed)(void *arg), void *arg);

#endif
