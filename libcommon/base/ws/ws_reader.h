#ifndef SKEIN_BASE_WS_WS_READER_H
#define SKEIN_BASE_WS_WS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/ws/ws_frame.h"

/*
 * Reads WebSocket frames (RFC 6455, no extensions) from a stream of bytes that arrives in pieces of any size, and joins the
 * fragments of messages. Both sides use it: a server to read its clients, a client to read its server.
 *
 * Call ws_reader_take() with the bytes from the socket until it returns WS_GOT_NOTHING. It takes every byte, so the caller
 * keeps none:
 *
 *   while ((event = ws_reader_take(&reader, &at, &len, &message)) != WS_GOT_NOTHING)
 *           handle(event, &message);
 *
 * Checked: reserved bits, opcodes, the mask (a client must mask, a server must not), the shortest form of a length, control
 * frames (whole, 125 bytes at most), the order of fragments, UTF-8 of texts and of close reasons, close codes, and the size
 * of a message over all its fragments, which is refused as soon as a header announces too much. A frame is refused at the
 * first byte that shows the violation, wherever the pieces begin and end.
 *
 * Memory: a message or control frame that is complete in one piece is unmasked in place and handed out without a copy.
 * Otherwise `kept` collects the bytes. It grows with the bytes that arrived, not with the announced length, to at most
 * max_message + WS_CONTROL_MAX bytes, and is freed by the call after the one that handed it out. Between two messages a
 * reader holds no memory. No I/O. Thread: any, one at a time.
 */

enum ws_sender { WS_CLIENT, WS_SERVER };

struct ws_reader_rules {
	enum ws_sender sender; /* whose frames these are */
	size_t max_message; /* bytes, over all fragments */
};

enum ws_reader_state {
	WS_READING_HEADER,
	WS_READING_PAYLOAD,
	WS_READ_END, /* after a close frame or a violation: all further bytes are ignored */
};

/* The caller zeroes it and sets `rules`, which outlive it. */
struct ws_reader {
	const struct ws_reader_rules *rules;
	/* private */
	struct buf kept; /* the fragments so far, then the received part of a control frame between them */
	size_t message_len; /* of the complete fragments */
	uint64_t frame_len, frame_left; /* payload of the current frame, and the part that has not arrived */
	unsigned frames; /* whose header has arrived; counts on, and the caller may set it back */
	uint8_t state; /* enum ws_reader_state */
	uint8_t message_opcode; /* of the message whose fragments are arriving; 0: none */
	uint8_t header_len; /* bytes of the header that have arrived */
	unsigned char header[WS_MASKED_HEADER_MAX];
};

enum ws_event {
	WS_GOT_NOTHING, /* every byte was taken; no further frame is complete */
	WS_GOT_TEXT, /* valid UTF-8 */
	WS_GOT_BINARY,
	WS_GOT_PING, /* answer it with the same payload */
	WS_GOT_PONG,
	WS_GOT_CLOSE,
	WS_GOT_VIOLATION, /* close the connection with `code` */
};

struct ws_message {
	struct str payload; /* of a close frame: its reason; valid until the next call or until the piece is freed */
	uint16_t code; /* of a close frame: 1005 if it has none. Of a violation: 1002, 1007 or 1009 */
	const char *violation; /* names the violation, for the reason of the close frame and the log; static text */
};

/*
 * Takes bytes from `*at`, `*len` of them, and moves both behind the frame that makes the event, or to the end for NOTHING. A
 * masked payload is unmasked where it is.
 */
enum ws_event ws_reader_take(struct ws_reader *reader, char **at, size_t *len, struct ws_message *message);

/* Whether some, but not all, fragments of a message have arrived. */
bool ws_reader_is_inside_message(const struct ws_reader *reader);

/* Whether something is unfinished: a message, or a frame. Otherwise the reader holds nothing and equals a new one. */
bool ws_reader_is_in_the_middle(const struct ws_reader *reader);

void ws_reader_release(struct ws_reader *reader);

#endif
