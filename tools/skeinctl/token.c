#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/skeinctl/verbs/verb.h"

int command_token(const struct args *args)
{
	const char *uid = args_value(args, "--uid");
	const char *scope = args_value(args, "--scope");
	uint64_t ttl_ms = parse_duration(args_value_or(args, "--ttl", "24h")), expires_ms;

	if (ttl_ms < 1000)
		die_of_usage("token: --ttl is at least 1s: a token's times are whole seconds");
	char *token = make_token(uid, scope, ttl_ms, &expires_ms);
	if (args->as_json)
		printf("{\"token\":\"%s\",\"expires_at\":%llu}\n", token, (unsigned long long)expires_ms);
	else
		printf("%s\n", token);
	free(token);
	return 0;
}
