#ifndef SKEIN_GATEWAY_WIRE_HANDSHAKE_H
#define SKEIN_GATEWAY_WIRE_HANDSHAKE_H

#include "base/error.h"
#include "net/jwt.h"
#include "net/ws/ws_server.h"

/* Token and parameters of a client's request for a connection: contract section 4. */

struct handshake {
	struct jwt_claims claims;
	char device[65];
	char platform[16];
	bool never_acks; /* ack=0 */
	bool has_position; /* epoch and offset were given */
	uint64_t epoch; /* 0: not an epoch of any inbox */
	uint64_t offset;
};

/*
 * ERR_UNAUTHENTICATED: no valid token; the reason is logged, not told. ERR_INVALID_ARGUMENT: `*detail` is a sentence that
 * names the parameter.
 */
err_t handshake_read(struct handshake *out, const struct ws_handshake *request, struct jwt_keys *keys,
                     const char **detail) MUST_CHECK;

#endif
