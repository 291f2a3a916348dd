/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/telemetry/metrics.h"
#include "base/text/base64.h"
#include "net/jwk_set.h"
#include "net/jwt.h"
#include "tests/unit/net/key_examples.h"

#define SECRET "a secret of the tests, long enough"
#define NOW_MS 1700000000000u
#define PATIENCE_MS 20000

#define ED_PAIR EDDSA_MEMBERS ",\"d\":\"" EDDSA_D "\""
#define EC_PAIR ES256_MEMBERS ",\"d\":\"" ES256_D "\""
#define NAMED(name) ",\"kid\":\"" name "\""

static char path[] = "/tmp/jwt-keys-XXXXXX";
static struct worker worker;
static struct jwt_keys *watched; /* by the worker */

static void write_file(const char *content, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* Items: JWKs with braces, separated by commas. */
static void write_set(const char *items)
{
	struct buf text = { 0 };

	buf_printf(&text, "{\"keys\":[%s]}", items);
	write_file(text.ptr, text.len);
	buf_release(&text);
}

static struct jwt_keys *keys_of(const char *secret, const char *items)
{
	struct jwt_keys *keys;

	if (items)
		write_set(items);
	assert_int_equal(jwt_keys_new(&keys, str_from(secret), items ? path : ""), OK);
	return keys;
}

/* Of another issuer, whose keys are these. */
static void mint(const char *secret, const char *items, struct buf *token)
{
	const struct jwt_claims claims = { .uid = "alice", .expires_ms = NOW_MS + 5000 };
	struct jwt_keys *keys = keys_of(secret, items);

	buf_clear(token);
	assert_int_equal(jwt_sign(keys, &claims, token), OK);
	jwt_keys_free(keys);
}

static const char *fault_of(struct jwt_keys *keys, struct str token)
{
	struct jwt_claims claims;
	const char *why = NULL;

	err_t err = jwt_verify(keys, token, NOW_MS, &claims, &why);
	assert_int_equal(err, why ? ERR_UNAUTHENTICATED : OK);
	assert_string_equal(claims.uid, why ? "" : "alice");
	return why ? why : "none";
}

#define UNKNOWN "the token names an algorithm or a key that is not known here"
#define WRONG "the token's signature is wrong"

static void a_token_is_verified_by_the_key_that_it_names(void **state)
{
	static const struct {
		const char *items, *fault; /* of the token's issuer */
	} cases[] = {
		{ "{" ED_PAIR NAMED("ed") "}", "none" },
		{ "{" EC_PAIR NAMED("ec") "}", "none" },
		{ "{" RSA_PAIR_MEMBERS NAMED("rsa") "}", "none" },
		{ "{" HS256_MEMBERS NAMED("hs") "}", "none" },
		{ "{" ED_PAIR NAMED("ec") "}", "the token names another algorithm than its key has" },
		{ "{" RSA_PAIR_MEMBERS NAMED("rsa-2") "}", WRONG },
		{ "{" ED_PAIR NAMED("gone") "}", UNKNOWN },
		{ "{" ED_PAIR "}", "none" }, /* the only key for EdDSA */
		{ "{" RSA_PAIR_MEMBERS "}", UNKNOWN }, /* two keys for RS256 */
	};
	struct buf token = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		mint("", cases[i].items, &token);
		struct jwt_keys *keys = keys_of(
			"", "{" EDDSA_MEMBERS NAMED("ed") "},{" ES256_MEMBERS NAMED(
				    "ec") "},"
					  "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_PAIR_N
					  "\"" NAMED("rsa") "},"
							    "{" RS256_MEMBERS NAMED("rsa-2") "},{" HS256_MEMBERS NAMED(
								    "hs") "}");
		assert_string_equal(fault_of(keys, buf_str(&token)), cases[i].fault);
		jwt_keys_free(keys);
	}
	buf_release(&token);
}

static void the_secret_and_keys_without_a_name_verify_what_names_an_unknown_key(void **state)
{
	struct jwt_keys *keys;
	struct buf token = { 0 };
	(void)state;

	mint("", "{\"kty\":\"oct\",\"k\":\"YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCBsb25nIGVub3VnaA\"" NAMED("theirs") "}", &token);
	keys = keys_of(SECRET, NULL);
	assert_string_equal(fault_of(keys, buf_str(&token)), "none");
	jwt_keys_free(keys);
	keys = keys_of(SECRET, "{" HS256_MEMBERS NAMED("theirs") "}");
	assert_string_equal(fault_of(keys, buf_str(&token)), WRONG); /* the name decides */
	jwt_keys_free(keys);

	mint("", "{" ED_PAIR NAMED("theirs") "}", &token);
	keys = keys_of(SECRET, "{" ES256_MEMBERS "},{" EDDSA_MEMBERS "}");
	assert_string_equal(fault_of(keys, buf_str(&token)), "none");
	jwt_keys_free(keys);
	buf_release(&token);
}

