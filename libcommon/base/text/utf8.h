#ifndef SKEIN_BASE_TEXT_UTF8_H
#define SKEIN_BASE_TEXT_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/str.h"

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(struct str s);

/* Number of code points of valid UTF-8. */
size_t utf8_length(struct str s);

/* The first code point of `s`; returns its length in bytes. 0 if `s` is empty or does not begin with valid UTF-8. */
size_t utf8_first(struct str s, uint32_t *code_point);

/* At most `max` bytes of `s`, not ending inside a character. */
struct str utf8_cut(struct str s, size_t max);

/* C0 and C1 controls, DEL, and U+2028 and U+2029, which some programs take for a line end. */
bool code_point_is_control(uint32_t code_point);

#endif
