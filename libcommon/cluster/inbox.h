#ifndef SKEIN_CLUSTER_INBOX_H
#define SKEIN_CLUSTER_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/config/config.h"
#include "base/text/str.h"
#include "store/redis/redis.h"

/*
 * A user's inbox in Redis: a list of references whose entries are numbered
 * 1, 2, 3 ... without a hole, and the user's routes beside it. All keys of a
 * user share the hash tag {uid}, so that a script touches one slot.
 *
 *   im:inbox:{uid}        list of entries, the oldest first
 *   im:inbox:{uid}:meta   hash: g (run_id of the Redis process that made it), n (number of the newest entry), e (epoch),
 *                         a and t (the mark of the cap by age: a number, and when it was the newest),
 *                         x (when its life was last extended)
 *   im:route:{uid}        hash: device -> route (cluster/routes.h)
 *
 * An inbox that is missing, or whose g is not the run_id the caller is
 * connected to, is made anew under a fresh epoch before anything else (design
 * section 2, "Redis may forget"). Entry o stands at index o - (n - len) - 1.
 *
 * Three things bound it. By number: an append trims it to max_entries. By age:
 * an entry stays for max_age at least and twice that at most, which appends and
 * reads see to without a time in the entry; what nobody touches stays until the
 * next of them. By use: binds, renewals of routes and reads extend its life,
 * appends do not, so an inbox that nobody reads goes as a whole.
 */

/* An epoch is 60 random bits, shown as 15 hexadecimal digits; 0 is none. */
#define INBOX_EPOCH_TEXT 16
uint64_t inbox_fresh_epoch(void);
void inbox_epoch_text(char out[INBOX_EPOCH_TEXT], uint64_t epoch);
/* 0 if it is none of ours. */
uint64_t inbox_epoch_parse(struct str text);

/* An entry names a message: "<conversation id> <seq>". */
void inbox_entry_write(struct buf *out, struct str conversation_id, uint64_t seq);
/* False if it is none; `conversation_id` points into it. */
bool inbox_entry_parse(struct str entry, struct str *conversation_id, uint64_t *seq);

struct inbox_limits {
	unsigned max_entries; /* trimmed to this when 10 % over */
	uint64_t max_age_s;
	uint64_t expire_s; /* of an inbox nobody binds or reads; it may live half as long again */
};

/* The options of every service that touches inboxes; all of them have to agree. */
struct inbox_config {
	int64_t max_entries;
	int64_t max_age_ms;
	int64_t expire_ms;
};

#define INBOX_CONFIG_OPTIONS(type) \
	{ "inbox.max_entries", CONFIG_INT, offsetof(type, inbox.max_entries), "1000", 10, 1000000, NULL, 0, \
	  "Entries an inbox keeps; the same value in im, push and router." }, \
	{ "inbox.max_age", CONFIG_DURATION, offsetof(type, inbox.max_age_ms), "7d", 1000, 31536000000, NULL, 0, \
	  "How long an inbox keeps an entry at least; twice that at most. The same value in im, push and router." }, \
	{ "inbox.expire", CONFIG_DURATION, offsetof(type, inbox.expire_ms), "7d", 60000, 31536000000, NULL, 0, \
	  "An inbox that nobody reads or connects for is forgotten after this, or up to half as long again; the same value in " \
	  "im, push and router." }

struct inbox_limits inbox_limits_of(const struct inbox_config *config);

/* What the append script answers. */
struct inbox_appended {
	uint64_t epoch;
	uint64_t offset; /* of the first entry; those of the others follow it */
	/* device, route, device, route ... as in im:route:{uid}; valid during the call */
	const redisReply *routes; /* an array reply */
};

typedef void (*inbox_append_done)(void *arg, err_t err, const struct inbox_appended *appended);

/*
 * Appends up to INBOX_APPEND_MAX entries, all or none, and reads the user's routes, in that order, in one script. What has
 * to come in order goes into one call: of two, the first may be lost with the connection and the second not.
 */
#define INBOX_APPEND_MAX 64
void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct str *entries,
                  size_t count, inbox_append_done done, void *arg);

/* What a client has of the inbox: everything up to `offset`. */
struct inbox_position {
	uint64_t epoch; /* any; 0 is never an inbox's */
	uint64_t offset; /* any */
};

enum inbox_verdict {
	INBOX_ENTRIES, /* what follows the position */
	INBOX_RESET, /* its epoch is not the inbox's, or entries after its offset were trimmed */
	INBOX_PAST_HEAD, /* its epoch is the inbox's, but its offset was never given out */
};

struct inbox_page {
	uint64_t epoch;
	uint64_t head; /* number of the newest entry; 0 for an empty inbox */
	enum inbox_verdict verdict;
	uint64_t after; /* the entries are after + 1, after + 2 ...; the head unless the verdict is INBOX_ENTRIES */
	size_t count;
	const redisReply *entries; /* an array reply; valid during the call */
};

/* Entry `after` + 1 + `index` as text. */
struct str inbox_page_entry(const struct inbox_page *page, size_t index);

typedef void (*inbox_read_done)(void *arg, err_t err, const struct inbox_page *page);

/* Reads up to `limit` entries after `position`; NULL: from the oldest that is kept. */
void inbox_read(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct inbox_position *position,
                unsigned limit, inbox_read_done done, void *arg);

#endif
