#include "libclient/transport/upgrade.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/random.h"

void upgrade_make_key(char key[UPGRADE_KEY_LEN + 1])
{
	unsigned char bytes[16];

	random_bytes(bytes, sizeof(bytes));
	EVP_EncodeBlock((unsigned char *)key, bytes, sizeof(bytes));
}

void upgrade_put_request(struct buf *out, const char *host, const char *target, const char *token, const char *key)
{
	buf_printf(out,
	           "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	           "Sec-WebSocket-Protocol: skein.v1.json\r\nSec-WebSocket-Key: %s\r\nAuthorization: Bearer %s\r\n\r\n",
	           target, host, key, token);
}

/* The value of a header; empty if it is not there. */
static struct str upgrade_header(struct str head, struct str name)
{
	for (struct str line; head.ptr && (line = str_cut(&head, '\n'), true);) {
		struct str field = str_cut(&line, ':');

		if (line.ptr && str_equal_ignoring_case(field, name))
			return str_trim(line);
	}
	return STR("");
}

bool upgrade_take_answer(struct str *in, const char *key, struct upgrade_answer *answer)
{
	const char *end = in->len ? memmem(in->ptr, in->len, "\r\n\r\n", 4) : NULL;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char accept[29];
	struct buf proof = { 0 };
	uint64_t status, seconds;

	*answer = (struct upgrade_answer){ 0 };
	if (!end)
		return in->len > UPGRADE_MAX_HEAD; /* no answer of a gateway is that long */
	struct str head = str_of(in->ptr, (size_t)(end - in->ptr));
	*in = str_of(end + 4, in->len - head.len - 4);
	if (str_starts_with(head, STR("HTTP/1.1 ")) && head.len >= 12 && str_to_u64(str_of(head.ptr + 9, 3), &status))
		answer->status = (unsigned)status;
	if (str_to_u64(upgrade_header(head, STR("retry-after")), &seconds) && seconds < 86400)
		answer->retry_after_ms = seconds * 1000;
	/* The proof that the server read the key: base64(SHA1(key + GUID)). */
	buf_printf(&proof, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(proof.ptr, proof.len, digest, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
	buf_release(&proof);
	if (answer->status == 101 && !str_equal(upgrade_header(head, STR("sec-websocket-accept")), str_from(accept)))
		answer->status = 0;
	return true;
}
