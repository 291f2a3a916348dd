#include "net/jwt.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text/base64.h"
#include "base/text/json.h"

/*
 * The header is read first, to find the key. The payload is parsed only after the signature was verified, so only a holder of
 * a key can have written it.
 */

#define MAX_TIME_S 253402300799ll /* the end of the year 9999 */

/* {"alg":"HS256","typ":"JWT"}: what most issuers with a secret write, im among them. It is compared, not parsed. */
#define USUAL_HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

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

/* The object that a segment encodes; json_decref() it. */
static json_t *jwt_read_object(struct str segment, struct buf *scratch)
{
	struct json_error error = { 0 };

	buf_clear(scratch);
	if (base64url_decode(scratch, segment))
		return NULL;
	return json_read(buf_str(scratch), &error);
}

static struct str jwt_text_of(const json_t *value)
{
	return str_of(json_string_value(value), json_string_length(value));
}

/* The texts of `signature` live as long as the header. */
static const char *jwt_read_header(const json_t *header, struct jwt_signature *signature)
{
	const json_t *kid = json_object_get(header, "kid");

	if (!header)
		return "the token's header is not a JSON object";
	if (json_object_get(header, "crit"))
		return "the token has critical headers";
	if (kid && !json_is_string(kid) && !json_is_null(kid))
		return "the token's kid is no text";
	signature->algorithm = jwt_text_of(json_object_get(header, "alg"));
	signature->kid = jwt_text_of(kid);
	return NULL;
}

static const char *jwt_check_signature(struct jwt_keys *keys, const struct segments *segments)
{
	struct buf bytes = { 0 }, scratch = { 0 };
	struct jwt_signature signature = { .algorithm = STR("HS256"), .text = segments->is_signed };
	json_t *header = NULL;
	const char *fault = NULL;

	if (!str_equal(segments->header, STR(USUAL_HEADER))) {
		header = jwt_read_object(segments->header, &scratch);
		fault = jwt_read_header(header, &signature);
	}
	if (!fault && base64url_decode(&bytes, segments->signature))
		fault = "the token's signature is wrong";
	signature.bytes = buf_str(&bytes);
	if (!fault)
		fault = jwt_keys_find_fault(keys, &signature);
	json_decref(header);
	buf_release(&scratch);
	buf_release(&bytes);
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

static const char *jwt_find_fault(struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims,
                                  struct buf *scratch)
{
	struct segments segments;
	const char *fault;

	if (token.len > JWT_MAX_BYTES)
		return "the token is too long";
	if (!jwt_split(token, &segments))
		return "the token does not have three segments";
	fault = jwt_check_signature(keys, &segments);
	if (fault)
		return fault;
	json_t *payload = jwt_read_object(segments.payload, scratch);
	fault = payload ? jwt_check_payload(payload, now_ms, claims) : "the token's payload is not a JSON object";
	if (!fault)
		fault = jwt_check_family(payload, segments.is_signed, claims);
	json_decref(payload);
	return fault;
}

err_t jwt_verify(struct jwt_keys *keys, struct str token, uint64_t now_ms, struct jwt_claims *claims, const char **why)
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

err_t jwt_sign_scoped(struct jwt_keys *keys, const struct jwt_claims *claims, struct str scope, struct buf *out)
{
	struct buf payload = { 0 };

	jwt_put_claims(&payload, claims, scope.len || !claims->is_admin ? scope : STR("admin"));
	err_t err = jwt_keys_sign(keys, buf_str(&payload), out);
	buf_release(&payload);
	return err;
}

err_t jwt_sign(struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out)
{
	return jwt_sign_scoped(keys, claims, STR(""), out);
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

	header = str_trim(header); /* RFC 9110 section 5.5: blanks around a value are no part of it */
	if (header.len <= len || !str_equal_ignoring_case(str_of(header.ptr, len), scheme))
		return STR("");
	while (len < header.len && header.ptr[len] == ' ')
		len++;
	return str_of(header.ptr + len, header.len - len);
}
