/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/text/base64.h"
#include "net/jwk.h"
#include "tests/unit/net/key_examples.h"

/* The fault of a JWK with these members; NULL: there is none. */
static const char *read_members(const char *members, struct jwt_key *key)
{
	struct buf text = { 0 };
	struct json_error error = { 0 };
	const char *why = NULL;

	buf_printf(&text, "{%s}", members);
	json_t *jwk = json_read(buf_str(&text), &error);
	assert_non_null(jwk);
	if (jwk_read(jwk, key, &why))
		why = NULL;
	json_decref(jwk);
	buf_release(&text);
	return why;
}

static bool verifies(const struct jwt_key *key, const char *text, const char *signature)
{
	struct buf bytes = { 0 };

	assert_int_equal(base64url_decode(&bytes, str_from(signature)), OK);
	bool is_good = jwt_key_verify(key, str_from(text), buf_str(&bytes));
	buf_release(&bytes);
	return is_good;
}

static void the_examples_of_the_rfcs_are_verified(void **state)
{
	static const struct {
		const char *members, *text, *signature;
		enum jwt_algorithm algorithm;
	} cases[] = {
		{ RS256_MEMBERS, RS256_TEXT, RS256_SIGNATURE, JWT_RS256 },
		{ ES256_MEMBERS, ES256_TEXT, ES256_SIGNATURE, JWT_ES256 },
		{ EDDSA_MEMBERS, EDDSA_TEXT, EDDSA_SIGNATURE, JWT_EDDSA },
	};
	struct jwt_key key;
	struct buf signature = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(read_members(cases[i].members, &key));
		assert_int_equal(key.algorithm, cases[i].algorithm);
		assert_string_equal(key.kid, "");
		assert_true(verifies(&key, cases[i].text, cases[i].signature));
		assert_false(verifies(&key, PAYLOAD_7515, cases[i].signature));
		assert_false(verifies(&key, cases[i].text, cases[(i + 1) % ARRAY_LEN(cases)].signature));
		assert_false(jwt_key_verify(&key, str_from(cases[i].text), STR("")));
		assert_false(key.can_sign);
		assert_false(jwt_key_sign(&key, STR("text"), &signature));
		jwt_key_release(&key);
	}
	assert_int_equal(signature.len, 0);
}

static void no_bit_of_a_signature_can_be_changed(void **state)
{
	static const char *const cases[][3] = {
		{ RS256_MEMBERS, RS256_TEXT, RS256_SIGNATURE },
		{ ES256_MEMBERS, ES256_TEXT, ES256_SIGNATURE },
		{ EDDSA_MEMBERS, EDDSA_TEXT, EDDSA_SIGNATURE },
	};
	struct jwt_key key;
	struct buf bytes = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(read_members(cases[i][0], &key));
		buf_clear(&bytes);
		assert_int_equal(base64url_decode(&bytes, str_from(cases[i][2])), OK);
		for (size_t bit = 0; bit < bytes.len * 8; bit++) {
			bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
			assert_false(jwt_key_verify(&key, str_from(cases[i][1]), buf_str(&bytes)));
			bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
		}
		assert_false(jwt_key_verify(&key, str_from(cases[i][1]), str_of(bytes.ptr, bytes.len - 1)));
		buf_append_char(&bytes, '\0');
		assert_false(jwt_key_verify(&key, str_from(cases[i][1]), buf_str(&bytes)));
		jwt_key_release(&key);
	}
	buf_release(&bytes);
}

static void a_private_half_signs_what_the_public_half_verifies(void **state)
{
	static const char *const cases[][2] = {
		{ RSA_PAIR_MEMBERS, "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_PAIR_N "\"" },
		{ RSA_PAIR_MEMBERS "," RSA_PAIR_REST, "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_PAIR_N "\"" },
		{ ES256_MEMBERS ",\"d\":\"" ES256_D "\"", ES256_MEMBERS },
		{ EDDSA_MEMBERS ",\"d\":\"" EDDSA_D "\"", EDDSA_MEMBERS },
		{ HS256_MEMBERS, HS256_MEMBERS },
	};
	struct jwt_key private, public;
	struct buf signature = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(read_members(cases[i][0], &private));
		assert_null(read_members(cases[i][1], &public));
		assert_true(private.can_sign);
		buf_clear(&signature);
		assert_true(jwt_key_sign(&private, STR("a text"), &signature));
		assert_true(jwt_key_verify(&public, STR("a text"), buf_str(&signature)));
		assert_false(jwt_key_verify(&public, STR("a tex"), buf_str(&signature)));
		jwt_key_release(&private);
		jwt_key_release(&public);
	}
	buf_release(&signature);
}

#define WRONG_D "AAAAne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"

