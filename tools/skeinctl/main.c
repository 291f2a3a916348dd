/* skeinctl: operates a cluster from the command line. Each command is in a file of its own. */

#include <stdio.h>
#include <string.h>

#include "base/config/config.h"
#include "tools/skeinctl/skeinctl.h"

static const struct command {
	const char *name;
	int (*run)(struct args *args);
	const char *usage;
	const char *help;
} commands[] = {
	{ "token", command_token, "--uid UID [--scope admin] [--ttl 24h]", "mint a token for a user" },
	{ "send", command_send, "--from UID (--to UID | --group GID) TEXT", "send a text message over HTTP" },
	{ "listen", command_listen, "--uid UID [--device ID] [--gateway URL] [--count N] [--state FILE | --epoch E --offset O]",
	  "stay connected and print each message once; with a state file, over restarts too" },
	{ "nodes", command_nodes, "", "list the gateways that are alive" },
	{ "demo", command_demo, "[--messages N] [--pause 300ms]", "two users on two gateways talk; print how fast" },
	{ "health", command_health, "URL", "ask /readyz or /healthz of an internal port; exit code 0 for 200, else 1" },
	{ "secrets", command_secrets, "DIR", "make the secrets of a cluster: DIR/jwt, DIR/postgres, DIR/pgpass" },
};

static void print_usage(FILE *out)
{
	fprintf(out, "usage: skeinctl COMMAND [OPTIONS] [--json]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-7s %s\n          %s\n", commands[i].name, commands[i].help, commands[i].usage);
	fputs("\nThe cluster is the one of SKEIN_HTTP, SKEIN_WS and SKEIN_JWT_SECRET in the environment\n"
	      "(SKEIN_AUTH_SECRET_FILE may name a file with the secret), else the one of .run/env here\n"
	      "or in a folder above (make up writes it).\n",
	      out);
}

/* Takes --json out of the words, at any place. */
static bool take_json_flag(int *count, char **words)
{
	bool found = false;
	int kept = 0;

	for (int i = 0; i < *count; i++) {
		if (strcmp(words[i], "--json") == 0)
			found = true;
		else
			words[kept++] = words[i];
	}
	*count = kept;
	return found;
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("skeinctl %s\n", skein_version);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		struct args args = { .count = argc - 2, .words = argv + 2 };

		if (args.count && strcmp(args.words[0], "--help") == 0) {
			printf("usage: skeinctl %s %s [--json]\n%s\n", commands[i].name, commands[i].usage, commands[i].help);
			return 0;
		}
		args.as_json = take_json_flag(&args.count, args.words);
		int status = commands[i].run(&args);
		http_end();
		return status;
	}
	fprintf(stderr, "skeinctl: no command %s\n\n", argv[1]);
	print_usage(stderr);
	return 2;
}
