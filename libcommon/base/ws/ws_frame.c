#include "base/ws/ws_frame.h"

#include <string.h>

#define FIN 0x80
#define REASON_MAX (WS_CLOSE_FRAME_MAX - 4)

static size_t put_big_endian(unsigned char *out, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(number >> (8 * (bytes - 1 - i)));
	return bytes;
}

size_t ws_frame_header(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len)
{
	out[0] = (unsigned char)(FIN | opcode);
	if (len < 126) {
		out[1] = (unsigned char)len;
		return 2;
	}
	if (len <= UINT16_MAX) {
		out[1] = 126;
		return 2 + put_big_endian(out + 2, len, 2);
	}
	out[1] = 127;
	return 2 + put_big_endian(out + 2, len, 8);
}

/* As much of the reason as fits, without cutting a UTF-8 sequence in two. */
static size_t length_that_fits(const char *reason)
{
	size_t len = strnlen(reason, REASON_MAX + 1);

	if (len <= REASON_MAX)
		return len;
	len = REASON_MAX;
	while (len && ((unsigned char)reason[len] & 0xc0) == 0x80)
		len--;
	return len;
}

size_t ws_close_frame(unsigned char out[WS_CLOSE_FRAME_MAX], uint16_t code, const char *reason)
{
	size_t len = reason ? length_that_fits(reason) : 0;

	if (code == WS_NO_CODE)
		return ws_frame_header(out, WS_CLOSE, 0);
	size_t header = ws_frame_header(out, WS_CLOSE, 2 + len);
	put_big_endian(out + header, code, 2);
	if (len)
		memcpy(out + header + 2, reason, len);
	return header + 2 + len;
}
