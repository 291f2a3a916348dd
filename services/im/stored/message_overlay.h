#ifndef SKEIN_IM_STORED_MESSAGE_OVERLAY_H
#define SKEIN_IM_STORED_MESSAGE_OVERLAY_H

#include "im/stored/stored_message.h"
#include "store/pg/pg.h"

/*
 * Reads the recalls and edits of a page's messages, and the reactions to them. A stored message changes only when its user
 * is deleted, so it may be cached (message_cache.h). What has become of it is read for each page by one statement, which
 * begins after the page was requested. So a change that was answered is in every page that is requested afterwards, from
 * any im.
 *
 * A page without messages that can change costs no statement. Thread: the worker's.
 */

/* One message of a page. */
struct message_wanted {
	struct str key; /* as in struct stored_message */
	struct str conversation_id;
	uint64_t seq;
	struct stored_message *message; /* NULL until it is found; a reference of the caller's */
	struct message_form form; /* set by message_overlay_read(); its body and reactions are valid during `done` */
};

/* The size at which a page ends; the message that exceeds it is still in. */
#define MESSAGE_PAGE_BYTES (1u << 20)

/*
 * OK: the first `shown` messages fit into a page, one at least; fewer than were given when edits are longer than the bodies
 * that they replace, or reactions need the room. ERR_UNAVAILABLE otherwise.
 */
typedef void (*message_overlay_done)(void *arg, err_t err, size_t shown);

/* For whom a page is read. */
struct message_viewer {
	struct str uid; /* a former member of a group sees no edits and reactions from after it left */
	bool sees_reactions; /* else none are read */
};

/*
 * `wanted` have their messages, and live until `done`, which may come from inside the call. `count` is not 0. The viewer's uid is
 * copied.
 */
void message_overlay_read(struct pg *pg, struct message_wanted *wanted, size_t count, struct message_viewer viewer,
                          message_overlay_done done, void *arg);

#endif
