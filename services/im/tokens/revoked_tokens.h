#ifndef SKEIN_IM_TOKENS_REVOKED_TOKENS_H
#define SKEIN_IM_TOKENS_REVOKED_TOKENS_H

#include <stdbool.h>

#include "base/map.h"
#include "net/jwt.h"

/*
 * A set of token ids, each kept until its token has expired. An id takes 64 bytes.
 * A lookup in an empty set costs nothing. Thread: one.
 */
struct revoked_tokens {
	struct map by_id;
};

void revoked_tokens_init(struct revoked_tokens *tokens);
void revoked_tokens_release(struct revoked_tokens *tokens);

/* False if it is there already. */
bool revoked_tokens_add(struct revoked_tokens *tokens, const unsigned char id[JWT_TOKEN_ID_BYTES], uint64_t expires_ms);

bool revoked_tokens_have(const struct revoked_tokens *tokens, struct str id);

/* Removes the tokens that expired before `expired_ms`; walks over all of them. */
void revoked_tokens_forget(struct revoked_tokens *tokens, uint64_t expired_ms);

#endif
