#include "net/jwt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/text/base64.h"
#include "base/text/json.h"
#include "base/telemetry/log.h"
#include "base/mem.h"

/*
 * The signature is verified first, so that JSON is parsed only if a holder of the
 * key wrote it. The header must still name the key's algorithm. The HMAC context
 * with the key is made once and copied for each token, because OpenSSL's lookup
 * of the algorithm costs more than the hash.
 */

#define MAC_BYTES 32
#define MIN_SECRET_BYTES 16
#define MAX_TIME_S 253402300799ll /* the end of the year 9999 */
#define ALGORITHM "HS256"

/* {"alg":"HS256","typ":"JWT"}: the header of jwt_sign() and of nearly all other issuers. It is compared, not parsed. */
#define USUAL_HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

struct jwt_keys {
	EVP_MAC_CTX *keyed; /* only copied: threads share it */
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
	EVP_MAC_free(hmac); /* the context keeps a reference */
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

static bool jwt_make_mac(const struct jwt_keys *keys, struct str text, unsigned char mac[MAC_BYTES])
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

static bool jwt_split(struct str token, struct segments *out)
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

static bool jwt_signature_is_good(const struct jwt_keys *keys, const struct segments *segments, struct buf *scratch)
{
	unsigned char mac[MAC_BYTES];

	buf_clear(scratch);
	return base64url_decode(scratch, segments->signature) == OK && scratch->len == MAC_BYTES &&
	       jwt_make_mac(keys, segments->is_signed, mac) && CRYPTO_memcmp(mac, scratch->ptr, MAC_BYTES) == 0;
}

/* The object that a segment encodes; json_decref() it. */
static json_t *jwt_read_object(struct str segment, struct buf *scratch)
{
	struct json_error error = { 0 };

	buf_clear(scratch);
	if (base64url_decode(scratch, segment))
		return NULL;
	return json_read(buf_str(scratch), &error);
}

static const char *jwt_check_header(struct str segment, struct buf *scratch)
{
	const char *fault = NULL, *alg;

	if (str_equal(segment, STR(USUAL_HEADER)))
		return NULL;
	json_t *header = jwt_read_object(segment, scratch);
	if (!header)
		return "the token's header is not a JSON object";
	alg = json_string_value(json_object_get(header, "alg"));
	if (!alg || strcmp(alg, ALGORITHM) != 0)
		fault = "the token names another algorithm";
	else if (json_object_get(header, "crit"))
		fault = "the token has critical headers";
	json_decref(header);
	return fault;
}

/* A NumericDate in seconds: an integer, or a number whose fraction is cut off. */
static bool jwt_read_time(const json_t *value, uint64_t *out_ms)
{
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !(seconds >= 0 && seconds <= MAX_TIME_S))
		return false;
	*out_ms = (uint64_t)seconds * 1000;
	return true;
}

static bool jwt_scope_has(struct str scope, struct str wanted)
{
	while (scope.ptr)
		if (str_equal(str_cut(&scope, ' '), wanted))
			return true;
	return false;
}

static struct str jwt_text_of(const json_t *value)
{
	return str_of(json_string_value(value), json_string_length(value));
}

/* The first bytes of the SHA-256. It fails only without memory; a token with a wrong id could not be revoked. */
static void jwt_hash(struct str text, unsigned char id[JWT_TOKEN_ID_BYTES])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];

	if (!SHA256((const unsigned char *)text.ptr, text.len, hash))
		abort();
	memcpy(id, hash, JWT_TOKEN_ID_BYTES);
}

static void jwt_name_family_by_hash(struct jwt_claims *claims, struct str text)
{
	unsigned char id[JWT_TOKEN_ID_BYTES];
	struct buf name = { 0 };

	jwt_hash(text, id);
	base64url_encode(&name, str_of((const char *)id, sizeof(id)));
	(void)str_copy(claims->family, sizeof(claims->family), buf_str(&name));
	buf_release(&name);
}

/* uid, '\n', family */
static void jwt_set_token_id(struct jwt_claims *claims)
{
	char text[sizeof(claims->uid) + sizeof(claims->family)];
	size_t uid_len = strlen(claims->uid), family_len = strlen(claims->family);

	memcpy(text, claims->uid, uid_len);
	text[uid_len] = '\n';
	memcpy(text + uid_len + 1, claims->family, family_len);
	jwt_hash(str_of(text, uid_len + 1 + family_len), claims->token_id);
}

/* The same for the claims about the family, after those of the token itself were read. */
static const char *jwt_check_family(const json_t *payload, struct str is_signed, struct jwt_claims *claims)
{
	const json_t *sid = json_object_get(payload, "sid"), *issued = json_object_get(payload, "sid_iat");
	const json_t *expires = json_object_get(payload, "sid_exp");
	struct str name = jwt_text_of(sid);

	claims->family_issued_ms = claims->issued_ms;
	claims->family_expires_ms = claims->expires_ms;
	if ((sid && !json_is_string(sid)) || (issued && !jwt_read_time(issued, &claims->family_issued_ms)) ||
	    (expires && !jwt_read_time(expires, &claims->family_expires_ms)))
		return "the token's sid, sid_iat or sid_exp has a wrong type";
	claims->family_issued_ms = MIN(claims->family_issued_ms, claims->issued_ms);
	claims->family_expires_ms = MAX(claims->family_expires_ms, claims->expires_ms);
	if (!name.len)
		name = jwt_text_of(json_object_get(payload, "jti"));
	if (!name.len)
		jwt_name_family_by_hash(claims, is_signed);
	else if (!str_copy(claims->family, sizeof(claims->family), name))
		jwt_name_family_by_hash(claims, name);
	jwt_set_token_id(claims);
	return NULL;
}

