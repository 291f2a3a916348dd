#include "im/tokens/revoked_tokens.h"

#include "base/macros.h"
#include "base/mem.h"

struct revoked_token {
	struct map_node link;
	uint64_t expires_ms;
	unsigned char id[JWT_TOKEN_ID_BYTES];
};

static struct revoked_token *revoked_tokens_token_of(const struct map_node *node)
{
	return container_of(node, struct revoked_token, link);
}

static struct str revoked_tokens_id_of(const struct map_node *node)
{
	return str_of(revoked_tokens_token_of(node)->id, JWT_TOKEN_ID_BYTES);
}

static void revoked_tokens_take_out(struct revoked_tokens *tokens, struct revoked_token *token)
{
	map_remove(&tokens->by_id, &token->link);
	mem_free(token);
}

void revoked_tokens_init(struct revoked_tokens *tokens)
{
	map_init(&tokens->by_id, revoked_tokens_id_of);
}

void revoked_tokens_release(struct revoked_tokens *tokens)
{
	for (struct map_node *node; (node = map_first(&tokens->by_id));)
		revoked_tokens_take_out(tokens, revoked_tokens_token_of(node));
	map_release(&tokens->by_id);
}

bool revoked_tokens_add(struct revoked_tokens *tokens, const unsigned char id[JWT_TOKEN_ID_BYTES], uint64_t expires_ms)
{
	if (revoked_tokens_have(tokens, str_of(id, JWT_TOKEN_ID_BYTES)))
		return false;
	struct revoked_token *token = MEM_NEW(struct revoked_token);
	token->expires_ms = expires_ms;
	memcpy(token->id, id, JWT_TOKEN_ID_BYTES);
	map_put(&tokens->by_id, &token->link);
	return true;
}

bool revoked_tokens_have(const struct revoked_tokens *tokens, struct str id)
{
	return tokens->by_id.len > 0 && map_find(&tokens->by_id, id);
}

void revoked_tokens_forget(struct revoked_tokens *tokens, uint64_t expired_ms)
{
	for (struct map_node *next, *node = map_first(&tokens->by_id); node; node = next) {
		next = map_next(&tokens->by_id, node);
		if (revoked_tokens_token_of(node)->expires_ms < expired_ms)
			revoked_tokens_take_out(tokens, revoked_tokens_token_of(node));
	}
}
