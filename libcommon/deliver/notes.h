#ifndef SKEIN_DELIVER_NOTES_H
#define SKEIN_DELIVER_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "proto/delivery.pb-c.h"

/*
 * What a gateway that is behind will be told instead of messages: for each
 * connection the highest number its inbox has under the epoch noted last. About
 * 64 bytes a connection, however many messages there were, and for no more than
 * NOTES_MAX connections, which is more than a gateway holds: one that is left out
 * notices the hole with its next message. Pure: no I/O.
 */

#define NOTES_MAX (1u << 20)

struct notes {
	struct map by_conn;
	size_t count;
};

void notes_init(struct notes *notes);
void notes_release(struct notes *notes);

/* Of an audience without numbers, or none (NULL), nothing is noted. */
void notes_add(struct notes *notes, const Skein__V1__Audience *audience);

/* Takes up to `max` connections out, into `to`, whose arrays are in one allocation: mem_free(to->conns). */
void notes_take(struct notes *notes, size_t max, Skein__V1__Connections *to);

#endif
