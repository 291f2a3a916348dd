#ifndef SKEIN_NET_HTTP_PROBLEM_H
#define SKEIN_NET_HTTP_PROBLEM_H

#include "base/error.h"
#include "base/text/buf.h"

/*
 * Problem documents (RFC 9457, contract section 3): {type, title, status, code, detail, field?, instance}. `detail` is one
 * sentence for the caller or NULL; `field` names the bad field and may be NULL or "".
 */

struct http_request;

/*
 * Answers a request with one. A 401 carries WWW-Authenticate: Bearer; a 503 and a 429 carry Retry-After (1 second unless
 * http_set_retry_after()). The request must not be used after it.
 */
void http_respond_problem(struct http_request *request, err_t err, const char *field, const char *detail);

/* The same under a status other than the error's own (431). */
void http_respond_problem_as(struct http_request *request, err_t err, int status, const char *field, const char *detail);

/* The document alone, without `instance`: for batch answers, and for servers that write their own HTTP. */
void http_write_problem(struct buf *out, err_t err, const char *field, const char *detail);

#endif
