#ifndef SKEIN_LIBCLIENT_MACHINES_INBOX_H
#define SKEIN_LIBCLIENT_MACHINES_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/text/str.h"

/*
 * Hands each message over once, in order of its conversation, and knows what to
 * read where something is missing. Pure: no I/O and no clock; whoever drives it
 * tells what comes and does what inbox_take() says until it says NOTHING.
 *
 * What came waits in three lists, and goes on from the first that is not empty:
 *
 *   pulled   a page of one conversation's history   fills a gap in seq, or what a reset leaves open
 *   synced   a page of GET /v1/sync                 fills a gap in offsets
 *   held     what came live
 *
 * A gap in offsets at the head of `held` asks for SYNC, a gap in the seq of a conversation that is followed for PULL; the
 * head waits until it is filled. So `sync_more` and `resync` need no case of their own: they only say that there is a gap
 * before a message tells. What is lost with a connection is not counted as had, and comes again.
 *
 * What the application took is a second, later position: it is what is stored and acked.
 */

#define INBOX_EPOCH_MAX 15

struct inbox_position {
	char epoch[INBOX_EPOCH_MAX + 1]; /* "" : none */
	uint64_t offset;
};

/* The driver embeds one in each message; it is the inbox's until HAND_OVER or let_go. */
struct inbox_item {
	struct list link;
	struct str conversation; /* the driver's memory */
	uint64_t seq; /* > 0 */
	uint64_t offset; /* 0: it has none */
	uint32_t bytes; /* what holding it costs */
};

struct inbox_rules {
	bool starts_from_oldest;
	uint32_t unknown_history; /* messages to read of a conversation that is new after a reset; 0: all */
	unsigned max_held, max_untaken, max_conversations;
	uint32_t max_held_bytes;
	unsigned settle_every; /* messages */
	uint64_t settle_after_ms;
	void (*let_go)(struct inbox_item *item); /* it is not going to be handed over */
};

struct inbox {
	const struct inbox_rules *rules;
	struct inbox_position at; /* all before it was handed over */
	bool knows_hot; /* some groups' messages have no offset: only sync tells what of them was missed */
	/* private */
	struct inbox_position taken;
	struct map conversations;
	struct list quiet; /* conversations, the one that was quiet the longest first */
	struct list untaken; /* handed over, not taken */
	unsigned untaken_count;
	uint64_t deliveries; /* handed over so far */
	struct list pulled, synced, held, pulls;
	unsigned held_count;
	uint64_t held_bytes;
	char connected_epoch[INBOX_EPOCH_MAX + 1]; /* of live frames; "" while not connected */
	uint64_t given_out, acked; /* on this connection: the highest offset that may be acked, and that was */
	bool must_sync; /* something may be missing that no message told yet */
	bool is_asking, is_pulling; /* a SYNC or PULL has no answer yet, and it is a PULL */
	bool page_is_open; /* `page_end` is reached when `synced` is empty */
	bool is_reset; /* `page_end` is reached when the pulls are done */
	struct inbox_position page_end;
	uint64_t accepted_gap; /* a gap in offsets before this one stayed after a sync */
	unsigned unsettled; /* messages taken since the last SETTLE */
	bool is_dirty; /* something to store */
	uint64_t settle_ms; /* when to SETTLE; 0: nothing to */
};

/* At the start from nothing, or with inbox_restore() calls after it from what was stored. */
void inbox_init(struct inbox *inbox, const struct inbox_rules *rules);
void inbox_restore(struct inbox *inbox, const struct inbox_position *position, bool knows_hot);
void inbox_restore_conversation(struct inbox *inbox, struct str conversation, uint64_t seq);
void inbox_release(struct inbox *inbox);

/* ---- what happens ---- */

/* `hello`, after a handshake that named inbox.at. */
void inbox_connected(struct inbox *inbox, struct str epoch, uint64_t head);
void inbox_disconnected(struct inbox *inbox);

/*
 * After inbox_connected(): the handshake named that offset. Where another connection went on handing over meanwhile, what it
 * gave comes again on this one, and is acked here, too.
 */
void inbox_moved(struct inbox *inbox, uint64_t named_offset);
void inbox_live(struct inbox *inbox, struct inbox_item *item);
void inbox_sync_more(struct inbox *inbox);
void inbox_resync(struct inbox *inbox, struct str epoch);

struct inbox_mark {
	struct str conversation;
	uint64_t last_seq;
};

/* The answer to SYNC. `items`, linked by their link, are the inbox's then. */
struct inbox_page {
	struct inbox_position end; /* epoch, next_offset */
	bool has_more, is_reset;
	struct list items;
	const struct inbox_mark *marks; /* `conversations` of a reset, else `hot` */
	size_t mark_count;
};

void inbox_synced(struct inbox *inbox, struct inbox_page *page);

/* The answer to PULL, in order of seq. */
void inbox_pulled(struct inbox *inbox, struct list *items, bool is_last);

/*
 * The server will never answer the SYNC or PULL: the position makes no sense to it, or the conversation may not be
 * read. False: there is no other way.
 */
bool inbox_refused(struct inbox *inbox);

/* Everything up to that delivery was taken by the application. */
void inbox_taken(struct inbox *inbox, uint64_t delivery);

/* ---- what to do ---- */

enum inbox_action {
	INBOX_NOTHING,
	INBOX_HAND_OVER, /* item, which is the driver's again, under the number `delivery` */
	INBOX_SYNC, /* from there; from the oldest if it has no epoch */
	INBOX_PULL, /* that conversation, after that seq */
	INBOX_SETTLE, /* store the state; then ack `offset` unless it is 0 */
};

struct inbox_effect {
	struct inbox_item *item;
	uint64_t delivery;
	struct inbox_position from;
	struct str conversation; /* terminated */
	uint64_t after_seq;
	uint64_t offset;
};

enum inbox_action inbox_take(struct inbox *inbox, uint64_t now_ms, struct inbox_effect *effect);

/* When inbox_take() is to be asked again; 0: when something happens. */
static inline uint64_t inbox_deadline(const struct inbox *inbox)
{
	return inbox->settle_ms;
}

/* What is to be stored: calls `each` for every conversation (its id is terminated) and returns the position. */
const struct inbox_position *inbox_stored(const struct inbox *inbox,
                                          void (*each)(void *arg, struct str conversation, uint64_t seq), void *arg);

#endif
