#ifndef SKEIN_GATEWAY_WIRE_SHARED_FRAME_H
#define SKEIN_GATEWAY_WIRE_SHARED_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/text/str.h"
#include "gateway/wire/server_frame.h"

/*
 * One message on its way to many connections: its frame, encoded once for each
 * subprotocol, for others and for the sender's own connections. Of a frame only
 * the WebSocket header and the offset differ; they are written in front of the
 * shared rest when it is copied out.
 *
 * Made by one thread and shared read-only; the count of references is atomic. A
 * worker does not touch that for each connection: it keeps a fanout_share, whose
 * references are its own.
 */

/* Of a whole frame: contract section 1. */
#define FANOUT_FRAME_MAX (256 * 1024)

/* What may stand before the shared part, at most. */
#define FANOUT_HEAD_MAX (WS_HEADER_MAX + 64)

enum audience { AUDIENCE_OTHERS, AUDIENCE_OWN, AUDIENCE_COUNT };

struct fanout {
	atomic_uint refs;
	struct str tails[AUDIENCE_COUNT][SUBPROTOCOL_COUNT]; /* into `bytes`; without own targets those are empty */
	struct str client_msg_id; /* into `bytes` */
	char bytes[];
};

/*
 * `message`: a serialized Message without client_msg_id. `for_own`: there are connections of the sender's, which see
 * it. NULL when it is none, or too large. One reference.
 */
struct fanout *fanout_new(struct str message, bool for_own, struct str client_msg_id);
struct fanout *fanout_ref(struct fanout *fanout);
void fanout_unref(struct fanout *fanout);

/* Length of the whole frame on the wire, at most. */
static inline size_t fanout_frame_max(const struct fanout *fanout, enum audience audience, enum subprotocol subprotocol)
{
	return FANOUT_HEAD_MAX + fanout->tails[audience][subprotocol].len;
}

/* Writes the whole frame; there must be room. Returns its length. */
size_t fanout_frame_write(char *out, const struct fanout *fanout, enum audience audience, enum subprotocol subprotocol,
                          uint64_t offset);

/* One worker's references, not atomic. Thread: the worker's. */
struct fanout_share {
	struct fanout *fanout;
	unsigned refs;
};

/* Takes a reference to `fanout`; the share has one itself. */
struct fanout_share *fanout_share_new(struct fanout *fanout);

static inline struct fanout_share *fanout_share_ref(struct fanout_share *share)
{
	share->refs++;
	return share;
}

void fanout_share_free(struct fanout_share *share);

static inline void fanout_share_unref(struct fanout_share *share)
{
	if (--share->refs == 0)
		fanout_share_free(share);
}

#endif
