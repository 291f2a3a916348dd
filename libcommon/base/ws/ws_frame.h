#ifndef SKEIN_BASE_WS_WS_FRAME_H
#define SKEIN_BASE_WS_WS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/text/buf.h"

/*
 * Writes WebSocket frames (RFC 6455 section 5.2) into memory of the caller. A server's frames are not masked, a client's
 * are: each side has its own functions. Every frame is final, and its length takes the shortest form. Pure; thread: any.
 */

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define WS_HEADER_MAX 10
#define WS_MASK_LEN 4
#define WS_MASKED_HEADER_MAX (WS_HEADER_MAX + WS_MASK_LEN)
#define WS_CONTROL_MAX 125 /* bytes of payload in a close, ping or pong */
#define WS_CLOSE_FRAME_MAX (2 + WS_CONTROL_MAX)

/* Stands for a close frame without a code; never on the wire. */
#define WS_NO_CODE 1005

/* ---- a server's frames ---- */

/* Writes the header of a frame with `len` bytes of payload; returns its length (2, 4 or 10). */
size_t ws_frame_header(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len);

/*
 * Writes a whole close frame; returns its length. A reason that is too long is cut between two characters; NULL is none.
 * WS_NO_CODE gives a frame with neither code nor reason.
 */
size_t ws_close_frame(unsigned char out[WS_CLOSE_FRAME_MAX], uint16_t code, const char *reason);

/* ---- a client's frames ---- */

/* The same header with the mask at its end; returns its length (6, 8 or 14). The payload follows, masked. */
size_t ws_masked_frame_header(unsigned char out[WS_MASKED_HEADER_MAX], enum ws_opcode opcode, uint64_t len,
                              const unsigned char mask[WS_MASK_LEN]);

/* Masks bytes in place, or unmasks them: it is its own inverse. The first byte is at `position` of the payload. */
void ws_mask(void *bytes, size_t len, const unsigned char mask[WS_MASK_LEN], size_t position);

/* Appends a whole masked frame. The mask is the caller's: random on a real network (RFC 6455 section 5.3). */
void ws_put_masked_frame(struct buf *out, enum ws_opcode opcode, struct str payload,
                         const unsigned char mask[WS_MASK_LEN]);
void ws_put_masked_close(struct buf *out, uint16_t code, const char *reason, const unsigned char mask[WS_MASK_LEN]);

#endif
