#ifndef SKEIN_IM_CALLERS_VERIFIED_TOKENS_H
#define SKEIN_IM_CALLERS_VERIFIED_TOKENS_H

#include "base/telemetry/metrics.h"
#include "base/users/user_lru.h"
#include "net/jwt.h"

/*
 * Tokens that were verified lately, so that a client that sends much pays for one signature and one JSON payload, not
 * for one per request: no allocation instead of 30. At most `max` tokens of at most VERIFIED_TOKEN_MAX_BYTES are kept,
 * the least recently used one makes room; most take 600 bytes. The key is the whole token, the signature included.
 *
 * A token counts from here as long as it has not expired and the keys are the same. Whether it was revoked is checked
 * by the caller, for each request. Thread: one.
 */
#define VERIFIED_TOKEN_MAX_BYTES 1024 /* a longer one is verified with each request */

struct verified_tokens {
	struct jwt_keys *keys;
	struct user_lru tokens;
	struct verified_token *unkept; /* the last one that was too long to be kept */
	struct counter *hits, *misses;
};

struct verified_token {
	struct user_lru_entry entry;
	uint64_t verified_ms;
	unsigned keys_version; /* jwt_keys_version() when it was verified */
	struct jwt_claims claims;
};

/* `max` 0: every token is verified anew. */
void verified_tokens_init(struct verified_tokens *verified, struct jwt_keys *keys, size_t max);
void verified_tokens_release(struct verified_tokens *verified);

/* As jwt_verify(). The token is valid until the next call. */
err_t verified_tokens_find(struct verified_tokens *verified, struct str token, uint64_t now_ms,
                           const struct verified_token **out, const char **why) MUST_CHECK;

#endif
