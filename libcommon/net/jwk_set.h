#ifndef SKEIN_NET_JWK_SET_H
#define SKEIN_NET_JWK_SET_H

#include "net/jwt_key.h"

/* The keys of a JWK set (RFC 7517 section 5) that are for tokens, in its order. It does not change once it is read. */
struct jwk_set {
	struct jwt_key *keys;
	size_t count;
};

#define JWK_SET_MAX 32
#define JWK_SET_UNNAMED_MAX 4 /* keys without a kid: each is tried with a token that names no key */

/*
 * Reads {"keys": [...]}. A key that is not for tokens, or broken, is left out, and logged with its kid; `path` is for the log.
 * NULL, or a literal that names the fault: no JWK set, keys of which none is for tokens, more than JWK_SET_MAX, more than
 * JWK_SET_UNNAMED_MAX without a kid, or two with one kid. Then the set is empty. A set without any key is none of these.
 */
const char *jwk_set_read(struct jwk_set *set, struct str text, const char *path) MUST_CHECK;
void jwk_set_release(struct jwk_set *set);

#endif
