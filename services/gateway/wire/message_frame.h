#ifndef SKEIN_GATEWAY_WIRE_MESSAGE_FRAME_H
#define SKEIN_GATEWAY_WIRE_MESSAGE_FRAME_H

#include <stdbool.h>

#include "gateway/wire/shared_frame.h"

/*
 * The frame of a message. Between two connections only the WebSocket header and
 * the offset differ: the head, written in front of the shared tail when the
 * frame is copied out.
 */

/* Bytes in front of the tail, at most. */
#define MESSAGE_HEAD_MAX (WS_HEADER_MAX + 64)

/*
 * `message`: a serialized Message without client_msg_id. `for_sender`: there are connections of the sender's, which see
 * the client_msg_id. NULL: not a message that can be shown, or its frame is too large. One reference. Costs a parse of the
 * message and one pass over it for each tail. Thread: any.
 */
struct shared_frame *message_frame_new(struct str message, bool for_sender, struct str client_msg_id);

/* Length of the whole frame on the wire, at most. */
static inline size_t message_frame_max(const struct shared_frame *frame, enum viewer viewer, enum subprotocol subprotocol)
{
	return MESSAGE_HEAD_MAX + frame->tails[viewer][subprotocol].len;
}

/* Writes the whole frame; `out` has room for message_frame_max(). Returns its length. */
size_t message_frame_write(char *out, const struct shared_frame *frame, enum viewer viewer, enum subprotocol subprotocol,
                           uint64_t offset);

#endif