/* The oldest attack: a public key, which everybody knows, used as the secret of HS256. */
static void a_public_key_is_no_secret(void **state)
{
	static const char *const secrets[] = { RSA_PAIR_N, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_PAIR_N "\"}" };
	struct jwt_keys *keys = keys_of("", "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_PAIR_N "\"" NAMED("rsa") "}");
	struct buf token = { 0 }, n = { 0 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(secrets) + 1; i++) {
		unsigned char mac[32];
		unsigned len = 0;
		struct str secret = i < ARRAY_LEN(secrets) ? str_from(secrets[i]) : buf_str(&n);
		for (int named = 0; named < 2; named++) {
			buf_clear(&token);
			base64url_encode(&token, named ? STR("{\"alg\":\"HS256\",\"kid\":\"rsa\"}") : STR("{\"alg\":\"HS256\"}"));
			buf_append_char(&token, '.');
			base64url_encode(&token, STR("{\"sub\":\"alice\",\"exp\":1800000000}"));
			HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const unsigned char *)token.ptr, token.len, mac, &len);
			buf_append_char(&token, '.');
			base64url_encode(&token, str_of((const char *)mac, len));
			assert_string_equal(fault_of(keys, buf_str(&token)),
			                    named ? "the token names another algorithm than its key has" : UNKNOWN);
		}
		if (!n.len)
			assert_int_equal(base64url_decode(&n, STR(RSA_PAIR_N)), OK);
	}
	jwt_keys_free(keys);
	buf_release(&token);
	buf_release(&n);
}

static void the_secret_signs_or_else_the_first_private_key(void **state)
{
	struct jwt_keys *keys;
	struct buf token = { 0 };
	const struct jwt_claims claims = { .uid = "alice", .expires_ms = NOW_MS + 5000 };
	(void)state;

	mint(SECRET, "{" ED_PAIR NAMED("ed") "}", &token);
	keys = keys_of(SECRET, NULL);
	assert_string_equal(fault_of(keys, buf_str(&token)), "none");
	jwt_keys_free(keys);

	mint("", "{" ES256_MEMBERS NAMED("ec") "},{" ED_PAIR NAMED("ed") "},{" RSA_PAIR_MEMBERS NAMED("rsa") "}", &token);
	keys = keys_of("", "{" EDDSA_MEMBERS NAMED("ed") "}");
	assert_string_equal(fault_of(keys, buf_str(&token)), "none");

	assert_false(jwt_keys_can_sign(keys));
	buf_clear(&token);
	assert_int_equal(jwt_sign(keys, &claims, &token), ERR_FAILED_PRECONDITION);
	assert_int_equal(token.len, 0);
	jwt_keys_free(keys);
	buf_release(&token);
}

static const char *fault_of_set(const char *text, size_t *count)
{
	struct jwk_set set;
	const char *fault = jwk_set_read(&set, str_from(text), "the test's");

	*count = set.count;
	jwk_set_release(&set);
	return fault ? fault : "none";
}

