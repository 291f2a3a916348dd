#ifndef SKEIN_GATEWAY_WIRE_SERVER_FRAME_H
#define SKEIN_GATEWAY_WIRE_SERVER_FRAME_H

#include "base/payload.h"
#include "base/ws/ws_frame.h"
#include "proto/client.pb-c.h"

/*
 * Frames for one client: all but messages and events (message_frame.h,
 * event_frame.h). Both subprotocols are encoded from the protobuf structs; the JSON
 * form has the same fields with the same names, and `type`.
 */

enum subprotocol { SUBPROTOCOL_JSON, SUBPROTOCOL_PROTO, SUBPROTOCOL_COUNT };

/* Their names in a handshake, in this order. A client that names none gets the first one. */
extern const char *const subprotocol_names[SUBPROTOCOL_COUNT];

static inline enum ws_opcode subprotocol_opcode(enum subprotocol subprotocol)
{
	return subprotocol == SUBPROTOCOL_JSON ? WS_TEXT : WS_BINARY;
}

/* hello, ack, error, sync_more, resync, reconnect or pong, without the WebSocket header. Texts in it are valid UTF-8. */
struct payload *server_frame(enum subprotocol subprotocol, const Skein__V1__ServerFrame *frame);

#endif
