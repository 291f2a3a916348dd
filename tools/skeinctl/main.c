/* skeinctl: operates a cluster from the command line. What it can do is the table in verbs/table.c. */

#include <stdio.h>
#include <string.h>

#include "base/config/config.h"
#include "tools/skeinctl/verbs/verb.h"

/* The first form of the verb that the words name; `*used` is how many words its name has. NULL if there is none. */
static const struct verb *find_verb(int count, char **words, int *used)
{
	for (size_t i = 0; i < verb_count; i++) {
		size_t len = verb_group_len(&verbs[i]);
		const char *second = verbs[i].name + len;

		if (strlen(words[0]) != len || strncmp(words[0], verbs[i].name, len) != 0)
			continue;
		*used = *second ? 2 : 1;
		if (!*second || (count > 1 && strcmp(words[1], second + 1) == 0))
			return &verbs[i];
	}
	return NULL;
}

static bool is_group(const char *word)
{
	for (size_t i = 0; i < verb_count; i++) {
		size_t len = verb_group_len(&verbs[i]);

		if (verbs[i].name[len] == ' ' && strlen(word) == len && strncmp(word, verbs[i].name, len) == 0)
			return true;
	}
	return false;
}

static bool has_help(int count, char **words)
{
	for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
		if (strcmp(words[i], "--help") == 0)
			return true;
	return false;
}

/* The first word is a group of verbs, and the second one names none of them. */
static int run_group(int count, char **words)
{
	if (has_help(count, words)) {
		help_print_group(stdout, words[0]);
		return 0;
	}
	if (count > 1)
		die_of_usage("no command %s %s: see skeinctl %s --help", words[0], words[1], words[0]);
	help_print_group(stderr, words[0]);
	return EXIT_USAGE;
}

static int run_verb(const struct verb *verb, int count, char **words)
{
	struct args args;

	if (has_help(count, words)) {
		help_print_verb(verb);
		return 0;
	}
	args_read(&args, verb, count, words);
	int status = args.verb->run ? args.verb->run(&args) : request_run(&args);
	http_end();
	return status;
}

/* Words that are not of the table. -1 if it is none of them. */
static int run_own(const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0)
		help_print_all(stdout);
	else if (strcmp(word, "--version") == 0)
		printf("skeinctl %s\n", skein_version);
	else if (strcmp(word, "--rows") == 0)
		help_print_rows();
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	int used;

	if (argc < 2) {
		help_print_all(stderr);
		return EXIT_USAGE;
	}
	int status = run_own(argv[1]);
	if (status >= 0)
		return status;
	const struct verb *verb = find_verb(argc - 1, argv + 1, &used);
	if (verb)
		return run_verb(verb, argc - 1 - used, argv + 1 + used);
	if (is_group(argv[1]))
		return run_group(argc - 1, argv + 1);
	die_of_usage("no command %s: see skeinctl --help", argv[1]);
}
