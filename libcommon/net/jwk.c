#include "net/jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/text/base64.h"

#define MIN_RSA_BITS 2048
#define MAX_RSA_BITS 8192
#define FIELD_MAX_BYTES 2048 /* in base64: 8,192 bits are 1,366 characters */
#define P256_BYTES 32
#define ED25519_BYTES 32

struct kind {
	const char *type, *curve; /* no curve: "" */
	enum jwt_algorithm algorithm;
	const char *(*make)(const json_t *jwk, struct jwt_key *key);
};

static struct str jwk_text(const json_t *jwk, const char *field)
{
	const json_t *value = json_object_get(jwk, field);

	return str_of(json_string_value(value), json_string_length(value));
}

/* Appends the bytes that a field encodes. False if there are none. */
static bool jwk_bytes(const json_t *jwk, const char *field, struct buf *out)
{
	struct str text = jwk_text(jwk, field);

	return text.len > 0 && text.len <= FIELD_MAX_BYTES && base64url_decode(out, text) == OK && out->len > 0;
}

static const char *jwk_make_secret(const json_t *jwk, struct jwt_key *key)
{
	struct buf secret = { 0 };
	const char *why = "the key has no k in base64url";

	if (jwk_bytes(jwk, "k", &secret) && jwt_key_of_secret(key, buf_str(&secret), &why) == OK)
		why = NULL;
	buf_release(&secret);
	return why;
}

/* ---- pairs, of the parameters by which OpenSSL knows them ---- */

#define NUMBERS_MAX 8

struct parameters {
	OSSL_PARAM_BLD *builder;
	BIGNUM *numbers[NUMBERS_MAX]; /* the builder refers to them */
	size_t number_count;
	struct buf scratch;
	bool is_broken;
};

static void parameters_init(struct parameters *parameters)
{
	*parameters = (struct parameters){ .builder = OSSL_PARAM_BLD_new() };
	parameters->is_broken = !parameters->builder;
}

static void parameters_release(struct parameters *parameters)
{
	for (size_t i = 0; i < parameters->number_count; i++)
		BN_clear_free(parameters->numbers[i]);
	OSSL_PARAM_BLD_free(parameters->builder);
	buf_release(&parameters->scratch);
}

static void parameters_put_number(struct parameters *parameters, const char *name, const json_t *jwk, const char *field)
{
	buf_clear(&parameters->scratch);
	if (parameters->is_broken || !jwk_bytes(jwk, field, &parameters->scratch)) {
		parameters->is_broken = true;
		return;
	}
	BIGNUM *number = BN_bin2bn((const unsigned char *)parameters->scratch.ptr, (int)parameters->scratch.len, NULL);
	parameters->is_broken = !number || !OSSL_PARAM_BLD_push_BN(parameters->builder, name, number);
	if (number)
		parameters->numbers[parameters->number_count++] = number;
}

static EVP_PKEY *parameters_make_pair(struct parameters *parameters, const char *type, bool is_private)
{
	OSSL_PARAM *params = parameters->is_broken ? NULL : OSSL_PARAM_BLD_to_param(parameters->builder);
	EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
	EVP_PKEY *pair = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pair, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		pair = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pair;
}

/* With the exponent 1 everybody could sign, and a long one makes each verification expensive. */
static bool jwk_has_sound_exponent(const EVP_PKEY *pair)
{
	BIGNUM *exponent = NULL;
	bool is_sound = EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 && BN_is_odd(exponent) &&
	                !BN_is_one(exponent) && BN_num_bits(exponent) <= 64;

	BN_free(exponent);
	return is_sound;
}

