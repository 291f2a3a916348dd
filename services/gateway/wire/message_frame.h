#ifndef SKEIN_GATEWAY_WIRE_MESSAGE_FRAME_H
#define SKEIN_GATEWAY_WIRE_MESSAGE_FRAME_H

#include <stdbool.h>

#include "gateway/wire/shared_frame.h"

/*
 * The frame of a message. For two connections with the same viewer and subprotocol
 * only the WebSocket header and the offset differ. They are the head, which is
 * written in front of the shared tail when the frame is copied out.
 */

/* Bytes in front of the tail, at most. */
#define MESSAGE_HEAD_MAX (WS_HEADER_MAX + 64)

/*
 * `message`: a serialized Message without client_msg_id. `for_sender`: connections of the sender get it, with the
 * client_msg_id. One reference. NULL: the message cannot be shown, or its frame is too large. Costs a parse of the message
 * and one pass over it for each tail. Thread: any.
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
