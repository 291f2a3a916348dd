#include "net/jwt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <strings.h>

#include "base/text/base64.h"
#include "base/text/json.h"
#include "base/telemetry/log.h"
#include "base/mem.h"

/*
 * The signature is looked at first, so that only what a holder of the key wrote
 * is parsed at all; that the header names the key's algorithm is checked all the
 * same. The context with the key in it is made once and copied for each token:
 * having OpenSSL look the algorithm up every time costs more than the hash.
 */

#define MAC_BYTES 32
#define MIN_SECRET_BYTES 16
#define MAX_TIME_S 253402300799ll /* the end of the year 9999 */
#define ALGORITHM "HS256"

/* {"alg":"HS256","typ":"JWT"}: what is written here and by nearly everybody else, so that it need not be parsed. */
#define USUAL_HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

struct jwt_keys {
	EVP_MAC_CTX *keyed; /* never used itself, only copied */
};

err_t jwt_keys_new(struct jwt_keys **out, struct str secret)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string("digest", (char *)"SHA256", 0),
		OSSL_PARAM_END,
	};

	if (secret.len < MIN_SECRET_BYTES) {
		log_error("the secret for tokens is too short", LOG_NUM("bytes", secret.len), LOG_NUM("least", MIN_SECRET_BYTES));
		return ERR_BAD_CONFIG;
	}
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *keyed = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac); /* the context holds on to it */
	if (!keyed || !EVP_MAC_init(keyed, (const unsigned char *)secret.ptr, secret.len, params)) {
		EVP_MAC_CTX_free(keyed);
		log_error("OpenSSL has no HMAC with SHA-256");
		return ERR_INTERNAL;
	}
	*out = MEM_NEW(struct jwt_keys);
	(*out)->keyed = keyed;
	return OK;
}

void jwt_keys_free(struct jwt_keys *keys)
{
	if (!keys)
		return;
	EVP_MAC_CTX_free(keys->keyed);
	mem_free(keys);
}

static bool make_mac(const struct jwt_keys *keys, struct str text, unsigned char mac[MAC_BYTES])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(keys->keyed);
	size_t len = 0;
	bool is_made = ctx && EVP_MAC_update(ctx, (const unsigned char *)text.ptr, text.len) &&
	               EVP_MAC_final(ctx, mac, &len, MAC_BYTES) && len == MAC_BYTES;

	EVP_MAC_CTX_free(ctx);
	return is_made;
}

/* header.payload.signature */
struct segments {
	struct str header, payload, signature;
	struct str is_signed; /* "header.payload" */
};

static bool split(struct str token, struct segments *out)
{
	struct str rest = token;

	out->header = str_cut(&rest, '.');
	out->payload = str_cut(&rest, '.');
	out->signature = rest;
	if (!rest.ptr || !out->header.len || !out->payload.len || memchr(rest.ptr, '.', rest.len))
		return false;
	out->is_signed = str_of(token.ptr, token.len - rest.len - 1);
	return true;
}

static bool signature_is_good(const struct jwt_keys *keys, const struct segments *segments, struct buf *scratch)
{
	unsigned char mac[MAC_BYTES];

	buf_clear(scratch);
	return base64url_decode(scratch, segments->signature) == OK && scratch->len == MAC_BYTES &&
	       make_mac(keys, segments->is_signed, mac) && CRYPTO_memcmp(mac, scratch->ptr, MAC_BYTES) == 0;
}

/* The object that a segment encodes; json_decref() it. */
static json_t *read_object(struct str segment, struct buf *scratch)
{
	struct json_error error = { 0 };

	buf_clear(scratch);
	if (base64url_decode(scratch, segment))
		return NULL;
	return json_read(buf_str(scratch), &error);
}

static const char *check_header(struct str segment, struct buf *scratch)
{
	const char *fault = NULL, *alg;

	if (str_equal(segment, STR(USUAL_HEADER)))
		return NULL;
	json_t *header = read_object(segment, scratch);
	if (!header)
		return "the token's header is no JSON object";
	alg = json_string_value(json_object_get(header, "alg"));
	if (!alg || strcmp(alg, ALGORITHM) != 0)
		fault = "the token names another algorithm";
	else if (json_object_get(header, "crit"))
		fault = "the token has critical headers";
	json_decref(header);
	return fault;
}

/* A NumericDate in seconds: an integer, or a number whose fraction is cut off. */
static bool read_time(const json_t *value, uint64_t *out_ms)
{
	double seconds = json_number_value(value); /* 0 if it is no number */

	if (seconds < 1 || seconds > MAX_TIME_S)
		return false;
	*out_ms = (uint64_t)seconds * 1000;
	return true;
}

