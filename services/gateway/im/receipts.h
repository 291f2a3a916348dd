#ifndef SKEIN_GATEWAY_IM_RECEIPTS_H
#define SKEIN_GATEWAY_IM_RECEIPTS_H

#include <stdbool.h>

#include "base/list.h"
#include "base/map.h"
#include "base/text/buf.h"
#include "gateway/queues/pulled.h"

/*
 * Delivered receipts that im is to be told: the seq up to which a device of a user
 * has acknowledged a one-to-one conversation. There is one for each user and
 * conversation; a later ack raises its seq, so a busy conversation costs one
 * receipt a batch. Oldest first.
 *
 * A receipt may also be a range of a user's inbox, whose messages im looks up.
 * There is one for each user; ranges of one epoch are merged.
 *
 * Pure. At most RECEIPTS_MAX wait. Thread: one.
 */

#define RECEIPTS_MAX 4096
#define RECEIPTS_BATCH 256 /* in one call: proto/im.proto */

struct receipts {
	struct map by_key;
	struct list order;
};

void receipts_init(struct receipts *receipts);
void receipts_release(struct receipts *receipts);

/* False: RECEIPTS_MAX others wait, and this one was dropped. */
bool receipts_add(struct receipts *receipts, const char *uid, const char *conversation_id, uint64_t seq);

/* The same for what is in the user's inbox after `after` up to `up_to`. */
bool receipts_add_range(struct receipts *receipts, const char *uid, const struct pulled *range);

static inline size_t receipts_count(const struct receipts *receipts)
{
	return receipts->by_key.len;
}

/* Takes up to RECEIPTS_BATCH out and appends them to `out` as a serialized DeliveredRequest; returns how many. */
size_t receipts_take(struct receipts *receipts, struct buf *out);

#endif
