#ifndef SKEIN_NET_JWT_KEYS_H
#define SKEIN_NET_JWT_KEYS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text/buf.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * The keys of a process for tokens (contract section 5): a secret, and those of a file, a JWK set (RFC 7517):
 *
 *   {"keys": [{"kty":"OKP", "crv":"Ed25519", "kid":"2026-12", "x":"..."}, ...]}
 *
 * A token is verified by the key that its `kid` names and whose algorithm it names. Keys without a kid, and the secret, are for
 * the tokens whose kid is unknown here, or that have none. A token without a kid also finds a key that has one, if that is the
 * only key of its algorithm in the file.
 *
 * jwt_keys_watch() reads the file again when it has changed, so that keys are added and removed without a restart. A file that
 * cannot be used is logged, and the keys stay as they were; one that could not be read is tried again. A file without any key,
 * {"keys": []}, is fine beside a secret. A JWK in it that is no key for tokens is skipped, and logged.
 *
 * Thread: any, except where it says otherwise.
 */
struct jwt_keys;

/*
 * `secret` or `path` may be empty. Logged, and ERR_BAD_CONFIG: both are, the secret is shorter than 16 bytes, or the file
 * cannot be used: it is missing, has over 256 KiB, or is no set that jwk_set_read() takes.
 */
err_t jwt_keys_new(struct jwt_keys **out, struct str secret, const char *path) MUST_CHECK;
void jwt_keys_free(struct jwt_keys *keys);

/* Looks at the file every second, until jwt_keys_unwatch(). Without a file they do nothing. Thread: the worker's. */
void jwt_keys_watch(struct jwt_keys *keys, struct worker *worker);
void jwt_keys_unwatch(struct jwt_keys *keys);

/* Another number after the keys have changed: what an earlier key verified has to be verified anew. */
unsigned jwt_keys_version(const struct jwt_keys *keys);

/* The signature of a token, and what the token's header says about it. */
struct jwt_signature {
	struct str algorithm, kid; /* no kid: empty */
	struct str text; /* what is signed */
	struct str bytes;
};

/* NULL if one of the keys made the signature, otherwise a literal that names the fault. */
const char *jwt_keys_find_fault(struct jwt_keys *keys, const struct jwt_signature *signature) MUST_CHECK;

/* Whether there is a key that signs: the secret, or else the first of the file that has its private half. */
bool jwt_keys_can_sign(struct jwt_keys *keys);

/*
 * Appends header.payload.signature. ERR_FAILED_PRECONDITION if there is no key that signs; ERR_INTERNAL, logged, if OpenSSL is
 * out of memory. Then nothing is appended.
 */
err_t jwt_keys_sign(struct jwt_keys *keys, struct str payload, struct buf *out) MUST_CHECK;

#endif
