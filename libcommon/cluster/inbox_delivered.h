#ifndef SKEIN_CLUSTER_INBOX_DELIVERED_H
#define SKEIN_CLUSTER_INBOX_DELIVERED_H

#include "base/error.h"
#include "base/text/str.h"
#include "store/redis/redis.h"

/*
 * How far a user's devices have read their inbox over HTTP. The field `d` of the inbox's meta hash (inbox.h) holds the highest
 * number of which im was told, so each entry is looked up once, however many devices read it.
 */

/* The newest entries of a range are claimed; the senders of older ones learn of it by the receipt of a later message. */
#define INBOX_DELIVERED_MAX 500

struct inbox_range {
	uint64_t epoch;
	uint64_t after, up_to; /* the numbers after + 1 to up_to; they come from outside and may have any value */
};

/* The entries, oldest first, as in inbox.h; valid during the call. None: of another epoch, claimed before, or trimmed. */
typedef void (*inbox_delivered_done)(void *arg, err_t err, const struct str *entries, size_t count);

/* Claims what was not claimed before of a range. An inbox is not made, and its life is not extended. */
void inbox_claim_delivered(struct redis *redis, struct str uid, const struct inbox_range *range, inbox_delivered_done done,
                           void *arg);

#endif
