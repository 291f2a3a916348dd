#ifndef SKEIN_RPC_CORE_RPC_STATUS_H
#define SKEIN_RPC_CORE_RPC_STATUS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text/str.h"

/*
 * Errors on the wire. The gRPC status is for any client. The trailing metadata
 * `skein-error` carries the public code, so that another Skein process gets the
 * same err_t back: several errors (NOT_FRIEND, BLOCKED ...) share one status.
 */

#define RPC_ERROR_KEY "skein-error"
#define RPC_TRACEPARENT_KEY "traceparent"

/* In the initial metadata of an accepted stream. The headers of a call that is refused at once lack it. */
#define RPC_STREAM_KEY "skein-stream"

/* The error of a finished call; `code` is the value of `skein-error`, or empty. */
err_t rpc_status_error(int grpc_status, struct str code);

/* The longest detail, in bytes, that is sent or passed to a caller. */
#define RPC_DETAIL_MAX 256

/* Copies `text`, other bytes than printable ASCII as \xNN, cut at the limit, with a terminator. */
void rpc_detail_escape(char out[RPC_DETAIL_MAX + 1], struct str text);

/* Whether `text` is a traceparent of W3C trace context, version 00. Others are not passed on. */
bool rpc_traceparent_is_valid(struct str text);

#endif
