#ifndef SKEIN_BASE_WS_WS_FRAME_H
#define SKEIN_BASE_WS_WS_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* Encoding of unmasked (server to client) WebSocket frames, RFC 6455 section 5.2. */

enum ws_opcode { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define WS_HEADER_MAX 10
#define WS_CLOSE_FRAME_MAX 127 /* header, code and 123 bytes of reason */

/* What a close frame without a code means; never on the wire. */
#define WS_NO_CODE 1005

/* Writes the header of a final frame of `len` bytes; returns its length (2, 4 or 10). */
size_t ws_frame_header(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len);

/*
 * A whole close frame; returns its length. A longer reason is cut, between two
 * characters; NULL is none. WS_NO_CODE gives a frame with neither code nor reason.
 */
size_t ws_close_frame(unsigned char out[WS_CLOSE_FRAME_MAX], uint16_t code, const char *reason);

#endif
