#include "net/jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/text/base64.h"
#include "base/text/ident.h"
#include "base/text/json.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

/*
* The input is used twice: as a token, and as the header and the payload (a line
 * each) of a token that is signed here, so that the checks after the signature are
 * reached too. The first is always refused, since the input cannot have a valid
 * signature. If the second is accepted, its claims must be those of the input.
 */

#define SECRET "0123456789abcdef-fuzz"
#define NOW_MS 1700000000500ull

static struct jwt_keys *our_keys(void)
{
	static struct jwt_keys *keys;

	if (!keys)
		CHECK(jwt_keys_new(&keys, STR(SECRET), "") == OK);
	return keys;
}

/* With OpenSSL's one-call HMAC, which jwt_key.c does not use. */
static void sign(struct buf *token, struct str header, struct str payload)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	base64url_encode(token, header);
	buf_append_char(token, '.');
	base64url_encode(token, payload);
	CHECK(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (const unsigned char *)token->ptr, token->len, mac, &mac_len));
	buf_append_char(token, '.');
	base64url_encode(token, str_of(mac, mac_len));
}

static bool says_nothing(const struct jwt_claims *claims)
{
	return !claims->uid[0] && !claims->id[0] && !claims->is_admin && !claims->expires_ms && !claims->issued_ms;
}

static err_t verify(struct str token, struct jwt_claims *claims)
{
	const char *why = NULL;
	err_t err = jwt_verify(our_keys(), token, NOW_MS, claims, &why);

	CHECK(err == OK || err == ERR_UNAUTHENTICATED);
	CHECK(!err == !why);
	CHECK(!err || says_nothing(claims));
	return err;
}

static void check_claims(const struct jwt_claims *claims)
{
	struct buf token = { 0 };
	struct jwt_claims again;

	CHECK(ident_is_valid(str_from(claims->uid)));
	CHECK(claims->expires_ms > NOW_MS && claims->expires_ms % 1000 == 0);
	CHECK(utf8_is_valid(str_from(claims->id)));
	CHECK(jwt_sign(our_keys(), claims, &token) == OK);
	CHECK(verify(buf_str(&token), &again) == OK);
	CHECK(!strcmp(claims->uid, again.uid) && !strcmp(claims->id, again.id) && claims->is_admin == again.is_admin);
	CHECK(claims->expires_ms == again.expires_ms && claims->issued_ms == again.issued_ms);
	buf_release(&token);
}

static void check_names_algorithm(struct str header)
{
	struct json_error error = { 0 };
	json_t *object = json_read(header, &error);

	CHECK(object && str_equal(json_text(object, "alg", JSON_REQUIRED, 1, 5, &error), STR("HS256")));
	json_decref(object);
}

/* A token with any single bit flipped is refused. */
static void check_any_change_is_noticed(struct buf *token, unsigned bit)
{
	struct jwt_claims claims;

	bit %= (unsigned)token->len * 8;
	token->ptr[bit / 8] = (char)(token->ptr[bit / 8] ^ 1 << bit % 8);
	CHECK(verify(buf_str(token), &claims) == ERR_UNAUTHENTICATED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str input = str_of(bytes, len);
	struct buf token = { 0 };
	struct jwt_claims claims;

	CHECK(verify(input, &claims) == ERR_UNAUTHENTICATED);
	CHECK(fuzz_is_inside(jwt_from_authorization(input), input));
	unsigned bit = fuzz_byte(&input) | fuzz_byte(&input) << 8;
	struct str header = str_cut(&input, '\n');
	sign(&token, header, input);
	if (verify(buf_str(&token), &claims) == OK) {
		CHECK(token.len <= JWT_MAX_BYTES);
		check_names_algorithm(header);
		check_claims(&claims);
		check_any_change_is_noticed(&token, bit);
	}
	buf_release(&token);
	return 0;
}
