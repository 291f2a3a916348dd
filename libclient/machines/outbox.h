#ifndef SKEIN_LIBCLIENT_MACHINES_OUTBOX_H
#define SKEIN_LIBCLIENT_MACHINES_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/text/str.h"

/*
 * Sends that wait for their answers. Sends to one user or group go out one after the other, so that they are stored in their
 * order; sends to different ones go out side by side, up to `max_asking`. A send without an answer is repeated before
 * anything behind it, and nothing else goes out until outbox_resume(): the cause (no network, a busy server) stops them all.
 * Pure: no I/O and no clock.
 */

struct outbox_item { /* the driver embeds one in each send */
	struct list link;
	struct outbox_lane *lane;
};

struct outbox {
	struct map lanes; /* by destination; a lane without items is removed */
	struct list ready; /* lanes whose first item may go */
	unsigned max_items, max_asking;
	unsigned item_count, asking_count;
	bool is_paused;
};

void outbox_init(struct outbox *outbox, unsigned max_items, unsigned max_asking);

/* The outbox is empty: outbox_remove_any() was called until it returned NULL. */
void outbox_release(struct outbox *outbox);

/* False: the outbox is full. `destination` is copied. */
bool outbox_add(struct outbox *outbox, struct outbox_item *item, struct str destination);

/* The next one to send now, or NULL. It counts as asking until outbox_answered() or outbox_failed(). */
struct outbox_item *outbox_take(struct outbox *outbox);

/* The item has its answer and is the driver's again. */
void outbox_answered(struct outbox *outbox, struct outbox_item *item);

/* The item has no answer: it goes out again first, after outbox_resume(). */
void outbox_failed(struct outbox *outbox, struct outbox_item *item);
void outbox_resume(struct outbox *outbox);

/* Removes an item, asking or not, for the end of the client; NULL when the outbox is empty. */
struct outbox_item *outbox_remove_any(struct outbox *outbox);

#endif
