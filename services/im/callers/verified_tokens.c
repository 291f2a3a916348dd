#include "im/callers/verified_tokens.h"

#include "base/mem.h"

void verified_tokens_init(struct verified_tokens *verified, struct jwt_keys *keys, size_t max)
{
	const char *name = "skein_im_tokens_checked_total", *help = "Tokens of requests, by what verified them.";

	*verified = (struct verified_tokens){
		.keys = keys,
		.unkept = MEM_NEW(struct verified_token),
		.hits = metrics_counter(name, help, "by=\"memory\""),
		.misses = metrics_counter(name, help, "by=\"signature\""),
	};
	user_lru_init(&verified->tokens, max, sizeof(struct verified_token));
}

void verified_tokens_release(struct verified_tokens *verified)
{
	user_lru_release(&verified->tokens);
	mem_free(verified->unkept);
}

/* A token that was verified later than now, by a clock that was set back, is verified anew. */
static bool verified_tokens_is_valid(const struct verified_tokens *verified, const struct verified_token *token, uint64_t now_ms)
{
	return now_ms >= token->verified_ms && now_ms < token->claims.expires_ms &&
	       token->keys_version == jwt_keys_version(verified->keys);
}

/* Where the claims of this token are put. */
static struct verified_token *verified_tokens_place(struct verified_tokens *verified, struct str token)
{
	if (verified->tokens.max == 0 || token.len > VERIFIED_TOKEN_MAX_BYTES)
		return verified->unkept;
	return container_of(user_lru_make(&verified->tokens, token), struct verified_token, entry);
}

err_t verified_tokens_find(struct verified_tokens *verified, struct str token, uint64_t now_ms,
                           const struct verified_token **out, const char **why)
{
	struct jwt_claims claims;

	struct user_lru_entry *known = user_lru_find(&verified->tokens, token);
	if (known && verified_tokens_is_valid(verified, container_of(known, struct verified_token, entry), now_ms)) {
		counter_add(verified->hits, 1);
		*out = container_of(known, struct verified_token, entry);
		return OK;
	}
	counter_add(verified->misses, 1);
	unsigned keys_version = jwt_keys_version(verified->keys); /* before: the keys may change meanwhile */
	err_t err = jwt_verify(verified->keys, token, now_ms, &claims, why);
	if (err)
		return err;
	struct verified_token *place = verified_tokens_place(verified, token);
	place->verified_ms = now_ms;
	place->keys_version = keys_version;
	place->claims = claims;
	*out = place;
	return OK;
}
