#ifndef SKEIN_NET_WS_WS_HANDSHAKE_H
#define SKEIN_NET_WS_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text/str.h"

/* A request to upgrade, as handlers.accept sees it. It and its strings are valid during that call. */
struct ws_handshake {
	struct str path; /* "/ws" */
	struct str address; /* the peer's, without port */
	struct str authorization; /* header; may be empty */
	bool wants_subprotocol; /* the client offered at least one */
	const void *request; /* for ws_query() */
};

#define WS_QUERY_ABSENT (-1)
#define WS_QUERY_BAD (-2) /* repeated, or too long for `out` */

/*
 * A query parameter, decoded into `out` with a terminator: valid UTF-8 without NUL (a query that cannot be decoded is
 * refused before `accept`). Returns its length, or one of the two negative values above, with `out` empty.
 */
int ws_query(const struct ws_handshake *handshake, const char *name, char *out, size_t size);

#endif
