#ifndef SKEIN_LIBCLIENT_MACHINES_OUTBOX_H
#define SKEIN_LIBCLIENT_MACHINES_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/text/str.h"

/*
 * Sends that wait for their answers. Those to one user or group go out one after
 * the other, so that they are stored in their order; those to different ones
 * side by side, up to `max_asking`. One that has no answer goes again before what is
 * behind it, after a time in which nothing goes out: what keeps one send from being answered (no network, a
 * server that is busy) keeps them all. Pure: no I/O and no clock.
 */

struct outbox_item { /* the driver embeds one in each send */
	struct list link;
	struct outbox_lane *lane;
};

struct outbox {
	struct map lanes; /* by destination; those with something in them */
	struct list ready; /* lanes whose first item may go */
	unsigned max_items, max_asking;
	unsigned item_count, asking_count;
	bool is_paused;
};

void outbox_init(struct outbox *outbox, unsigned max_items, unsigned max_asking);

/* Nothing is asking; what is in it comes back through outbox_remove_any() first. */
void outbox_release(struct outbox *outbox);

/* False: it is full. `destination` is copied. */
bool outbox_add(struct outbox *outbox, struct outbox_item *item, struct str destination);

/* The next one to send now, or NULL. It is asking until it is answered or comes back. */
struct outbox_item *outbox_take(struct outbox *outbox);

/* There is an answer: the item is the driver's again. */
void outbox_answered(struct outbox *outbox, struct outbox_item *item);

/* There is none: it goes again, and nothing before outbox_resume(). */
void outbox_failed(struct outbox *outbox, struct outbox_item *item);
void outbox_resume(struct outbox *outbox);

/* Any one, asking or not, for the end; NULL when it is empty. */
struct outbox_item *outbox_remove_any(struct outbox *outbox);

#endif
