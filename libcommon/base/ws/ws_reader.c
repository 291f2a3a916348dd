#include "base/ws/ws_reader.h"

#include "base/text/utf8.h"

#define FINAL 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define SHORT_LENGTH 0x7f

#define PROTOCOL_ERROR 1002
#define NOT_UTF8 1007
#define TOO_LARGE 1009

void ws_reader_release(struct ws_reader *reader)
{
	buf_release(&reader->kept);
}

bool ws_reader_is_inside_message(const struct ws_reader *reader)
{
	return reader->message_opcode != 0;
}

bool ws_reader_is_in_the_middle(const struct ws_reader *reader)
{
	return ws_reader_is_inside_message(reader) || reader->header_len || reader->state != WS_READING_HEADER;
}

static enum ws_event ws_reader_refuse(struct ws_reader *reader, uint16_t code, const char *why, struct ws_message *message)
{
	reader->state = WS_READ_END;
	*message = (struct ws_message){ .code = code, .violation = why };
	return WS_GOT_VIOLATION;
}

/* ---- the header ---- */

static bool ws_reader_is_final(const struct ws_reader *reader)
{
	return reader->header[0] & FINAL;
}

static unsigned ws_reader_opcode(const struct ws_reader *reader)
{
	return reader->header[0] & OPCODE;
}

static bool ws_reader_is_control(const struct ws_reader *reader)
{
	return ws_reader_opcode(reader) >= WS_CLOSE;
}

/* Bytes of the extended length: 0, 2 or 8. */
static size_t ws_reader_length_bytes(const struct ws_reader *reader)
{
	unsigned length = reader->header[1] & SHORT_LENGTH;

	if (length < 126)
		return 0;
	return length == 126 ? 2 : 8;
}

/* The size of a header of which at least two bytes have arrived. */
static size_t ws_reader_header_size(const struct ws_reader *reader)
{
	return 2 + ws_reader_length_bytes(reader) + (reader->rules->sender == WS_CLIENT ? WS_MASK_LEN : 0);
}

/* The violation in the first two bytes, or NULL. */
static const char *ws_reader_judge_bits(const struct ws_reader *reader)
{
	unsigned opcode = ws_reader_opcode(reader);
	bool is_masked = reader->header[1] & MASKED;
	bool is_inside = ws_reader_is_inside_message(reader);

	if (reader->header[0] & RESERVED)
		return "a reserved bit is set";
	if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG)
		return "unknown opcode";
	if (is_masked != (reader->rules->sender == WS_CLIENT))
		return is_masked ? "a server's frame is masked" : "a client's frame is not masked";
	if (ws_reader_is_control(reader))
		return !ws_reader_is_final(reader)                         ? "a control frame is fragmented" :
		       (reader->header[1] & SHORT_LENGTH) > WS_CONTROL_MAX ? "a control frame is longer than 125 bytes" :
		                                                              NULL;
	if (opcode == WS_CONTINUATION && !is_inside)
		return "a continuation without a message";
	if (opcode != WS_CONTINUATION && is_inside)
		return "a message inside another one";
	return NULL;
}

/* Each part of the header is checked as soon as it is complete: the first two bytes, then the length. */
static enum ws_event ws_reader_take_header_byte(struct ws_reader *reader, char byte, struct ws_message *message)
{
	const char *why;

	reader->header[reader->header_len++] = (unsigned char)byte;
	if (reader->header_len < 2)
		return WS_GOT_NOTHING;
	if (reader->header_len == 2 && (why = ws_reader_judge_bits(reader)))
		return ws_reader_refuse(reader, PROTOCOL_ERROR, why, message);
	size_t bytes = ws_reader_length_bytes(reader);
	if (reader->header_len == 2 + bytes) {
		uint64_t len = bytes ? 0 : reader->header[1] & SHORT_LENGTH;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | reader->header[2 + i];
		if ((bytes == 2 && len < 126) || (bytes == 8 && len <= UINT16_MAX) || len >> 63)
			return ws_reader_refuse(reader, PROTOCOL_ERROR, "a length is not in its shortest form", message);
		if (!ws_reader_is_control(reader) && len > reader->rules->max_message - reader->message_len)
			return ws_reader_refuse(reader, TOO_LARGE, "message too large", message);
		reader->frame_len = reader->frame_left = len;
	}
	if (reader->header_len == ws_reader_header_size(reader)) {
		reader->state = WS_READING_PAYLOAD;
		reader->frames++;
	}
	return WS_GOT_NOTHING;
}

/* ---- the payload ---- */

