#include "gateway/wire/lone_surrogates.h"

#include <ctype.h>
#include <string.h>

#define ESCAPE_LEN 6 /* \ud83d */
#define HIGH "89abAB" /* the second digit of \ud800 to \udbff */
#define LOW "cdefCDEF"

static bool is_surrogate(struct str json, size_t at, const char *second_digits)
{
	const char *c = json.ptr + at;

	return at + ESCAPE_LEN <= json.len && c[0] == '\\' && c[1] == 'u' && (c[2] == 'd' || c[2] == 'D') && c[3] &&
	       strchr(second_digits, c[3]) && isxdigit((unsigned char)c[4]) && isxdigit((unsigned char)c[5]);
}

void lone_surrogates_replace(struct buf *json)
{
	struct str text = buf_str(json);
	size_t at = 0;

	while (at < text.len) {
		if (is_surrogate(text, at, HIGH) && is_surrogate(text, at + ESCAPE_LEN, LOW)) {
			at += 2 * ESCAPE_LEN;
		} else if (is_surrogate(text, at, HIGH LOW)) {
			memcpy(json->ptr + at, "\\ufffd", ESCAPE_LEN);
			at += ESCAPE_LEN;
		} else {
			at += text.ptr[at] == '\\' ? 2 : 1; /* an escaped backslash begins no escape */
		}
	}
}
