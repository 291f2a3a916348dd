#ifndef SKEIN_BASE_ERROR_H
#define SKEIN_BASE_ERROR_H

#include "base/macros.h"

/*
 * Every error of Skein, in one table: the value that a function returns, the
 * `code` that a client reads, and the status on each protocol. The first block is
 * the public contract (section 3). The errors of the second block stay inside a
 * process; clients get the public code beside them.
 *
 *   X(name, code, HTTP status, gRPC status, WebSocket close code)
 *
 * A close code of 0 means that the error does not close a connection.
 */
#define ERROR_TABLE(X) \
	X(OK, "ok", 200, 0, 0) \
	X(ERR_INVALID_ARGUMENT, "invalid_argument", 400, 3, 0) \
	X(ERR_UNAUTHENTICATED, "unauthenticated", 401, 16, 4002) \
	X(ERR_PERMISSION_DENIED, "permission_denied", 403, 7, 0) \
	X(ERR_NOT_FRIEND, "not_friend", 403, 7, 0) \
	X(ERR_BLOCKED, "blocked", 403, 7, 0) \
	X(ERR_MUTED, "muted", 403, 7, 0) \
	X(ERR_NOT_MEMBER, "not_member", 403, 7, 0) \
	X(ERR_NOT_FOUND, "not_found", 404, 5, 0) \
	X(ERR_METHOD_NOT_ALLOWED, "method_not_allowed", 405, 12, 0) \
	X(ERR_IDEMPOTENCY_CONFLICT, "idempotency_conflict", 409, 6, 0) \
	X(ERR_ALREADY_EXISTS, "already_exists", 409, 6, 0) \
	X(ERR_FAILED_PRECONDITION, "failed_precondition", 409, 9, 0) \
	X(ERR_TOO_LARGE, "too_large", 413, 11, 1009) \
	X(ERR_REJECTED, "rejected", 422, 9, 0) \
	X(ERR_RATE_LIMITED, "rate_limited", 429, 8, 4006) \
	X(ERR_UNAVAILABLE, "unavailable", 503, 14, 1013) \
	/* inside a process */ \
	X(ERR_PROTOCOL, "invalid_argument", 400, 3, 4003) \
	X(ERR_NO_MEMORY, "unavailable", 503, 14, 1013) \
	X(ERR_FULL, "unavailable", 503, 14, 1013) \
	X(ERR_TIMEOUT, "unavailable", 503, 4, 1013) \
	X(ERR_IO, "unavailable", 503, 14, 1013) \
	X(ERR_CLOSED, "unavailable", 503, 14, 1013) \
	X(ERR_OUTCOME_UNKNOWN, "unavailable", 503, 14, 1013) \
	X(ERR_BAD_CONFIG, "unavailable", 503, 13, 1013) \
	X(ERR_INTERNAL, "unavailable", 503, 13, 1013)

/* clang-format off */
typedef enum err {
#define X(name, code, http, grpc, close) name,
	ERROR_TABLE(X)
#undef X
	ERR_COUNT
} err_t;
/* clang-format on */

/* The C name, for logs: "ERR_NOT_FOUND". */
const char *err_name(err_t err);

/* The stable public code: "not_found". */
const char *err_code(err_t err);

int err_http_status(err_t err);
int err_grpc_status(err_t err);
int err_close_code(err_t err);

/* The first error of the table with that public code; ERR_INTERNAL for an unknown code. */
err_t err_from_code(const char *code);

/* The error for a gRPC status of another service. */
err_t err_from_grpc_status(int status);

#endif
