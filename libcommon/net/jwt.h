#ifndef SKEIN_NET_JWT_H
#define SKEIN_NET_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/str.h"

/*
 * JSON Web Tokens in compact form (contract section 5), signed with HS256. The
 * algorithm belongs to the key: a token that names another algorithm is refused.
 * The keys do not change after jwt_keys_new(). Thread: any.
 */

#define JWT_MAX_BYTES 4096

struct jwt_keys;

/* The secret has at least 16 bytes; a shorter one is ERR_BAD_CONFIG, logged. */
err_t jwt_keys_new(struct jwt_keys **out, struct str secret) MUST_CHECK;
void jwt_keys_free(struct jwt_keys *keys);

/*
 * Identifies a token: the first bytes of the SHA-256 of its signed part. The signature is left out, because with some
 * algorithms one signature can be written in several ways. `token` was verified before.
 */
#define JWT_TOKEN_ID_BYTES 16
void jwt_token_id(struct str token, unsigned char id[JWT_TOKEN_ID_BYTES]);

struct jwt_claims {
	char uid[65]; /* sub */
	uint64_t expires_ms; /* exp */
	uint64_t issued_ms; /* iat; 0 if absent */
	bool is_admin; /* "admin" is among the space-separated scopes */
	char id[65]; /* jti; "" if absent or longer */
};

/*
 * ERR_UNAUTHENTICATED if anything is wrong with the token. `why` (may be NULL) then gets a literal that names the fault. It is
 * for the log: a client must not learn it.
 */
err_t jwt_verify(const struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                 const char **why) MUST_CHECK;

/* Appends a token; nothing if OpenSSL is out of memory, which is logged. */
void jwt_sign(const struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out);

/* The token of "Bearer TOKEN", with the scheme in any case; empty for any other header. */
struct str jwt_from_authorization(struct str header);

#endif
