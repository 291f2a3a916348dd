#ifndef SKEIN_NET_WS_WS_REQUEST_H
#define SKEIN_NET_WS_WS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/str.h"
#include "net/http/http_uri.h"

/*
 * The head of an HTTP request to upgrade to WebSocket, from the request line to the empty line. Parsed strictly (RFC 9112:
 * CRLF, no folded lines, no control characters, no repeated field that may stand once), because its sender is not
 * authenticated yet. Strings point into the head, or into `decoded`. Pure.
 */

#define WS_REQUEST_MAX_QUERY_FIELDS 32
#define WS_REQUEST_MAX_OFFERS 8 /* Sec-WebSocket-Protocol lines */

struct ws_request {
	struct str method;
	struct str path;
	struct str authorization;
	struct str key;
	struct str version;
	struct str offers[WS_REQUEST_MAX_OFFERS];
	unsigned offer_count;
	struct uri_field query[WS_REQUEST_MAX_QUERY_FIELDS];
	int query_count;
	struct buf decoded;
	struct str host;
	bool connection_upgrades; /* Connection: upgrade */
	bool upgrades_to_websocket; /* Upgrade: websocket */
	bool has_body;
};

/* ERR_INVALID_ARGUMENT with `*detail`, a sentence for the client. Release it in either case. */
err_t ws_request_parse(struct ws_request *out, struct str head, const char **detail) MUST_CHECK;
void ws_request_release(struct ws_request *request);

/* Whether it is a WebSocket handshake of version 13: RFC 6455 section 4.2.1. */
err_t ws_request_check_upgrade(const struct ws_request *request, const char **detail) MUST_CHECK;

#define WS_PROOF_SIZE 29

/* The value of Sec-WebSocket-Accept, with its terminator: it proves that the server has read the key. */
void ws_request_prove(const struct ws_request *request, char out[WS_PROOF_SIZE]);

/* The first of the offered subprotocols that is among `names`; false if there is none. */
bool ws_request_pick(const struct ws_request *request, const char *const *names, size_t count, unsigned *index);

#endif
