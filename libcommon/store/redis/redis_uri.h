#ifndef SKEIN_STORE_REDIS_REDIS_URI_H
#define SKEIN_STORE_REDIS_REDIS_URI_H

#include <stdbool.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/* Where a Redis is and how to be let in. Internal to store. */
struct redis_uri {
	char host[256];
	char port[6];
	struct buf user, password; /* decoded; empty if there is none */
	unsigned db;
};

/* False if `uri` is none; nothing has to be released then. */
bool redis_uri_parse(struct redis_uri *out, struct str uri) __attribute__((warn_unused_result));
void redis_uri_release(struct redis_uri *uri);

#endif
