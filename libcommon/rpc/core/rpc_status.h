#ifndef SKEIN_RPC_CORE_RPC_STATUS_H
#define SKEIN_RPC_CORE_RPC_STATUS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text/str.h"

/*
 * Inside rpc/ only: how an error travels. The gRPC status is what any client
 * understands; the trailing metadata `skein-error` carries the public code, so
 * that another Skein process gets the same err_t back (NOT_FRIEND and BLOCKED
 * are one and the same gRPC status). `traceparent` goes along as it is.
 */

#define RPC_ERROR_KEY "skein-error"
#define RPC_TRACEPARENT_KEY "traceparent"

/* In the initial metadata of an accepted stream: without it, a call that is refused at once would look accepted. */
#define RPC_STREAM_KEY "skein-stream"

/* What a client makes of a finished call; `code` is the `skein-error` or empty. */
err_t rpc_status_error(int grpc_status, struct str code);

/* The longest detail that leaves or enters a process. */
#define RPC_DETAIL_MAX 256

/* `text` in printable ASCII, the rest as \xNN, cut at the limit; with a terminator. */
void rpc_detail_escape(char out[RPC_DETAIL_MAX + 1], struct str text);

/* The form of W3C trace context, version 00: anything else is not passed on. */
bool rpc_traceparent_is_valid(struct str text);

#endif