static const char *jwk_make_rsa(const json_t *jwk, struct jwt_key *key)
{
	static const struct {
		const char *field, *name;
	} rest[] = {
		{ "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },      { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },
		{ "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },   { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 },
		{ "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
	};
	struct parameters parameters;

	parameters_init(&parameters);
	parameters_put_number(&parameters, OSSL_PKEY_PARAM_RSA_N, jwk, "n");
	parameters_put_number(&parameters, OSSL_PKEY_PARAM_RSA_E, jwk, "e");
	if (key->can_sign)
		parameters_put_number(&parameters, OSSL_PKEY_PARAM_RSA_D, jwk, "d");
	for (size_t i = 0; i < ARRAY_LEN(rest) && key->can_sign && json_object_get(jwk, "p"); i++)
		parameters_put_number(&parameters, rest[i].name, jwk, rest[i].field);
	key->pair = parameters_make_pair(&parameters, "RSA", key->can_sign);
	parameters_release(&parameters);
	if (!key->pair || !jwk_has_sound_exponent(key->pair))
		return "the numbers of the RSA key are missing or wrong";
	int bits = EVP_PKEY_get_bits(key->pair);
	return bits < MIN_RSA_BITS || bits > MAX_RSA_BITS ? "the RSA key does not have 2048 to 8192 bits" : NULL;
}

static const char *jwk_make_ec(const json_t *jwk, struct jwt_key *key)
{
	struct buf point = { 0 }, y = { 0 };
	struct parameters parameters;

	buf_append_char(&point, POINT_CONVERSION_UNCOMPRESSED);
	bool has_point = jwk_bytes(jwk, "x", &point) && point.len == 1 + P256_BYTES && jwk_bytes(jwk, "y", &y) &&
	                 y.len == P256_BYTES;
	buf_append_str(&point, buf_str(&y));
	parameters_init(&parameters);
	parameters.is_broken = parameters.is_broken || !has_point ||
	                       !OSSL_PARAM_BLD_push_utf8_string(parameters.builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ||
	                       !OSSL_PARAM_BLD_push_octet_string(parameters.builder, OSSL_PKEY_PARAM_PUB_KEY, point.ptr, point.len);
	if (key->can_sign)
		parameters_put_number(&parameters, OSSL_PKEY_PARAM_PRIV_KEY, jwk, "d");
	key->pair = parameters_make_pair(&parameters, "EC", key->can_sign);
	parameters_release(&parameters);
	buf_release(&point);
	buf_release(&y);
	return key->pair ? NULL : "the point of the EC key is missing or wrong";
}

/* OpenSSL computes the public half of a private one; it has to be the one of the JWK. */
static bool jwk_has_public_half(const EVP_PKEY *pair, struct str x)
{
	unsigned char computed[ED25519_BYTES];
	size_t len = sizeof(computed);

	return EVP_PKEY_get_raw_public_key(pair, computed, &len) == 1 && str_equal(str_of((const char *)computed, len), x);
}

static const char *jwk_make_ed25519(const json_t *jwk, struct jwt_key *key)
{
	struct buf x = { 0 }, d = { 0 };
	bool is_whole = jwk_bytes(jwk, "x", &x) && x.len == ED25519_BYTES &&
	                (!key->can_sign || (jwk_bytes(jwk, "d", &d) && d.len == ED25519_BYTES));

	if (is_whole && key->can_sign)
		key->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)d.ptr, d.len);
	else if (is_whole)
		key->pair = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.ptr, x.len);
	bool is_good = key->pair && jwk_has_public_half(key->pair, buf_str(&x));
	buf_release(&x);
	buf_release(&d);
	return is_good ? NULL : "the bytes of the Ed25519 key are missing or wrong";
}

static const struct kind kinds[] = {
	{ "RSA", "", JWT_RS256, jwk_make_rsa },
	{ "EC", "P-256", JWT_ES256, jwk_make_ec },
	{ "OKP", "Ed25519", JWT_EDDSA, jwk_make_ed25519 },
	{ "oct", "", JWT_HS256, jwk_make_secret },
};

static const struct kind *jwk_kind(const json_t *jwk)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_equal(jwk_text(jwk, "kty"), str_from(kinds[i].type)) &&
		    str_equal(jwk_text(jwk, "crv"), str_from(kinds[i].curve)))
			return &kinds[i];
	return NULL;
}

static bool jwk_is_absent_or(const json_t *jwk, const char *field, struct str value)
{
	return !json_object_get(jwk, field) || str_equal(jwk_text(jwk, field), value);
}

/* A private half of another pair would sign tokens that nobody can verify. */
static bool jwk_signs_what_it_verifies(const struct jwt_key *key)
{
	struct buf signature = { 0 };
	bool is_pair = jwt_key_sign(key, STR("probe"), &signature) && jwt_key_verify(key, STR("probe"), buf_str(&signature));

	buf_release(&signature);
	return is_pair;
}

static const char *jwk_find_fault(const json_t *jwk, struct jwt_key *key)
{
	const struct kind *kind = jwk_kind(jwk);
	const json_t *kid = json_object_get(jwk, "kid");

	if (!kind)
		return "the kind of the key is none of RSA, EC P-256, OKP Ed25519 and oct";
	if (!jwk_is_absent_or(jwk, "use", STR("sig")))
		return "the key is not for signatures";
	if (!jwk_is_absent_or(jwk, "alg", jwt_algorithm_name(kind->algorithm)))
		return "the key's alg is none of RS256, ES256, EdDSA and HS256, or not of its kind";
	key->algorithm = kind->algorithm;
	key->can_sign = json_is_string(json_object_get(jwk, "d"));
	const char *fault = kind->make(jwk, key);
	if (fault)
		return fault;
	if (kid && (!json_is_string(kid) || !str_copy(key->kid, sizeof(key->kid), jwk_text(jwk, "kid"))))
		return "the key's kid is no text of up to 128 bytes";
	if (key->can_sign && !jwk_signs_what_it_verifies(key))
		return "the private half does not belong to the public one";
	return NULL;
}

bool jwk_read(const json_t *jwk, struct jwt_key *key, const char **why)
{
	*key = (struct jwt_key){ 0 };
	const char *fault = jwk_find_fault(jwk, key);
	if (!fault)
		return true;
	jwt_key_release(key);
	ERR_clear_error();
	*why = fault;
	return false;
}
