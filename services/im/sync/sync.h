#ifndef SKEIN_IM_SYNC_SYNC_H
#define SKEIN_IM_SYNC_SYNC_H

#include "im/stored/message_reader.h"
#include "cluster/inbox.h"

/*
 * Reads a page of a user's inbox after a position, for GET /v1/sync and im.Sync
 * alike: the references come from Redis, the messages from the cache or PostgreSQL
 * (message_reader.h). A page ends at its limit or at MESSAGE_PAGE_BYTES. It has no
 * gaps: an entry without its message fails the whole page. Thread:
 * the worker's.
 */
struct sync {
	struct redis *redis;
	struct inbox_limits limits;
	struct message_reader reader;
	struct counter *pages, *resets;
};

struct sync_page {
	uint64_t epoch;
	uint64_t head;
	uint64_t next_offset; /* of the last entry; without entries the requested offset; after a reset the head */
	bool has_more;
	bool is_reset; /* the position is not known any more; no entries */
	size_t count;
	uint64_t first_offset; /* of entries[0]; the others follow one by one */
	const struct message_wanted *entries;
};

/*
 * OK with a page, valid during the call; ERR_FAILED_PRECONDITION when the offset is past the head of its epoch;
 * ERR_UNAVAILABLE when Redis or PostgreSQL is away; ERR_INTERNAL, logged, when an entry has no message.
 */
typedef void (*sync_done)(void *arg, err_t err, const struct sync_page *page);

void sync_init(struct sync *sync, struct redis *redis, const struct inbox_limits *limits, struct pg *pg,
               struct message_cache *cache);

/* When nothing is under way. */
void sync_release(struct sync *sync);

/* What a page shows of its messages besides recalls and edits. */
enum sync_detail { SYNC_PLAIN, SYNC_WITH_REACTIONS };

/*
 * `position` NULL: from the oldest entry that is kept. A user without an inbox gets one. `uid` lives until `done`, which is called
 * later.
 */
void sync_read(struct sync *sync, struct str uid, const struct inbox_position *position, unsigned limit,
               enum sync_detail detail, sync_done done, void *arg);

struct call;

void sync_get(struct call *call); /* GET /v1/sync; the context is a struct sync */

#endif