static void what_is_no_key_for_tokens_is_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "", "the kind of the key is none of RSA, EC P-256, OKP Ed25519 and oct" },
		{ "\"kty\":\"rsa\"", "the kind of the key is none of RSA, EC P-256, OKP Ed25519 and oct" },
		{ "\"kty\":1", "the kind of the key is none of RSA, EC P-256, OKP Ed25519 and oct" },
		{ "\"kty\":\"EC\",\"crv\":\"P-384\"",
		  "the kind of the key is none of RSA, EC P-256, OKP Ed25519 and oct" },
		{ "\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" EDDSA_X "\"",
		  "the kind of the key is none of RSA, EC P-256, OKP Ed25519 and oct" },
		{ EDDSA_MEMBERS ",\"use\":\"enc\"", "the key is not for signatures" },
		{ EDDSA_MEMBERS ",\"use\":null", "the key is not for signatures" },
		{ RS256_MEMBERS ",\"alg\":\"HS256\"",
		  "the key's alg is none of RS256, ES256, EdDSA and HS256, or not of its kind" },
		{ RS256_MEMBERS ",\"alg\":\"RS512\"",
		  "the key's alg is none of RS256, ES256, EdDSA and HS256, or not of its kind" },
		{ HS256_MEMBERS ",\"alg\":\"none\"",
		  "the key's alg is none of RS256, ES256, EdDSA and HS256, or not of its kind" },
		{ EDDSA_MEMBERS ",\"kid\":7", "the key's kid is no text of up to 128 bytes" },
		{ "\"kty\":\"RSA\"", "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"RSA\",\"n\":\"" RS256_N "\"", "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"RSA\",\"n\":\"a+b\",\"e\":\"AQAB\"", "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"RSA\",\"n\":\"" RS256_N "\",\"e\":\"AQ\"",
		  "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"RSA\",\"n\":\"" RS256_N "\",\"e\":\"Ag\"",
		  "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"RSA\",\"n\":\"" RS256_N "\",\"e\":\"AQAAAAAAAAAB\"",
		  "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"RSA\",\"n\":\"" RSA_SMALL_N "\",\"e\":\"AQAB\"",
		  "the RSA key does not have 2048 to 8192 bits" },
		{ RS256_MEMBERS ",\"d\":\"" WRONG_D "\"", "the private half does not belong to the public one" },
		{ RSA_PAIR_MEMBERS ",\"p\":\"" RSA_PAIR_P "\"", "the numbers of the RSA key are missing or wrong" },
		{ "\"kty\":\"EC\",\"crv\":\"P-256\"", "the point of the EC key is missing or wrong" },
		{ "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\"",
		  "the point of the EC key is missing or wrong" },
		{ "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_X "\"",
		  "the point of the EC key is missing or wrong" },
		{ "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "AA\",\"y\":\"" ES256_Y "\"",
		  "the point of the EC key is missing or wrong" },
		{ ES256_MEMBERS ",\"d\":\"" WRONG_D "\"", "the private half does not belong to the public one" },
		{ "\"kty\":\"OKP\",\"crv\":\"Ed25519\"", "the bytes of the Ed25519 key are missing or wrong" },
		{ "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"",
		  "the bytes of the Ed25519 key are missing or wrong" },
		{ EDDSA_MEMBERS ",\"d\":\"" WRONG_D "\"", "the bytes of the Ed25519 key are missing or wrong" },
		{ "\"kty\":\"oct\"", "the key has no k in base64url" },
		{ "\"kty\":\"oct\",\"k\":\"c2hvcnQ\"", "the secret has fewer than 16 bytes" },
	};
	struct jwt_key key;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = read_members(cases[i][0], &key);
		assert_non_null(why);
		assert_string_equal(why, cases[i][1]);
		assert_null(key.pair);
		assert_null(key.keyed);
	}
}

static void a_key_may_name_itself_its_use_and_its_algorithm(void **state)
{
	struct jwt_key key;
	(void)state;

	assert_null(read_members(EDDSA_MEMBERS ",\"kid\":\"2026-12\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"x5t\":\"other\"", &key));
	assert_string_equal(key.kid, "2026-12");
	jwt_key_release(&key);
	assert_null(read_members(HS256_MEMBERS ",\"kid\":\"s\",\"alg\":\"HS256\"", &key));
	assert_string_equal(key.kid, "s");
	assert_int_equal(key.algorithm, JWT_HS256);
	jwt_key_release(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfcs_are_verified),
		cmocka_unit_test(no_bit_of_a_signature_can_be_changed),
		cmocka_unit_test(a_private_half_signs_what_the_public_half_verifies),
		cmocka_unit_test(what_is_no_key_for_tokens_is_refused),
		cmocka_unit_test(a_key_may_name_itself_its_use_and_its_algorithm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
