#ifndef SKEIN_STORE_REDIS_REDIS_URI_H
#define SKEIN_STORE_REDIS_REDIS_URI_H

#include <stdbool.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/* The address of a Redis server, and the user and password for it. Internal to store. */
struct redis_uri {
	char host[256];
	char port[6];
	struct buf user, password; /* decoded; empty if there is none */
	unsigned db;
};

/* False if `uri` is malformed; nothing has to be released then. */
bool redis_uri_parse(struct redis_uri *out, struct str uri) __attribute__((warn_unused_result));
void redis_uri_release(struct redis_uri *uri);

#endif
