#ifndef SKEIN_STORE_INBOX_H
#define SKEIN_STORE_INBOX_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "store/redis.h"

/*
 * A user's inbox in Redis: a list of references whose entries are numbered
 * 1, 2, 3 ... without a hole, and the user's routes beside it. All keys of a
 * user share the hash tag {uid}, so that a script touches one slot.
 *
 *   im:inbox:{uid}        list of entries, the oldest first
 *   im:inbox:{uid}:meta   hash: g (run_id of the Redis process that made it), n (number of the newest entry), e (epoch)
 *   im:route:{uid}        hash: device -> route (store/routes.h)
 *
 * An inbox that is missing, or whose g is not the run_id the caller is
 * connected to, is made anew under a fresh epoch before anything else (design
 * section 2, "Redis may forget"). Entry o stands at index o - (n - len) - 1.
 */

/* An epoch is 60 random bits, shown as 15 hexadecimal digits; 0 is none. */
#define INBOX_EPOCH_TEXT 16
uint64_t inbox_fresh_epoch(void);
void inbox_epoch_text(char out[INBOX_EPOCH_TEXT], uint64_t epoch);
/* 0 if it is none of ours. */
uint64_t inbox_epoch_parse(struct str text);

/* An entry names a message: "<conversation id> <seq>". */
void inbox_entry_write(struct buf *out, struct str conversation_id, uint64_t seq);

struct inbox_limits {
	unsigned max_entries; /* trimmed to this when 10 % over */
	uint64_t expire_s; /* of an inbox nobody appends to or binds */
};

/* What the append script answers. */
struct inbox_appended {
	uint64_t epoch;
	uint64_t offset;
	/* device, route, device, route ... as in im:route:{uid}; valid during the call */
	const redisReply *routes; /* an array reply */
};

typedef void (*inbox_append_done)(void *arg, err_t err, const struct inbox_appended *appended);

/* Appends one entry and reads the user's routes, in that order, in one script. */
void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, struct str entry,
                  inbox_append_done done, void *arg);

#endif
