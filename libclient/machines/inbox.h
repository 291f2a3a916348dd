#ifndef SKEIN_LIBCLIENT_MACHINES_INBOX_H
#define SKEIN_LIBCLIENT_MACHINES_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/text/str.h"
#include "libclient/machines/known.h"

/*
 * Hands over each message once, in the order of its conversation, and decides what to read where messages are missing. Pure:
 * no I/O and no clock. Its driver reports events and does the actions that inbox_take() returns until there is NOTHING.
 *
 * Messages wait in three lists; the next one is taken from the first list that is not empty:
 *
 *   pulled   a page of one conversation's history   fills a gap in seq, or the messages that a reset leaves out
 *   synced   a page of GET /v1/sync                 fills a gap in offsets
 *   held     live messages
 *
 * A gap in offsets at the head of `held` asks for SYNC; a gap in the seq of a known conversation asks for PULL. The head
 * waits until the gap is filled. So `sync_more` and `resync` need no case of their own: they announce a gap before a message
 * shows it. Messages that were not handed over when a connection is lost do not count as received, and come again.
 *
 * There are two positions: up to where messages were handed over (`at`), and up to where the application has taken them. The
 * second one is stored and acked.
 */

#define INBOX_EPOCH_MAX 15

struct inbox_position {
	char epoch[INBOX_EPOCH_MAX + 1]; /* "" : none */
	uint64_t offset;
};

/* The driver embeds one in each message. The inbox owns it until HAND_OVER or let_go. */
struct inbox_item {
	struct list link;
	struct str conversation; /* the driver's memory */
	uint64_t seq; /* > 0 */
	uint64_t offset; /* 0: it has none */
	uint32_t bytes; /* its memory while it is held */
};

struct inbox_rules {
	bool starts_from_oldest;
	uint32_t unknown_history; /* messages to read of a conversation that a reset made known; 0: all */
	unsigned max_held, max_untaken, max_conversations;
	uint32_t max_held_bytes;
	unsigned settle_every; /* messages */
	uint64_t settle_after_ms;
	void (*let_go)(struct inbox_item *item); /* free it: it will not be handed over */
};

struct inbox {
	const struct inbox_rules *rules;
	struct inbox_position at; /* all before it was handed over */
	bool knows_hot; /* there are hot groups, whose messages have no offset: only a sync tells which of them were missed */
	/* private */
	struct inbox_position taken;
	struct known_set conversations;
	struct list untaken; /* handed over, not taken */
	unsigned untaken_count;
	uint64_t deliveries; /* handed over so far */
	struct list pulled, synced, held, pulls;
	unsigned held_count;
	uint64_t held_bytes;
	char connected_epoch[INBOX_EPOCH_MAX + 1]; /* of live frames; "" while not connected */
	uint64_t given_out, acked; /* on this connection: the highest offset that may be acked, and that was */
	bool must_sync; /* messages may be missing though no gap shows it yet */
	bool is_asking, is_pulling; /* a SYNC or PULL has no answer yet; it is a PULL */
	bool page_is_open; /* `page_end` is reached when `synced` is empty */
	bool is_reset; /* `page_end` is reached when the pulls are done */
	struct inbox_position page_end;
	uint64_t accepted_gap; /* a sync did not fill the gap before this offset: it is not real */
	unsigned unsettled; /* messages taken since the last SETTLE */
	bool is_dirty; /* the state to store has changed */
	uint64_t settle_ms; /* when to SETTLE; 0: nothing to store */
};

/* Begins from nothing; inbox_restore() calls after it begin from the stored state. */
void inbox_init(struct inbox *inbox, const struct inbox_rules *rules);
void inbox_restore(struct inbox *inbox, const struct inbox_position *position, bool knows_hot);
void inbox_restore_conversation(struct inbox *inbox, struct str conversation, uint64_t seq);
void inbox_release(struct inbox *inbox);

/* ---- events ---- */

/* `hello`, after a handshake that named inbox.at. */
void inbox_connected(struct inbox *inbox, struct str epoch, uint64_t head);
void inbox_disconnected(struct inbox *inbox);

/*
 * After inbox_connected(): the offset that the handshake named. If another connection handed over messages since then, the
 * server sends them again on this one, and they are acked here, too.
 */
void inbox_moved(struct inbox *inbox, uint64_t named_offset);
void inbox_live(struct inbox *inbox, struct inbox_item *item);
void inbox_sync_more(struct inbox *inbox);
void inbox_resync(struct inbox *inbox, struct str epoch);

struct inbox_mark {
	struct str conversation;
	uint64_t last_seq;
};

/* The answer to SYNC. The inbox takes over the `items`, which are linked by their `link`. */
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
 * The server refuses the SYNC or PULL for good: the position is not valid, or this user may not read the conversation. False:
 * there is nothing else to try.
 */
bool inbox_refused(struct inbox *inbox);

/* The application has taken every message up to that delivery. */
void inbox_taken(struct inbox *inbox, uint64_t delivery);

/* ---- actions ---- */

enum inbox_action {
	INBOX_NOTHING,
	INBOX_HAND_OVER, /* `item`, which the driver owns again, as number `delivery` */
	INBOX_SYNC, /* after `from`; from the oldest message if that has no epoch */
	INBOX_PULL, /* `conversation`, after `after_seq` */
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

/* When to call inbox_take() again at the latest; 0: when something happens. */
static inline uint64_t inbox_deadline(const struct inbox *inbox)
{
	return inbox->settle_ms;
}

/* The state to store: calls `each` for every conversation (its id is terminated) and returns the position. */
const struct inbox_position *inbox_stored(const struct inbox *inbox,
                                          void (*each)(void *arg, struct str conversation, uint64_t seq), void *arg);

#endif
