#include "libclient/ws.h"

#include <openssl/evp.h>
#include <strings.h>

#include "base/random.h"
#include "base/text/utf8.h"

#define FINAL 0x80
#define MASKED 0x80
#define MAX_CONTROL 125

/* ---- the handshake ---- */

void ws_make_key(char key[WS_KEY_LEN + 1])
{
	unsigned char bytes[16];

	random_bytes(bytes, sizeof(bytes));
	EVP_EncodeBlock((unsigned char *)key, bytes, sizeof(bytes));
}

void ws_put_request(struct buf *out, const char *host, const char *target, const char *token, const char *key)
{
	buf_printf(out,
	           "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	           "Sec-WebSocket-Protocol: skein.v1.json\r\nSec-WebSocket-Key: %s\r\nAuthorization: Bearer %s\r\n\r\n",
	           target, host, key, token);
}

/* What a server proves with that it read the key: base64(SHA1(key + GUID)). */
static void put_accept(char accept[29], const char *key)
{
	struct buf text = { 0 };
	unsigned char digest[EVP_MAX_MD_SIZE];

	buf_printf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
	buf_release(&text);
}

static struct str trim(struct str s)
{
	while (s.len && (*s.ptr == ' ' || *s.ptr == '\t'))
		s = str_of(s.ptr + 1, s.len - 1);
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\r'))
		s.len--;
	return s;
}

/* The value of a header; empty if it is not there. */
static struct str header(struct str head, struct str name)
{
	for (struct str line; head.ptr && (line = str_cut(&head, '\n'), true);) {
		struct str field = str_cut(&line, ':');

		if (line.ptr && field.len == name.len && strncasecmp(field.ptr, name.ptr, name.len) == 0)
			return trim(line);
	}
	return STR("");
}

static unsigned status_of(struct str head)
{
	uint64_t status;

	if (!str_starts_with(head, STR("HTTP/1.1 ")) || head.len < 12 || !str_to_u64(str_of(head.ptr + 9, 3), &status))
		return 0;
	return (unsigned)status;
}

bool ws_take_answer(struct str *in, const char *key, struct ws_answer *answer)
{
	const char *end = in->len ? memmem(in->ptr, in->len, "\r\n\r\n", 4) : NULL;
	char accept[29];
	uint64_t seconds;

	*answer = (struct ws_answer){ 0 };
	if (!end)
		return in->len > WS_MAX_HEAD; /* whoever talks that long does not mean us */
	struct str head = str_of(in->ptr, (size_t)(end - in->ptr));
	*in = str_of(end + 4, in->len - head.len - 4);
	answer->status = status_of(head);
	if (str_to_u64(header(head, STR("retry-after")), &seconds) && seconds < 86400)
		answer->retry_after_ms = seconds * 1000;
	put_accept(accept, key);
	if (answer->status == 101 && !str_equal(header(head, STR("sec-websocket-accept")), str_from(accept)))
		answer->status = 0;
	return true;
}

/* ---- frames ---- */

static void put_length(struct buf *out, size_t len)
{
	int bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;

	buf_append_char(out, (char)(MASKED | (bytes == 0 ? len : bytes == 2 ? 126 : 127)));
	while (bytes--)
		buf_append_char(out, (char)((uint64_t)len >> (8 * bytes)));
}

void ws_put_frame(struct buf *out, enum ws_opcode opcode, struct str payload)
{
	char mask[4];

	random_bytes(mask, sizeof(mask));
	buf_append_char(out, (char)(FINAL | opcode));
	put_length(out, payload.len);
	buf_append(out, mask, sizeof(mask));
	char *to = buf_reserve(out, payload.len);
	for (size_t i = 0; i < payload.len; i++)
		to[i] = payload.ptr[i] ^ mask[i % 4];
	out->len += payload.len;
}

void ws_put_close(struct buf *out, unsigned code)
{
	char bytes[2] = { (char)(code >> 8), (char)code };

	ws_put_frame(out, WS_CLOSE, str_of(bytes, sizeof(bytes)));
}

void ws_reader_release(struct ws_reader *reader)
{
	buf_release(&reader->message);
}

struct frame {
	unsigned opcode;
	bool is_final, is_wrong;
	struct str payload;
};

/* A whole frame off `in`; false if there is none yet. */
static bool take_frame(struct str *in, struct frame *frame)
{
	const unsigned char *bytes = (const unsigned char *)in->ptr;

	if (in->len < 2)
		return false;
	unsigned short_len = bytes[1] & 0x7f;
	size_t head = short_len == 126 ? 4 : short_len == 127 ? 10 : 2;
	uint64_t len = head == 2 ? short_len : 0;
	if (in->len < head)
		return false;
	for (size_t i = 2; i < head; i++)
		len = len << 8 | bytes[i];
	*frame = (struct frame){ .opcode = bytes[0] & 0x0f, .is_final = bytes[0] & FINAL };
	frame->is_wrong = (bytes[0] & 0x70) || (bytes[1] & MASKED) || len > WS_MAX_MESSAGE ||
	                  (frame->opcode >= WS_CLOSE && (len > MAX_CONTROL || !frame->is_final));
	if (frame->is_wrong)
		return true;
	if (in->len - head < len)
		return false;
	frame->payload = str_of(in->ptr + head, len);
	*in = str_of(in->ptr + head + len, in->len - head - len);
	return true;
}

static enum ws_event take_data(struct ws_reader *reader, const struct frame *frame, struct str *payload)
{
	bool continues = frame->opcode == WS_CONTINUATION;

	if ((frame->opcode != WS_TEXT && !continues) || continues != reader->is_fragmented)
		return WS_GOT_NONSENSE;
	if (!continues)
		buf_clear(&reader->message);
	reader->is_fragmented = !frame->is_final;
	*payload = frame->payload;
	if (continues || !frame->is_final) {
		if (reader->message.len + frame->payload.len > WS_MAX_MESSAGE)
			return WS_GOT_NONSENSE;
		buf_append_str(&reader->message, frame->payload);
		*payload = buf_str(&reader->message);
	}
	if (!frame->is_final)
		return WS_GOT_NOTHING;
	return utf8_is_valid(*payload) ? WS_GOT_TEXT : WS_GOT_NONSENSE;
}

enum ws_event ws_read(struct ws_reader *reader, struct str *in, struct str *payload, unsigned *code)
{
	enum ws_event event;
	struct frame frame;

	while (take_frame(in, &frame)) {
		*payload = frame.payload;
		if (frame.is_wrong)
			return WS_GOT_NONSENSE;
		switch (frame.opcode) {
		case WS_CLOSE:
			*code = payload->len < 2 ? 1005 : (unsigned char)payload->ptr[0] << 8 | (unsigned char)payload->ptr[1];
			return WS_GOT_CLOSE;
		case WS_PING:
			return WS_GOT_PING;
		case WS_PONG:
			return WS_GOT_PONG;
		default:
			event = take_data(reader, &frame, payload);
			if (event != WS_GOT_NOTHING)
				return event;
		}
	}
	return WS_GOT_NOTHING;
}
