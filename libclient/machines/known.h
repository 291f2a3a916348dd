#ifndef SKEIN_LIBCLIENT_MACHINES_KNOWN_H
#define SKEIN_LIBCLIENT_MACHINES_KNOWN_H

#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/text/str.h"

/*
 * The conversations that an inbox knows, up to a bound. When there are too many, the one without a message for the longest
 * time is forgotten. Pure.
 */

struct known {
	struct map_node node;
	struct list quiet; /* in known_set.quiet */
	uint64_t last, taken; /* seq: handed over, and taken */
	unsigned pins; /* handovers and pulls that point here: it is not forgotten */
	size_t len;
	char id[]; /* terminated */
};

struct known_set {
	struct map by_id;
	struct list quiet; /* the one that was quiet for the longest time first */
};

void known_init(struct known_set *set);
void known_release(struct known_set *set);

/* NULL if it is not known. */
struct known *known_find(const struct known_set *set, struct str conversation);

/* Adds one that is not known yet; forgets another one if there are `max` of them. Everything up to `last` counts as taken. */
struct known *known_follow(struct known_set *set, struct str conversation, uint64_t last, unsigned max);

/* It has a message: it is the least quiet one. */
void known_touch(struct known_set *set, struct known *known);

static inline struct str known_id(const struct known *known)
{
	return str_of(known->id, known->len);
}

#endif
