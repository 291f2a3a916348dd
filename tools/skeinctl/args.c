#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/skeinctl/skeinctl.h"

_Noreturn void die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fprintf(stderr, "skeinctl: ");
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	/* Callers hold memory that nothing frees any more: exit() would have the leak sanitizer report it. */
	fflush(stdout);
	_exit(1);
}

static void args_take_out(struct args *args, int at, int count)
{
	for (int i = at; i + count < args->count; i++)
		args->words[i] = args->words[i + count];
	args->count -= count;
}

const char *args_option(struct args *args, const char *name, const char *fallback)
{
	size_t len = strlen(name);

	for (int i = 0; i < args->count; i++) {
		const char *word = args->words[i];

		if (strncmp(word, name, len) != 0)
			continue;
		if (word[len] == '=') {
			args_take_out(args, i, 1);
			return word + len + 1;
		}
		if (word[len] == '\0') {
			if (i + 1 == args->count)
				die("%s needs a value", name);
			const char *value = args->words[i + 1];
			args_take_out(args, i, 2);
			return value;
		}
	}
	return fallback;
}

const char *args_required(struct args *args, const char *name)
{
	const char *value = args_option(args, name, NULL);

	if (!value)
		die("%s is missing", name);
	return value;
}

const char *args_word(struct args *args)
{
	if (!args->count)
		return NULL;
	const char *word = args->words[0];
	if (strncmp(word, "--", 2) == 0)
		die("no option %s here", word);
	args_take_out(args, 0, 1);
	return word;
}

void args_end(struct args *args)
{
	if (args->count)
		die("unexpected argument \"%s\"", args->words[0]);
}

uint64_t parse_duration(const char *text)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	if (str_to_u64(str_of(text, digits), &number) && number < 1000000)
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (strcmp(text + digits, units[i].unit) == 0)
				return number * units[i].ms;
	die("\"%s\" is no duration: 500ms, 10s, 5m, 24h, 7d", text);
}
