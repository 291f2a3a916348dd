#ifndef SKEIN_NET_HTTP_HTTP_URI_H
#define SKEIN_NET_HTTP_HTTP_URI_H

#include <stdbool.h>

#include "base/text/buf.h"
#include "base/text/percent.h"
#include "base/text/str.h"

/*
 * Splits and decodes a request's target. Decoded text is checked: `%` with two hex digits, no NUL, valid UTF-8. Decoding
 * never makes a text longer: reserve the target's length in `store`, and earlier results stay in place. Pure.
 */

/* The result points into `text` if nothing in it is encoded, else into `store`. False: the text is malformed. */
bool uri_decode(struct str text, enum percent_plus plus, struct buf *store, struct str *out);

/* Splits "/path?query" or "http://host/path?query". `query` has ptr NULL without a question mark. */
void uri_split(struct str target, struct str *path, struct str *query);

struct uri_field {
	struct str name;
	struct str value;
};

/*
 * Decodes "a=1&b=2" and returns the number of fields, at most `max`. -1 when a field is malformed (`*bad` is its name, or
 * empty if the name is malformed) or when there are more fields than `max`.
 */
int uri_query_read(struct str query, struct buf *store, struct uri_field *fields, int max, struct str *bad);

#endif
