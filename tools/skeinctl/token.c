#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/skeinctl/skeinctl.h"

int command_token(struct args *args)
{
	const char *uid = args_required(args, "--uid");
	const char *scope = args_option(args, "--scope", "");
	uint64_t ttl_ms = parse_duration(args_option(args, "--ttl", "24h"));

	args_end(args);
	if (*scope && strcmp(scope, "admin") != 0)
		die("--scope %s: the only scope is admin", scope);
	char *token = make_token(uid, *scope, ttl_ms);
	if (args->as_json)
		printf("{\"token\":\"%s\",\"expires_at\":%llu}\n", token,
		       (unsigned long long)(clock_wall_ms() + ttl_ms) / 1000 * 1000);
	else
		printf("%s\n", token);
	free(token);
	return 0;
}
