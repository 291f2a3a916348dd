#include "im/callers/verified_tokens.h"

#include <openssl/sha.h>
#include <stdlib.h>

void verified_tokens_init(struct verified_tokens *verified, const struct jwt_keys *keys, size_t max)
{
	const char *name = "skein_im_tokens_checked_total", *help = "Tokens of requests, by what verified them.";

	*verified = (struct verified_tokens){
		.keys = keys,
		.hits = metrics_counter(name, help, "by=\"memory\""),
		.misses = metrics_counter(name, help, "by=\"signature\""),
	};
	/* The last token that was verified is kept in any case, because the caller reads it. */
	user_lru_init(&verified->tokens, max ? max : 1, sizeof(struct verified_token));
}

void verified_tokens_release(struct verified_tokens *verified)
{
	user_lru_release(&verified->tokens);
}

/* A token whose time has not come by a clock that was set back is verified anew. */
static bool verified_tokens_is_valid(const struct verified_token *token, uint64_t now_ms)
{
	return now_ms >= token->verified_ms && now_ms < token->claims.expires_ms;
}

err_t verified_tokens_find(struct verified_tokens *verified, struct str token, uint64_t now_ms,
                           const struct verified_token **out, const char **why)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct jwt_claims claims;

	if (!SHA256((const unsigned char *)token.ptr, token.len, hash))
		abort(); /* it fails only without memory */
	struct str key = str_of((const char *)hash, sizeof(hash));
	struct user_lru_entry *known = user_lru_find(&verified->tokens, key);
	if (known && verified_tokens_is_valid(container_of(known, struct verified_token, entry), now_ms)) {
		counter_add(verified->hits, 1);
		*out = container_of(known, struct verified_token, entry);
		return OK;
	}
	counter_add(verified->misses, 1);
	err_t err = jwt_verify(verified->keys, token, now_ms, &claims, why);
	if (err)
		return err;
	struct verified_token *made = container_of(user_lru_make(&verified->tokens, key), struct verified_token, entry);
	made->verified_ms = now_ms;
	made->claims = claims;
	jwt_token_id(token, made->id);
	*out = made;
	return OK;
}
