#include "libclient/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text/ident.h"

static void options_use_default(unsigned *option, unsigned otherwise)
{
	if (*option == 0)
		*option = otherwise;
}

bool options_token_is_valid(const char *token)
{
	return token && *token && strlen(token) <= 4096 && strspn(token, "\r\n \t") == 0 && !strpbrk(token, "\r\n");
}

bool options_are_valid(const struct skein_options *options)
{
	for (size_t i = 0; i < options->base_count; i++)
		if (strncmp(options->bases[i], "http://", 7) != 0 && strncmp(options->bases[i], "https://", 8) != 0)
			return false;
	return options->base_count > 0 && options_token_is_valid(options->token) && options->device &&
	       ident_is_valid(str_from(options->device)) && options->platform && platform_is_valid(str_from(options->platform)) &&
	       (!options->gateway || strncmp(options->gateway, "ws://", 5) == 0 ||
	        strncmp(options->gateway, "wss://", 6) == 0);
}

void options_copy(struct skein_options *to, const struct skein_options *from)
{
	const char **bases = mem_alloc(from->base_count * sizeof(*bases));

	*to = *from;
	for (size_t i = 0; i < from->base_count; i++)
		bases[i] = str_dup(str_from(from->bases[i]));
	to->bases = bases;
	to->gateway = from->gateway ? str_dup(str_from(from->gateway)) : NULL;
	to->device = str_dup(str_from(from->device));
	to->platform = str_dup(str_from(from->platform));
	to->token = to->state = NULL;
	options_use_default(&to->ack_every, 20);
	options_use_default(&to->ack_after_ms, 500);
	options_use_default(&to->ping_after_ms, 20000);
	options_use_default(&to->pong_within_ms, 10000);
	options_use_default(&to->open_within_ms, 15000);
	options_use_default(&to->request_within_ms, 15000);
	options_use_default(&to->stable_after_ms, 10000);
	options_use_default(&to->max_held, 1000);
	options_use_default(&to->max_held_bytes, 4194304);
	options_use_default(&to->max_untaken, 1000);
	options_use_default(&to->max_sends, 1000);
	options_use_default(&to->max_conversations, 100000);
}

void options_release(struct skein_options *options)
{
	for (size_t i = 0; i < options->base_count; i++)
		free((char *)options->bases[i]);
	mem_free((void *)options->bases);
	free((char *)options->gateway);
	free((char *)options->device);
	free((char *)options->platform);
}
