#ifndef SKEIN_NET_HTTP_HTTP_URI_H
#define SKEIN_NET_HTTP_HTTP_URI_H

#include <stdbool.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * The parts of a request's target. What is decoded is checked: `%` with two hex
 * digits, no NUL, valid UTF-8. Decoding never makes a text longer: with room for
 * it reserved in `store`, earlier results stay where they are.
 */

enum uri_plus { PLUS_IS_PLUS, PLUS_IS_SPACE };

/* Points into `text` when nothing in it is encoded, else into `store`. False if it is malformed. */
bool uri_decode(struct str text, enum uri_plus plus, struct buf *store, struct str *out);

/* Splits "/path?query" or "http://host/path?query". `query` has ptr NULL without a question mark. */
void uri_split(struct str target, struct str *path, struct str *query);

struct uri_field {
	struct str name;
	struct str value;
};

/*
 * Decodes "a=1&b=2". The number of fields, at most `max`; -1 when one is
 * malformed (`*bad` is its name, if that is readable) or there are more.
 */
int uri_query_read(struct str query, struct buf *store, struct uri_field *fields, int max, struct str *bad);

#endif