static const char *check_times(const json_t *payload, uint64_t now_ms, struct jwt_claims *claims)
{
	const json_t *not_before = json_object_get(payload, "nbf"), *issued = json_object_get(payload, "iat");
	uint64_t not_before_ms = 0;

	if (!read_time(json_object_get(payload, "exp"), &claims->expires_ms))
		return "the token has no expiry";
	if (now_ms >= claims->expires_ms)
		return "the token is expired";
	if (not_before && !read_time(not_before, &not_before_ms))
		return "the token's nbf is no time";
	if (now_ms < not_before_ms)
		return "the token is not valid yet";
	if (issued && !read_time(issued, &claims->issued_ms))
		return "the token's iat is no time";
	return NULL;
}

static bool scope_has(struct str scope, struct str wanted)
{
	while (scope.ptr)
		if (str_equal(str_cut(&scope, ' '), wanted))
			return true;
	return false;
}

static struct str text_of(const json_t *value)
{
	return str_of(json_string_value(value), json_string_length(value));
}

static const char *check_payload(const json_t *payload, uint64_t now_ms, struct jwt_claims *claims)
{
	const json_t *scope = json_object_get(payload, "scope"), *id = json_object_get(payload, "jti");
	struct str subject = text_of(json_object_get(payload, "sub"));

	if (!ident_is_valid(subject) || !str_copy(claims->uid, sizeof(claims->uid), subject))
		return "the token's sub is no uid";
	if ((scope && !json_is_string(scope)) || (id && !json_is_string(id)))
		return "the token's scope or jti is no text";
	claims->is_admin = scope_has(text_of(scope), STR("admin"));
	str_copy(claims->id, sizeof(claims->id), text_of(id)); /* "" if it is too long */
	return check_times(payload, now_ms, claims);
}

static const char *find_fault(const struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                              struct buf *scratch)
{
	struct segments segments;
	const char *fault;

	if (token.len > JWT_MAX_BYTES)
		return "the token is too long";
	if (!split(token, &segments))
		return "the token has not three segments";
	if (!signature_is_good(keys, &segments, scratch))
		return "the token's signature is wrong";
	fault = check_header(segments.header, scratch);
	if (fault)
		return fault;
	json_t *payload = read_object(segments.payload, scratch);
	fault = payload ? check_payload(payload, now_ms, claims) : "the token's payload is no JSON object";
	json_decref(payload);
	return fault;
}

err_t jwt_verify(const struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                 const char **why)
{
	struct buf scratch = { 0 };
	const char *fault;

	*claims = (struct jwt_claims){ 0 };
	fault = find_fault(keys, token, now_ms, claims, &scratch);
	buf_release(&scratch);
	if (!fault)
		return OK;
	*claims = (struct jwt_claims){ 0 };
	if (why)
		*why = fault;
	return ERR_UNAUTHENTICATED;
}

static void write_payload(struct buf *out, const struct jwt_claims *claims)
{
	buf_append_char(out, '{');
	json_put_field(out, "sub", str_from(claims->uid));
	json_put_u64_field(out, "exp", claims->expires_ms / 1000);
	if (claims->issued_ms)
		json_put_u64_field(out, "iat", claims->issued_ms / 1000);
	if (claims->is_admin)
		json_put_field(out, "scope", STR("admin"));
	if (claims->id[0])
		json_put_field(out, "jti", str_from(claims->id));
	buf_append_char(out, '}');
}

void jwt_sign(const struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out)
{
	struct buf payload = { 0 };
	size_t start = out->len;
	unsigned char mac[MAC_BYTES];

	write_payload(&payload, claims);
	buf_append_str(out, STR(USUAL_HEADER));
	buf_append_char(out, '.');
	base64url_encode(out, buf_str(&payload));
	buf_release(&payload);
	if (!make_mac(keys, str_of(out->ptr + start, out->len - start), mac)) {
		/* Out of memory inside OpenSSL: nothing is better than a token that nobody accepts. */
		log_error("OpenSSL did not sign a token");
		out->len = start;
		return;
	}
	buf_append_char(out, '.');
	base64url_encode(out, str_of(mac, sizeof(mac)));
}

void jwt_token_id(struct str token, unsigned char id[JWT_TOKEN_ID_BYTES])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct segments segments;

	/* It fails only without memory; a token whose id is wrong could not be revoked. */
	if (!split(token, &segments) || !SHA256((const unsigned char *)segments.is_signed.ptr, segments.is_signed.len, hash))
		abort();
	memcpy(id, hash, JWT_TOKEN_ID_BYTES);
}

struct str jwt_from_authorization(struct str header)
{
	static const char scheme[] = "Bearer ";
	size_t len = sizeof(scheme) - 1;

	if (header.len <= len || strncasecmp(header.ptr, scheme, len) != 0)
		return STR("");
	while (len < header.len && header.ptr[len] == ' ')
		len++;
	return str_of(header.ptr + len, header.len - len);
}
