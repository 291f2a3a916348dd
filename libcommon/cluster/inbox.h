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
 *   im:inbox:{uid}:meta   hash: g (run_id of the Redis process that made it), n (number of the newest entry), e (epoch),
 *                         a and t (for the cap by age: a number, and the time when it was the newest),
 *                         x (when the inbox's life was last extended)
 *   im:route:{uid}        hash: device -> route (cluster/routes.h)
 *
 * An inbox is made again, under a fresh epoch, when it is missing or when its g
 * is not the run_id of the server that executes the script. This happens before
 * anything else in every script that uses the inbox (design section 2, "Redis
 * may forget"). The entry with number o is at index o - (n - len) - 1.
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

struct inbox_appended {
	uint64_t epoch;
	uint64_t offset; /* the number of the first entry; the others have the numbers that follow */
	const redisReply *routes; /* an array: device, route, device, route ...; valid during the call */
};

typedef void (*inbox_append_done)(void *arg, err_t err, const struct inbox_appended *appended);

/*
 * Appends up to INBOX_APPEND_MAX entries, all or none, then reads the user's routes, in one script. Entries that must keep
 * their order go into one call: of two calls the first may be lost with the connection while the second is executed.
 */
#define INBOX_APPEND_MAX 64
void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct str *entries,
                  size_t count, inbox_append_done done, void *arg);

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
