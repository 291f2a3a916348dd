#ifndef SKEIN_BASE_TEXT_PERCENT_H
#define SKEIN_BASE_TEXT_PERCENT_H

#include <stdbool.h>

#include "base/text/buf.h"

/*
 * Percent-encoding (RFC 3986 section 2.1). PLUS_IS_SPACE is for queries, where forms write a blank as '+'
 * (application/x-www-form-urlencoded).
 */
enum percent_plus { PLUS_IS_PLUS, PLUS_IS_SPACE };

/*
 * Appends the decoded text to `out`: at most as many bytes as `text` has, any of which may be NUL or invalid UTF-8. False if
 * a '%' is not followed by two hex digits; `out` then keeps its length.
 */
bool percent_decode(struct buf *out, struct str text, enum percent_plus plus) MUST_CHECK;

#endif