static void a_file_that_cannot_be_used_is_an_error(void **state)
{
	static const struct {
		const char *text, *fault;
		size_t count;
	} cases[] = {
		{ "", "the file is no JWK set: {\"keys\": [...]}", 0 },
		{ "[]", "the file is no JWK set: {\"keys\": [...]}", 0 },
		{ "{\"keys\":{}}", "the file is no JWK set: {\"keys\": [...]}", 0 },
		{ "{" EDDSA_MEMBERS "}", "the file is no JWK set: {\"keys\": [...]}", 0 },
		{ "{\"keys\":[]}", "none", 0 },
		{ "{\"keys\":[{" EDDSA_MEMBERS "},{" EDDSA_MEMBERS "},{" EDDSA_MEMBERS "},{" EDDSA_MEMBERS "}]}",
		  "none", 4 },
		{ "{\"keys\":[{" EDDSA_MEMBERS "},{" EDDSA_MEMBERS "},{" EDDSA_MEMBERS "},{" EDDSA_MEMBERS
		  "},{" EDDSA_MEMBERS "}]}",
		  "the file has more than 4 keys without a kid", 0 },
		{ "{\"keys\":[1,null,[],{}]}", "the file has no key for tokens", 0 },
		{ "{\"keys\":[{" EDDSA_MEMBERS NAMED("a") "},{" ES256_MEMBERS NAMED("a") "}]}",
		  "two keys have the same kid", 0 },
		{ "{\"keys\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
		  "the file has more than 32 keys", 0 },
		{ "{\"keys\":[{" EDDSA_MEMBERS "},{" ES256_MEMBERS
		  "},{\"kty\":\"EC\",\"crv\":\"P-521\",\"kid\":\"other\"}]}",
		  "none", 2 },
	};
	struct jwt_keys *keys;
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(fault_of_set(cases[i].text, &count), cases[i].fault);
		assert_int_equal(count, cases[i].count);
	}
	assert_int_equal(jwt_keys_new(&keys, STR(""), ""), ERR_BAD_CONFIG);
	assert_int_equal(jwt_keys_new(&keys, STR(SECRET), "/no/such/file"), ERR_BAD_CONFIG);
	assert_int_equal(jwt_keys_new(&keys, STR(SECRET), "/tmp"), ERR_BAD_CONFIG);
	char *large = calloc(1, 256 * 1024 + 1);
	assert_non_null(large);
	memset(large, ' ', 256 * 1024 + 1);
	write_file(large, 256 * 1024 + 1);
	free(large);
	assert_int_equal(jwt_keys_new(&keys, STR(SECRET), path), ERR_BAD_CONFIG);
}

/* How many files were refused. The metric is that of the process. */
static unsigned refusals(void)
{
	return (unsigned)counter_value(metrics_counter("skein_auth_key_files_total", "", "outcome=\"refused\""));
}

static unsigned version_of_keys(void)
{
	return jwt_keys_version(watched);
}

/* The file is looked at by a timer, which tells nobody. */
static void await_count(unsigned (*count)(void), unsigned expected)
{
	uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;

	while (count() != expected) {
		assert_true(clock_mono_ms() < deadline_ms);
		usleep(10000);
	}
}

static void stop_worker(struct task *task)
{
	(void)task;

	jwt_keys_unwatch(watched);
	worker_stop(&worker);
}

static void a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing(void **state)
{
	struct task stop = { .run = stop_worker };
	struct buf ed = { 0 }, ec = { 0 };
	(void)state;

	mint("", "{" ED_PAIR NAMED("ed") "}", &ed);
	mint("", "{" EC_PAIR NAMED("ec") "}", &ec);
	struct jwt_keys *keys = keys_of("", "{" EDDSA_MEMBERS NAMED("ed") "}");
	watched = keys;
	assert_int_equal(worker_init(&worker, "watch"), OK);
	jwt_keys_watch(keys, &worker);
	assert_int_equal(worker_start(&worker), OK);
	unsigned version = jwt_keys_version(keys);
	assert_string_equal(fault_of(keys, buf_str(&ed)), "none");
	assert_string_equal(fault_of(keys, buf_str(&ec)), UNKNOWN);

	write_set("{" EDDSA_MEMBERS NAMED("ed") "},{" ES256_MEMBERS NAMED("ec") "}");
	await_count(version_of_keys, version + 1);
	assert_string_equal(fault_of(keys, buf_str(&ed)), "none");
	assert_string_equal(fault_of(keys, buf_str(&ec)), "none");

	assert_int_equal(unlink(path), 0);
	write_set("oops");
	write_set("{" ES256_MEMBERS NAMED("ec") "}");
	await_count(version_of_keys, version + 2);
	assert_string_equal(fault_of(keys, buf_str(&ed)), UNKNOWN);
	assert_string_equal(fault_of(keys, buf_str(&ec)), "none");

	unsigned refused = refusals();
	write_set("oops");
	await_count(refusals, refused + 1);
	assert_int_equal(jwt_keys_version(keys), version + 2);
	assert_string_equal(fault_of(keys, buf_str(&ec)), "none");

	worker_post(&worker, &stop);
	worker_join(&worker);
	jwt_keys_free(keys);
	buf_release(&ed);
	buf_release(&ec);
}

static int make_file(void **state)
{
	(void)state;
	int file = mkstemp(path);
	return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_verified_by_the_key_that_it_names),
		cmocka_unit_test(the_secret_and_keys_without_a_name_verify_what_names_an_unknown_key),
		cmocka_unit_test(a_public_key_is_no_secret),
		cmocka_unit_test(the_secret_signs_or_else_the_first_private_key),
		cmocka_unit_test(a_file_that_cannot_be_used_is_an_error),
		cmocka_unit_test(a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
