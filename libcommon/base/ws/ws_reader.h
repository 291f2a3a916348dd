#ifndef SKEIN_BASE_WS_WS_READER_H
#define SKEIN_BASE_WS_WS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/ws/ws_frame.h"

/*
 * Reads WebSocket frames (RFC 6455, no extensions) out of a stream of bytes that comes in any pieces, and puts messages
 * together. Either side uses it: a server to read clients, a client to read a server.
 *
 * Feed it what a socket gave until it says NOTHING; it takes every byte, so nothing is left for the caller to keep:
 *
 *   while ((event = ws_reader_take(&reader, &at, &len, &message)) != WS_GOT_NOTHING)
 *           handle(event, &message);
 *
 * Checked: reserved bits, opcodes, the mask (a client must mask, a server must not), the shortest form of a length, control
 * frames (whole, 125 bytes at most), the order of fragments, UTF-8 of texts and of close reasons, close codes, and the size
 * of a message over all its fragments, which is refused as soon as a header announces too much. A frame is refused at the
 * first byte that shows the violation, however the bytes were cut.
 *
 * Memory: a message or control frame that is whole in one piece is unmasked in place and handed out without a copy. Of one
 * that is not, `kept` holds what has come: it grows with what arrived, not with what was announced, by at most
 * max_message + WS_CONTROL_MAX bytes, and is freed by the call after the one that handed it out. A reader at rest holds
 * no memory. No I/O. Thread: any, one at a time.
 */

enum ws_sender { WS_CLIENT, WS_SERVER };

struct ws_reader_rules {
	enum ws_sender sender; /* whose frames these are */
	size_t max_message; /* bytes, over all fragments */
};

enum ws_reader_state {
	WS_READING_HEADER,
	WS_READING_PAYLOAD,
	WS_READ_END, /* a close frame or a violation came: all further bytes are ignored */
};

/* Zeroed but for `rules`, which outlive it. */
struct ws_reader {
	const struct ws_reader_rules *rules;
	/* private */
	struct buf kept; /* the fragments so far, then what has come of a control frame between them */
	size_t message_len; /* of the fragments that are whole */
	uint64_t frame_len, frame_left; /* payload of the current frame; what of it has not come */
	uint8_t state; /* enum ws_reader_state */
	uint8_t message_opcode; /* of the message whose fragments come; 0: none */
	uint8_t header_len; /* bytes of the header that have come */
	unsigned char header[WS_MASKED_HEADER_MAX];
};

enum ws_event {
	WS_GOT_NOTHING, /* every byte was taken, nothing more is whole */
	WS_GOT_TEXT, /* valid UTF-8 */
	WS_GOT_BINARY,
	WS_GOT_PING, /* answer it with the same payload */
	WS_GOT_PONG,
	WS_GOT_CLOSE,
	WS_GOT_VIOLATION, /* close the connection with `code` */
};

struct ws_message {
	struct str payload; /* of a close frame: its reason; valid until the next call or until the piece's memory goes */
	uint16_t code; /* of a close frame: 1005 if it has none. Of a violation: 1002, 1007 or 1009 */
	const char *violation; /* what was wrong, for the reason of the close frame and the log; static text */
};

/*
 * Takes bytes from `*at`, `*len` of them, and moves both behind the frame that makes the event, or to the end for NOTHING. A
 * masked payload is unmasked where it is.
 */
enum ws_event ws_reader_take(struct ws_reader *reader, char **at, size_t *len, struct ws_message *message);

/* Whether a message is under way: some of its fragments have come. */
bool ws_reader_is_inside_message(const struct ws_reader *reader);

void ws_reader_release(struct ws_reader *reader);

#endif
