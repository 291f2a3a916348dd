#ifndef SKEIN_NET_HTTP_HTTP_ROUTES_H
#define SKEIN_NET_HTTP_HTTP_ROUTES_H

#include <stddef.h>

#include "base/error.h"
#include "base/text/buf.h"

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

/*
 * The table prepared for lookup: a scan that skips nearly every route by its number of segments or its literal beginning.
 * Immutable once made. Thread: any.
 */

#define ROUTE_MAX_SEGMENTS 12

struct http_routes;

struct http_match {
	const struct http_route *route;
	struct str params[ROUTE_MAX_SEGMENTS]; /* as they stand in the path, not decoded, never empty */
	unsigned param_count;
};

/* The table must outlive it. A pattern that is malformed is a bug: it asserts. */
struct http_routes *http_routes_new(const struct http_route *table, size_t count);
void http_routes_free(struct http_routes *routes);

/* OK, ERR_NOT_FOUND (no pattern matches the path) or ERR_METHOD_NOT_ALLOWED. */
err_t http_routes_find(const struct http_routes *routes, struct str method, struct str path,
                       struct http_match *match) MUST_CHECK;

/* Appends the methods that the path has: "GET, HEAD, POST". */
void http_routes_allowed(const struct http_routes *routes, struct str path, struct buf *out);

/* The name of a pattern's parameter: "uid" of "/v1/users/{uid}". */
struct str http_route_param_name(const struct http_route *route, unsigned index);

#endif
