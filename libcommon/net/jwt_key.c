#include "net/jwt_key.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define MAC_BYTES 32
#define COORDINATE_BYTES 32 /* of P-256 */
#define ECDSA_BYTES (2 * COORDINATE_BYTES)

err_t jwt_key_of_secret(struct jwt_key *key, struct str secret, const char **why)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string("digest", (char *)"SHA256", 0),
		OSSL_PARAM_END,
	};

	*key = (struct jwt_key){ .algorithm = JWT_HS256, .can_sign = true };
	if (secret.len < JWT_SECRET_MIN_BYTES) {
		*why = "the secret has fewer than 16 bytes";
		return ERR_BAD_CONFIG;
	}
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	key->keyed = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac); /* the context keeps a reference */
	if (key->keyed && EVP_MAC_init(key->keyed, (const unsigned char *)secret.ptr, secret.len, params))
		return OK;
	jwt_key_release(key);
	*why = "OpenSSL has no HMAC with SHA-256";
	return ERR_INTERNAL;
}

void jwt_key_release(struct jwt_key *key)
{
	EVP_MAC_CTX_free(key->keyed);
	EVP_PKEY_free(key->pair);
	*key = (struct jwt_key){ 0 };
}

struct str jwt_algorithm_name(enum jwt_algorithm algorithm)
{
	static const char *const names[] = {
		[JWT_HS256] = "HS256", [JWT_RS256] = "RS256", [JWT_ES256] = "ES256", [JWT_EDDSA] = "EdDSA",
	};

	return str_from(names[algorithm]);
}

static const EVP_MD *jwt_key_digest(const struct jwt_key *key)
{
	return key->algorithm == JWT_EDDSA ? NULL : EVP_sha256(); /* Ed25519 hashes by itself */
}

/* ---- HS256 ---- */

static bool jwt_key_make_mac(const struct jwt_key *key, struct str text, unsigned char mac[MAC_BYTES])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->keyed);
	size_t len = 0;
	bool is_made = ctx && EVP_MAC_update(ctx, (const unsigned char *)text.ptr, text.len) &&
	               EVP_MAC_final(ctx, mac, &len, MAC_BYTES) && len == MAC_BYTES;

	EVP_MAC_CTX_free(ctx);
	return is_made;
}

static bool jwt_key_verify_mac(const struct jwt_key *key, struct str text, struct str signature)
{
	unsigned char mac[MAC_BYTES];

	return signature.len == MAC_BYTES && jwt_key_make_mac(key, text, mac) && CRYPTO_memcmp(mac, signature.ptr, MAC_BYTES) == 0;
}

/* ---- ES256: a JWS has the numbers r and s side by side, OpenSSL wants them in DER ---- */

static bool jwt_key_to_der(struct str signature, struct buf *der)
{
	const unsigned char *bytes = (const unsigned char *)signature.ptr;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(bytes, COORDINATE_BYTES, NULL), *s = BN_bin2bn(bytes + COORDINATE_BYTES, COORDINATE_BYTES, NULL);
	unsigned char *encoded = NULL;

	if (!pair || !r || !s || !ECDSA_SIG_set0(pair, r, s)) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(pair);
		return false;
	}
	int len = i2d_ECDSA_SIG(pair, &encoded);
	if (len > 0)
		buf_append(der, encoded, (size_t)len);
	OPENSSL_free(encoded);
	ECDSA_SIG_free(pair);
	return len > 0;
}

static bool jwt_key_from_der(struct str der, struct buf *signature)
{
	const unsigned char *bytes = (const unsigned char *)der.ptr;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &bytes, (long)der.len);
	unsigned char *place = (unsigned char *)buf_reserve(signature, ECDSA_BYTES);
	bool is_made = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), place, COORDINATE_BYTES) == COORDINATE_BYTES &&
	               BN_bn2binpad(ECDSA_SIG_get0_s(pair), place + COORDINATE_BYTES, COORDINATE_BYTES) == COORDINATE_BYTES;

	signature->len += is_made ? ECDSA_BYTES : 0;
	ECDSA_SIG_free(pair);
	return is_made;
}

/* ---- pairs ---- */

static bool jwt_key_verify_by_pair(const struct jwt_key *key, struct str text, struct str signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good = ctx && EVP_DigestVerifyInit(ctx, NULL, jwt_key_digest(key), NULL, key->pair) == 1 &&
	               EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr, signature.len, (const unsigned char *)text.ptr,
	                                text.len) == 1;

	EVP_MD_CTX_free(ctx);
	if (!is_good)
		ERR_clear_error(); /* the next user of OpenSSL on this thread would take it for its own */
	return is_good;
}

static bool jwt_key_verify_ecdsa(const struct jwt_key *key, struct str text, struct str signature)
{
	struct buf der = { 0 };
	bool is_good = signature.len == ECDSA_BYTES && jwt_key_to_der(signature, &der) &&
	               jwt_key_verify_by_pair(key, text, buf_str(&der));

	buf_release(&der);
	return is_good;
}

static bool jwt_key_sign_by_pair(const struct jwt_key *key, struct str text, struct buf *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = (size_t)EVP_PKEY_get_size(key->pair);
	unsigned char *place = (unsigned char *)buf_reserve(signature, len);
	bool is_made = ctx && EVP_DigestSignInit(ctx, NULL, jwt_key_digest(key), NULL, key->pair) == 1 &&
	               EVP_DigestSign(ctx, place, &len, (const unsigned char *)text.ptr, text.len) == 1;

	signature->len += is_made ? len : 0;
	EVP_MD_CTX_free(ctx);
	if (!is_made)
		ERR_clear_error();
	return is_made;
}

bool jwt_key_verify(const struct jwt_key *key, struct str text, struct str signature)
{
	switch (key->algorithm) {
	case JWT_HS256:
		return jwt_key_verify_mac(key, text, signature);
	case JWT_ES256:
		return jwt_key_verify_ecdsa(key, text, signature);
	case JWT_RS256:
	case JWT_EDDSA:
		break;
	}
	return jwt_key_verify_by_pair(key, text, signature);
}

bool jwt_key_sign(const struct jwt_key *key, struct str text, struct buf *signature)
{
	unsigned char mac[MAC_BYTES];
	struct buf der = { 0 };

	if (!key->can_sign)
		return false;
	if (key->algorithm == JWT_HS256) {
		bool is_made = jwt_key_make_mac(key, text, mac);
		buf_append(signature, mac, is_made ? MAC_BYTES : 0);
		return is_made;
	}
	if (key->algorithm != JWT_ES256)
		return jwt_key_sign_by_pair(key, text, signature);
	bool is_made = jwt_key_sign_by_pair(key, text, &der) && jwt_key_from_der(buf_str(&der), signature);
	buf_release(&der);
	return is_made;
}
