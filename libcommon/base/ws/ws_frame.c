#include "base/ws/ws_frame.h"

#include <string.h>

#include "base/text/utf8.h"

#define FINAL 0x80
#define MASKED 0x80
#define REASON_MAX (WS_CONTROL_MAX - 2)

static size_t ws_frame_put_big_endian(unsigned char *out, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(number >> (8 * (bytes - 1 - i)));
	return bytes;
}

size_t ws_frame_header(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len)
{
	out[0] = (unsigned char)(FINAL | opcode);
	if (len < 126) {
		out[1] = (unsigned char)len;
		return 2;
	}
	if (len <= UINT16_MAX) {
		out[1] = 126;
		return 2 + ws_frame_put_big_endian(out + 2, len, 2);
	}
	out[1] = 127;
	return 2 + ws_frame_put_big_endian(out + 2, len, 8);
}

/* The payload of a close frame: the code and as much of the reason as fits, or nothing. */
static size_t ws_frame_close_payload(unsigned char out[WS_CONTROL_MAX], uint16_t code, const char *reason)
{
	struct str cut = utf8_cut(str_from(reason), REASON_MAX);

	if (code == WS_NO_CODE)
		return 0;
	ws_frame_put_big_endian(out, code, 2);
	if (cut.len)
		memcpy(out + 2, cut.ptr, cut.len);
	return 2 + cut.len;
}

size_t ws_close_frame(unsigned char out[WS_CLOSE_FRAME_MAX], uint16_t code, const char *reason)
{
	size_t len = ws_frame_close_payload(out + 2, code, reason);

	return ws_frame_header(out, WS_CLOSE, len) + len;
}

size_t ws_masked_frame_header(unsigned char out[WS_MASKED_HEADER_MAX], enum ws_opcode opcode, uint64_t len,
                              const unsigned char mask[WS_MASK_LEN])
{
	size_t header = ws_frame_header(out, opcode, len);

	out[1] |= MASKED;
	memcpy(out + header, mask, WS_MASK_LEN);
	return header + WS_MASK_LEN;
}

/* Works on eight bytes at a time. The mask is rotated so that it begins at `position`. */
void ws_mask(void *bytes, size_t len, const unsigned char mask[WS_MASK_LEN], size_t position)
{
	unsigned char turned[8], *at = bytes;
	uint64_t key, word;

	for (size_t i = 0; i < sizeof(turned); i++)
		turned[i] = mask[(position + i) % WS_MASK_LEN];
	memcpy(&key, turned, sizeof(key));
	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		word ^= key;
		memcpy(at, &word, sizeof(word));
	}
	for (size_t i = 0; i < len; i++)
		at[i] ^= turned[i];
}

void ws_put_masked_frame(struct buf *out, enum ws_opcode opcode, struct str payload,
                         const unsigned char mask[WS_MASK_LEN])
{
	unsigned char header[WS_MASKED_HEADER_MAX];

	buf_append(out, header, ws_masked_frame_header(header, opcode, payload.len, mask));
	buf_append_str(out, payload);
	ws_mask(out->ptr + out->len - payload.len, payload.len, mask, 0);
}

void ws_put_masked_close(struct buf *out, uint16_t code, const char *reason, const unsigned char mask[WS_MASK_LEN])
{
	unsigned char payload[WS_CONTROL_MAX];

	ws_put_masked_frame(out, WS_CLOSE, str_of(payload, ws_frame_close_payload(payload, code, reason)), mask);
}
