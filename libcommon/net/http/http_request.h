#ifndef SKEIN_NET_HTTP_HTTP_REQUEST_H
#define SKEIN_NET_HTTP_HTTP_REQUEST_H

#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * A request as its handler sees it, and its answer. A request lives until it is answered, and so do the strings that these
 * functions return. Every request is answered exactly once, inside its handler or at any time later. Thread: the worker's.
 */

struct http_request;

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
void http_set_retry_after(struct http_request *request, unsigned seconds); /* for 429 and 503; 1 otherwise */

/*
 * Answers with a body, whose memory is taken over (`body` is empty afterwards); NULL for no body. The request must not be
 * used after it. problem.h has the answers that report an error.
 */
void http_respond_json(struct http_request *request, int status, struct buf *body);
void http_respond_text(struct http_request *request, int status, const char *content_type, struct buf *body);

#endif