/* Whether a close frame may carry the code: RFC 6455 section 7.4 and IANA's registry. */
static bool ws_reader_is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum ws_event ws_reader_finish_close(struct ws_reader *reader, struct ws_message *message)
{
	struct str payload = message->payload;

	reader->state = WS_READ_END;
	message->code = WS_NO_CODE;
	if (payload.len == 0)
		return WS_GOT_CLOSE;
	if (payload.len >= 2) {
		message->code = (uint16_t)((unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1]);
		message->payload = str_of(payload.ptr + 2, payload.len - 2);
	}
	if (payload.len == 1 || !ws_reader_is_close_code(message->code))
		return ws_reader_refuse(reader, PROTOCOL_ERROR, "a close code that must not be sent", message);
	if (!utf8_is_valid(message->payload))
		return ws_reader_refuse(reader, NOT_UTF8, "a close reason is not UTF-8", message);
	return WS_GOT_CLOSE;
}

/* A control frame is complete: at the end of `kept` or, if no part of it had to be kept, at `piece`. */
static enum ws_event ws_reader_finish_control(struct ws_reader *reader, struct str piece, struct ws_message *message)
{
	bool is_kept = reader->kept.len > reader->message_len;

	message->payload = is_kept ? str_of(reader->kept.ptr + reader->message_len, reader->frame_len) : piece;
	reader->kept.len = reader->message_len; /* its bytes stay in place until the next call appends */
	switch (ws_reader_opcode(reader)) {
	case WS_PING:
		return WS_GOT_PING;
	case WS_PONG:
		return WS_GOT_PONG;
	default:
		return ws_reader_finish_close(reader, message);
	}
}

/*
 * A data frame is complete. With the final frame the message is complete too: in `kept` or, if nothing had to be kept, at
 * `piece`.
 */
static enum ws_event ws_reader_finish_data(struct ws_reader *reader, struct str piece, struct ws_message *message)
{
	unsigned opcode = ws_reader_opcode(reader) == WS_CONTINUATION ? reader->message_opcode : ws_reader_opcode(reader);

	if (!ws_reader_is_final(reader)) {
		reader->message_opcode = (uint8_t)opcode;
		reader->message_len = reader->kept.len;
		return WS_GOT_NOTHING;
	}
	message->payload = reader->kept.len ? buf_str(&reader->kept) : piece;
	reader->kept.len = reader->message_len = 0; /* the next call frees it */
	reader->message_opcode = 0;
	if (opcode == WS_BINARY)
		return WS_GOT_BINARY;
	if (!utf8_is_valid(message->payload))
		return ws_reader_refuse(reader, NOT_UTF8, "a text is not UTF-8", message);
	return WS_GOT_TEXT;
}

/* Takes the payload bytes that are there. After the last one the frame is complete and the next header follows. */
static enum ws_event ws_reader_take_payload(struct ws_reader *reader, char **at, size_t *len, struct ws_message *message)
{
	size_t taken = MIN(*len, reader->frame_left);
	struct str piece = str_of(*at, taken);

	if (reader->rules->sender == WS_CLIENT)
		ws_mask(*at, taken, reader->header + ws_reader_header_size(reader) - WS_MASK_LEN,
		        (size_t)(reader->frame_len - reader->frame_left));
	*at += taken;
	*len -= taken;
	reader->frame_left -= taken;
	/* A message or control frame that is complete in this piece is handed out from there. A fragment is always kept. */
	bool is_control = ws_reader_is_control(reader);
	bool is_whole = taken == reader->frame_len && ws_reader_is_final(reader) && (is_control || reader->kept.len == 0);
	if (!is_whole)
		buf_append_str(&reader->kept, piece);
	if (reader->frame_left)
		return WS_GOT_NOTHING;
	reader->state = WS_READING_HEADER;
	reader->header_len = 0;
	return is_control ? ws_reader_finish_control(reader, piece, message) : ws_reader_finish_data(reader, piece, message);
}

enum ws_event ws_reader_take(struct ws_reader *reader, char **at, size_t *len, struct ws_message *message)
{
	enum ws_event event = WS_GOT_NOTHING;

	*message = (struct ws_message){ 0 };
	if (reader->kept.len == 0)
		buf_release(&reader->kept); /* the last call may have handed it out */
	if (reader->state == WS_READ_END) {
		*at += *len;
		*len = 0;
	}
	while (event == WS_GOT_NOTHING && *len) {
		if (reader->state == WS_READING_HEADER) {
			event = ws_reader_take_header_byte(reader, *(*at)++, message);
			--*len;
		}
		if (reader->state == WS_READING_PAYLOAD) /* not `else`: a frame without payload ends with its header */
			event = ws_reader_take_payload(reader, at, len, message);
	}
	return event;
}
