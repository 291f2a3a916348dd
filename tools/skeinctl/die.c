#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/skeinctl/skeinctl.h"

static _Noreturn void die_end(int status, const char *format, va_list list) PRINTF_LIKE(2, 0);

/* One line, whatever is in the arguments. */
static _Noreturn void die_end(int status, const char *format, va_list list)
{
	struct buf sentence = { 0 }, line = { 0 };

	buf_vprintf(&sentence, format, list);
	(void)visible_append(&line, buf_str(&sentence), COLUMNS_UNBOUNDED);
	fflush(stdout);
	fprintf(stderr, "skeinctl: %s\n", buf_text(&line));
	/* Callers hold memory that nothing frees any more: exit() would have the leak sanitizer report it. */
	_exit(status);
}

_Noreturn void die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	die_end(1, format, list);
}

_Noreturn void die_of_usage(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	die_end(EXIT_USAGE, format, list);
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
	die_of_usage("\"%s\" is no duration: 500ms, 10s, 5m, 24h, 7d", text);
}
