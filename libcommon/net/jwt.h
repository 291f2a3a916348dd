#ifndef SKEIN_NET_JWT_H
#define SKEIN_NET_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/str.h"

/*
 * JSON Web Tokens in compact form (contract section 5). The algorithm belongs
 * to the key: a token that names another one is refused. Immutable after
 * jwt_keys_new(), so any thread may verify.
 */

#define JWT_MAX_BYTES 4096

struct jwt_keys;

/* HS256 with the bytes of `secret` (at least 16). */
err_t jwt_keys_new(struct jwt_keys **out, struct str secret) MUST_CHECK;
void jwt_keys_free(struct jwt_keys *keys);

/*
 * What tells one token from all others: the start of the SHA-256 of what is signed. Not of the signature, which some
 * algorithms let anybody write in several ways. `token` was verified.
 */
#define JWT_TOKEN_ID_BYTES 16
void jwt_token_id(struct str token, unsigned char id[JWT_TOKEN_ID_BYTES]);

struct jwt_claims {
	char uid[65]; /* sub */
	uint64_t expires_ms; /* exp */
	uint64_t issued_ms; /* iat; 0 if absent */
	bool is_admin; /* scope "admin" among the space-separated scopes */
	char id[65]; /* jti; "" if absent or longer */
};

/* ERR_UNAUTHENTICATED for whatever is wrong; `why` (may be NULL) gets a literal for the log, never for the caller. */
err_t jwt_verify(const struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                 const char **why) MUST_CHECK;

/* Appends a token. */
void jwt_sign(const struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out);

/* The token of "Bearer <token>", any case of the scheme; empty otherwise. */
struct str jwt_from_authorization(struct str header);

#endif
