#ifndef SKEIN_GATEWAY_WIRE_EVENT_FRAME_H
#define SKEIN_GATEWAY_WIRE_EVENT_FRAME_H

#include "gateway/wire/shared_frame.h"

/*
 * The frame of an event: the same bytes for all connections of a subprotocol,
 * since it has no number.
 *
 *   JSON      {"type":"event","kind":"read","conversation_id":...}   the members of the body follow `kind`
 *   protobuf  32 len <Event>
 */

/* Largest serialized Event. Its JSON form is at most six times as long, so both fit into a frame. */
#define EVENT_MAX (16 * 1024)

/*
 * One reference. NULL: the kind is not a valid id, the event is too large, or the body is not a JSON object or has a
 * member `type` or `kind` (an empty one is fine). Parses the body once. Thread: any.
 */
struct shared_frame *event_frame_new(const Skein__V1__Event *event);

/* Length of the whole frame on the wire, at most. */
static inline size_t event_frame_max(const struct shared_frame *frame, enum subprotocol subprotocol)
{
	return WS_HEADER_MAX + frame->tails[VIEWER_OTHER][subprotocol].len;
}

/* Writes the whole frame; `out` has room for event_frame_max(). Returns its length. */
size_t event_frame_write(char *out, const struct shared_frame *frame, enum subprotocol subprotocol);

#endif
