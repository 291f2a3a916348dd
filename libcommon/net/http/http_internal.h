#ifndef SKEIN_NET_HTTP_HTTP_INTERNAL_H
#define SKEIN_NET_HTTP_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "base/list.h"
#include "base/telemetry/metrics.h"
#include "net/http/http_routes.h"
#include "net/http/http_uri.h"

/*
 * The state behind http_request.h: a request, and the state that the connections of one server share. http_connection.c moves a
 * request from state to state until its handler runs; http_request.c answers it. No other file includes this header but
 * http_server.c, which owns a struct http_connections.
 */

#define HTTP_MAX_QUERY_FIELDS 32
#define HTTP_REQUEST_ID_MAX 64

enum http_phase {
	HTTP_SERVING,
	HTTP_DRAINING, /* no new connections; the next answer on each is its last */
	HTTP_REFUSING, /* the same, and new requests are answered 503 */
	HTTP_CLOSING,
	HTTP_CLOSED,
};

struct http_connections {
	/* Set by the server before the first connection. */
	const struct http_routes *routes;
	size_t max_body;
	unsigned max_pending; /* 0: no cap */
	uint64_t idle_timeout_ms;
	struct gauge *connection_gauge, *pending_gauge; /* may be NULL */
	void (*finished)(const struct http_request *request, int status, uint64_t duration_us, void *arg); /* may be NULL */
	void *arg; /* for handlers and `finished` */

	enum http_phase phase;
	struct list waiting; /* requests that wait for bytes of the client, the longest wait first */
	unsigned count; /* open connections */
	unsigned pending; /* requests whose handler has not answered */
	unsigned answering; /* answers that are not sent yet */
	bool has_answers; /* libmicrohttpd has not looked at some of them */
	uint64_t now_ms; /* as of this turn of the loop */
	char id_prefix[13]; /* of generated request ids */
	uint64_t next_id;
};

enum http_state {
	HTTP_WAITING, /* for the first line of a request */
	HTTP_HEAD, /* the first line came */
	HTTP_BODY, /* all headers came */
	HTTP_HANDLING, /* inside the handler */
	HTTP_SLEEPING, /* the handler returned without an answer: suspended in libmicrohttpd */
	HTTP_ANSWERED, /* the answer is being sent */
};

/*
 * A connection and the request that it carries. A connection carries one request at a time, so both live in the same
 * memory. From WAITING to BODY it is in `waiting` of its server, in the order in which the deadlines come.
 */
struct http_request {
	struct http_connections *server;
	struct MHD_Connection *conn;
	struct list link;
	uint64_t waiting_since_ms;
	enum http_state state;
	char address[INET6_ADDRSTRLEN];

	/* Of one request, reset after its answer. */
	uint64_t whole_since_us;
	struct buf target; /* of the request line, not decoded */
	struct str method, path, query; /* method: libmicrohttpd's memory, the others point into target */
	struct http_match match;
	struct uri_field fields[HTTP_MAX_QUERY_FIELDS];
	int field_count;
	struct buf decoded; /* match.params and fields point into it, or into `target` */
	struct buf body;
	size_t discarded; /* bytes of a body that was too large */
	struct buf headers; /* to send: name, NUL, value, NUL, ... */
	unsigned retry_after_s;
	char id[HTTP_REQUEST_ID_MAX + 1];
	void *context;
};

#endif
