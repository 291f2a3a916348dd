#ifndef SKEIN_NET_JWT_H
#define SKEIN_NET_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/buf.h"
#include "base/text/str.h"
#include "net/jwt_keys.h"

/* JSON Web Tokens in compact form (contract section 5), signed by one of the keys of jwt_keys.h. Thread: any. */

#define JWT_MAX_BYTES 4096

/*
 * A token belongs to a family: it was refreshed from another one of it, or it is the first. Logout ends the whole family, so a
 * token's id is that of its family: the first bytes of the SHA-256 of uid, '\n' and family.
 */
#define JWT_TOKEN_ID_BYTES 16

struct jwt_claims {
	char uid[65]; /* sub */
	uint64_t expires_ms; /* exp */
	uint64_t issued_ms; /* iat; 0 if absent */
	bool is_admin; /* "admin" is among the space-separated scopes */
	char id[65]; /* jti; "" if absent or longer */
	/*
	 * sid; without one the token is the first of the family that its jti names, and without that one too, of a family of its
	 * own, named by a hash of the token's signed part. A name over 64 bytes is replaced by its hash.
	 */
	char family[65];
	uint64_t family_issued_ms; /* the first token's iat (claim sid_iat), or this one's if that is earlier; 0: no iat */
	uint64_t family_expires_ms; /* the latest exp in the family up to this token (claim sid_exp) */
	unsigned char token_id[JWT_TOKEN_ID_BYTES]; /* set by jwt_verify() */
};

/*
 * ERR_UNAUTHENTICATED if anything is wrong with the token. `why` (may be NULL) then gets a literal that names the fault. It is
 * for the log: a client must not learn it.
 */
err_t jwt_verify(struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims, const char **why) MUST_CHECK;

/*
 * Appends a token, or fails as jwt_keys_sign(). `scope` is the claim as it is to be; with an empty one it is "admin" if
 * is_admin is set. The claims of the family are written if it has a name here.
 */
err_t jwt_sign(struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out) MUST_CHECK;
err_t jwt_sign_scoped(struct jwt_keys *keys, const struct jwt_claims *claims, struct str scope, struct buf *out) MUST_CHECK;

/* Appends the claim `scope` of a token that was verified; nothing if it has none. */
void jwt_read_scope(struct str token, struct buf *out);

/* The token of "Bearer TOKEN", with the scheme in any case; empty for any other header. */
struct str jwt_from_authorization(struct str header);

#endif