/* Fills `claims` and returns NULL, or returns the fault. */
static const char *jwt_check_payload(const json_t *payload, uint64_t now_ms, struct jwt_claims *claims)
{
	const json_t *scope = json_object_get(payload, "scope"), *id = json_object_get(payload, "jti");
	const json_t *not_before = json_object_get(payload, "nbf"), *issued = json_object_get(payload, "iat");
	struct str subject = jwt_text_of(json_object_get(payload, "sub"));
	uint64_t not_before_ms = 0;

	if (!ident_is_valid(subject) || !str_copy(claims->uid, sizeof(claims->uid), subject))
		return "the token's sub is no uid";
	if ((scope && !json_is_string(scope)) || (id && !json_is_string(id)))
		return "the token's scope or jti is no text";
	claims->is_admin = jwt_scope_has(jwt_text_of(scope), STR("admin"));
	str_copy(claims->id, sizeof(claims->id), jwt_text_of(id)); /* "" if it is too long */
	if (!jwt_read_time(json_object_get(payload, "exp"), &claims->expires_ms))
		return "the token has no expiry";
	if (now_ms >= claims->expires_ms)
		return "the token is expired";
	if (not_before && !jwt_read_time(not_before, &not_before_ms))
		return "the token's nbf is no time";
	if (now_ms < not_before_ms)
		return "the token is not valid yet";
	if (issued && !jwt_read_time(issued, &claims->issued_ms))
		return "the token's iat is no time";
	return NULL;
}

static const char *jwt_find_fault(const struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                                  struct buf *scratch)
{
	struct segments segments;
	const char *fault;

	if (token.len > JWT_MAX_BYTES)
		return "the token is too long";
	if (!jwt_split(token, &segments))
		return "the token does not have three segments";
	if (!jwt_signature_is_good(keys, &segments, scratch))
		return "the token's signature is wrong";
	fault = jwt_check_header(segments.header, scratch);
	if (fault)
		return fault;
	json_t *payload = jwt_read_object(segments.payload, scratch);
	fault = payload ? jwt_check_payload(payload, now_ms, claims) : "the token's payload is not a JSON object";
	if (!fault)
		fault = jwt_check_family(payload, segments.is_signed, claims);
	json_decref(payload);
	return fault;
}

err_t jwt_verify(const struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                 const char **why)
{
	struct buf scratch = { 0 };
	const char *fault;

	*claims = (struct jwt_claims){ 0 };
	fault = jwt_find_fault(keys, token, now_ms, claims, &scratch);
	buf_release(&scratch);
	if (!fault)
		return OK;
	*claims = (struct jwt_claims){ 0 };
	if (why)
		*why = fault;
	return ERR_UNAUTHENTICATED;
}

static void jwt_put_claims(struct buf *payload, const struct jwt_claims *claims, struct str scope)
{
	buf_append_char(payload, '{');
	json_put_field(payload, "sub", str_from(claims->uid));
	json_put_u64_field(payload, "exp", claims->expires_ms / 1000);
	if (claims->issued_ms)
		json_put_u64_field(payload, "iat", claims->issued_ms / 1000);
	if (scope.len)
		json_put_field(payload, "scope", scope);
	if (claims->id[0])
		json_put_field(payload, "jti", str_from(claims->id));
	if (claims->family[0]) {
		json_put_field(payload, "sid", str_from(claims->family));
		if (claims->family_issued_ms)
			json_put_u64_field(payload, "sid_iat", claims->family_issued_ms / 1000);
		json_put_u64_field(payload, "sid_exp", claims->family_expires_ms / 1000);
	}
	buf_append_char(payload, '}');
}

void jwt_sign_scoped(const struct jwt_keys *keys, const struct jwt_claims *claims, struct str scope, struct buf *out)
{
	struct buf payload = { 0 };
	size_t start = out->len;
	unsigned char mac[MAC_BYTES];

	jwt_put_claims(&payload, claims, scope.len || !claims->is_admin ? scope : STR("admin"));
	buf_append_str(out, STR(USUAL_HEADER));
	buf_append_char(out, '.');
	base64url_encode(out, buf_str(&payload));
	buf_release(&payload);
	if (!jwt_make_mac(keys, str_of(out->ptr + start, out->len - start), mac)) {
		/* OpenSSL is out of memory. Nothing is appended: a token without its signature would be refused everywhere. */
		log_error("OpenSSL could not sign a token");
		out->len = start;
		return;
	}
	buf_append_char(out, '.');
	base64url_encode(out, str_of(mac, sizeof(mac)));
}

void jwt_sign(const struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out)
{
	jwt_sign_scoped(keys, claims, STR(""), out);
}

void jwt_read_scope(struct str token, struct buf *out)
{
	struct segments segments;
	struct buf scratch = { 0 };
	json_t *payload = jwt_split(token, &segments) ? jwt_read_object(segments.payload, &scratch) : NULL;

	buf_append_str(out, jwt_text_of(json_object_get(payload, "scope")));
	json_decref(payload);
	buf_release(&scratch);
}

struct str jwt_from_authorization(struct str header)
{
	const struct str scheme = STR("Bearer ");
	size_t len = scheme.len;

	if (header.len <= len || !str_equal_ignoring_case(str_of(header.ptr, len), scheme))
		return STR("");
	while (len < header.len && header.ptr[len] == ' ')
		len++;
	return str_of(header.ptr + len, header.len - len);
}
