#ifndef SKEIN_CLUSTER_INBOX_H
#define SKEIN_CLUSTER_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"
#include "cluster/inbox_epoch.h"
#include "cluster/inbox_limits.h"
#include "store/redis/redis.h"

/*
 * A user's inbox in Redis: a list of references to messages, numbered 1, 2, 3 ...
 * without a hole, with the user's routes beside it. All keys of a user share
 * the hash tag {uid}, so that a script touches one slot.
 *
 *   im:inbox:{uid}        list of entries, the oldest first
 *   im:inbox:{uid}:meta   hash: h (head: run_id of the Redis process that made it, epoch, version of the user's routes),
 *                         n (number of the newest entry), a and t (for the cap by age: a number, and the time when it
 *                         was the newest), x (when the inbox's life was last extended), d (how far receipts
 *                         were claimed: inbox_delivered.h)
 *   im:route:{uid}        hash: device -> route (cluster/routes.h)
 *
 * An inbox is made again, under a fresh epoch, when it is missing, when it was
 * made by another process than the server that executes the script, or when one of
 * its keys is of another type. This happens before anything else in every script
 * that uses the inbox (design section 2, "Redis may forget"). The entry with number o is at index o - (n - len) - 1.
 *
 * Three limits bound an inbox. By number: an append trims it to max_entries. By
 * age: an entry stays for at least max_age and at most twice that, as long as
 * somebody appends or reads. By use: binds, renewals of routes and reads extend
 * its life, appends do not, so an inbox that nobody reads disappears as a whole.
 *
 * Thread: that of the Redis client.
 */

/* An entry names a message: "<conversation id> <seq>". */
void inbox_entry_write(struct buf *out, struct str conversation_id, uint64_t seq);
/* False if `entry` has another form. `conversation_id` points into it. */
bool inbox_entry_parse(struct str entry, struct str *conversation_id, uint64_t *seq);

/*
 * The state of an inbox as an append answered it, for the next append to the same inbox. With it an append costs Redis
 * less than half: the script compares epoch and version with the inbox, appends, and reads no routes. As every change
 * of a user's routes changes the version, the routes that were read with it are those at the time of the append.
 */
struct inbox_known {
	uint64_t epoch;
	uint64_t version; /* of the user's routes, under this epoch */
	uint64_t newest; /* number of the newest entry */
	uint64_t trim_after; /* up to this number the list is not too long */
	uint64_t marked_s; /* the time of the mark of the cap by age */
};

struct inbox_appended {
	uint64_t epoch;
	uint64_t offset; /* the number of the first entry; the others have the numbers that follow */
	struct inbox_known known;
	const redisReply *routes; /* device, route, device, route ...; valid during the call. NULL: as of the version given */
	bool inbox_was_broken, routes_were_broken; /* a key of another type was removed */
};

/*
 * ERR_FAILED_PRECONDITION: the inbox is not as `known` any more. Nothing was appended; append again without it.
 */
typedef void (*inbox_append_done)(void *arg, err_t err, const struct inbox_appended *appended);

/*
 * Appends up to INBOX_APPEND_MAX entries, all or none, then reads the user's routes, in one script. `known` may be NULL, and
 * is only used if the append has no entries to trim: see inbox_appended.routes. Entries that must keep
 * their order go into one call: of two calls the first may be lost with the connection while the second is executed.
 */
#define INBOX_APPEND_MAX 64
void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct inbox_known *known,
                  const struct str *entries, size_t count, inbox_append_done done, void *arg);

/* A client's claim: it has every entry up to `offset`. Both numbers come from outside and may have any value. */
struct inbox_position {
	uint64_t epoch;
	uint64_t offset;
};

enum inbox_verdict {
	INBOX_ENTRIES, /* the page follows the position */
	INBOX_RESET, /* the position has another epoch, or entries after its offset were trimmed */
	INBOX_PAST_HEAD, /* the epoch is right, but no entry has that offset yet */
};

struct inbox_page {
	uint64_t epoch;
	uint64_t head; /* number of the newest entry; 0 for an empty inbox */
	enum inbox_verdict verdict;
	uint64_t after; /* the entries have the numbers after + 1, after + 2 ...; the head unless the verdict is INBOX_ENTRIES */
	size_t count;
	const redisReply *entries; /* an array reply; valid during the call */
};

/* Entry `after` + 1 + `index` as text. */
struct str inbox_page_entry(const struct inbox_page *page, size_t index);

typedef void (*inbox_read_done)(void *arg, err_t err, const struct inbox_page *page);

/* Reads up to `limit` entries after `position`. NULL: from the oldest entry that is kept. */
void inbox_read(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct inbox_position *position,
                unsigned limit, inbox_read_done done, void *arg);

#endif
