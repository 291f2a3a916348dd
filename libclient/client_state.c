#include "libclient/client_state.h"

#include "base/macros.h"

struct http_request client_request(const struct skein_client *client, struct buf *url, const char *path)
{
	buf_printf(url, "%s/v1%s", client->options.bases[client->base], path);
	return (struct http_request){
		.url = buf_text(url),
		.token = client->token,
		.timeout_ms = client->options.request_within_ms,
		.uses_proxy = client->options.uses_proxy,
	};
}

uint64_t client_retry_at(struct skein_client *client, struct backoff *backoff, const struct http_answer *answer)
{
	uint64_t wait_ms = backoff_next_ms(backoff);

	if (answer->status < 400 || answer->status >= 500)
		client->base = (client->base + 1) % (unsigned)client->options.base_count;
	return client_now(client) + MAX(wait_ms, answer->retry_after_ms);
}

void client_token_refused(struct skein_client *client, unsigned token_number)
{
	if (token_number == client->token_number)
		life_unauthenticated(&client->life);
}
