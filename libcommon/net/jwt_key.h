#ifndef SKEIN_NET_JWT_KEY_H
#define SKEIN_NET_JWT_KEY_H

#include <openssl/types.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * A key for the signatures of tokens (RFC 7515). The algorithm belongs to the key: what a token says never decides how its
 * signature is verified. HS256 has a secret. The others have a pair, of which the public half verifies and the private half
 * signs; most keys come without the private half (jwk.h).
 *
 * A key does not change once it is made. Thread: any, also several at once.
 */
enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_ES256, JWT_EDDSA };

#define JWT_KID_MAX_BYTES 128

struct jwt_key {
	enum jwt_algorithm algorithm;
	char kid[JWT_KID_MAX_BYTES + 1]; /* "": none */
	bool can_sign;

	/* private: one of them is set. OpenSSL's lookup of HMAC costs more than the hash, so its context is made once
	 * and copied. */
	EVP_MAC_CTX *keyed;
	EVP_PKEY *pair;
};

#define JWT_SECRET_MIN_BYTES 16

/* The key of a secret. ERR_BAD_CONFIG if it is too short, ERR_INTERNAL if OpenSSL has no HMAC; `why` then gets a literal. */
err_t jwt_key_of_secret(struct jwt_key *key, struct str secret, const char **why) MUST_CHECK;
void jwt_key_release(struct jwt_key *key);

/* "RS256" */
struct str jwt_algorithm_name(enum jwt_algorithm algorithm);

/* `signature` is as in a JWS, not in base64. */
bool jwt_key_verify(const struct jwt_key *key, struct str text, struct str signature);

/* Appends the signature. False, with nothing appended, if the key cannot sign or OpenSSL is out of memory. */
bool jwt_key_sign(const struct jwt_key *key, struct str text, struct buf *signature) MUST_CHECK;

#endif
