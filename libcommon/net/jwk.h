#ifndef SKEIN_NET_JWK_H
#define SKEIN_NET_JWK_H

#include "base/text/json.h"
#include "net/jwt_key.h"

/*
 * Keys as JSON (RFC 7517, 7518, 8037):
 *
 *   {"kty":"RSA", "n", "e"}                RS256, 2,048 to 8,192 bits
 *   {"kty":"EC", "crv":"P-256", "x", "y"}  ES256
 *   {"kty":"OKP", "crv":"Ed25519", "x"}    EdDSA
 *   {"kty":"oct", "k"}                     HS256, at least 16 bytes
 *
 * with "kid", "alg" and "use" as the issuer wishes. With "d" (RSA: and the rest of the private half, if it is there) the key
 * signs too. "alg" has to be the algorithm above.
 */

/*
 * False if this is no key for tokens, or a broken one; `why` then gets a literal, and nothing has to be released. A private
 * half that does not belong to the public one is an error too.
 */
bool jwk_read(const json_t *jwk, struct jwt_key *key, const char **why) MUST_CHECK;

#endif
