#include "im/accounts/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text/base64.h"
#include "base/random.h"

#define SALT_BYTES 16
#define KEY_BYTES 32
#define MEMORY_MAX (256u << 20)

struct scrypt {
	uint64_t log_n, r, p;
	unsigned char salt[SALT_BYTES];
	unsigned char key[KEY_BYTES];
};

/* The parameters of new hashes. A stored hash is checked with its own. */
static const struct scrypt current = { .log_n = 14, .r = 8, .p = 1 };

static void password_derive(const struct scrypt *how, struct str password, unsigned char key[KEY_BYTES])
{
	if (EVP_PBE_scrypt(password.ptr, password.len, how->salt, SALT_BYTES, 1ull << how->log_n, how->r, how->p, MEMORY_MAX,
	                   key, KEY_BYTES) != 1) {
		/* It fails only when there is no memory. */
		fprintf(stderr, "scrypt failed\n");
		abort();
	}
}

void password_hash(char out[PASSWORD_TEXT_SIZE], struct str password)
{
	struct scrypt made = current;
	struct buf text = { 0 };

	random_bytes(made.salt, SALT_BYTES);
	password_derive(&made, password, made.key);
	buf_printf(&text, "scrypt$%d$%d$%d$", (int)made.log_n, (int)made.r, (int)made.p);
	base64url_encode(&text, str_of(made.salt, SALT_BYTES));
	buf_append_char(&text, '$');
	base64url_encode(&text, str_of(made.key, KEY_BYTES));
	(void)str_copy(out, PASSWORD_TEXT_SIZE, buf_str(&text));
	buf_release(&text);
}

static bool password_read_bytes(struct str text, unsigned char *out, size_t len)
{
	struct buf bytes = { 0 };
	bool is_read = base64url_decode(&bytes, text) == OK && bytes.len == len;

	if (is_read)
		memcpy(out, bytes.ptr, len);
	buf_release(&bytes);
	return is_read;
}

bool password_matches(struct str text, struct str password)
{
	struct scrypt stored = current;
	unsigned char key[KEY_BYTES];

	bool is_ours =
		str_equal(str_cut(&text, '$'), STR("scrypt")) && str_to_u64(str_cut(&text, '$'), &stored.log_n) &&
		stored.log_n >= 1 && stored.log_n <= 17 && str_to_u64(str_cut(&text, '$'), &stored.r) && stored.r >= 1 &&
		stored.r <= 8 && str_to_u64(str_cut(&text, '$'), &stored.p) && stored.p >= 1 && stored.p <= 4 &&
		password_read_bytes(str_cut(&text, '$'), stored.salt, SALT_BYTES) &&
		password_read_bytes(text, stored.key, KEY_BYTES);
	if (!is_ours)
		stored = current;
	password_derive(&stored, password, key);
	return CRYPTO_memcmp(key, stored.key, KEY_BYTES) == 0 && is_ours;
}
