/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/hmac.h>
#include <stdio.h>
#include <uv.h>

#include "base/text/base64.h"
#include "base/macros.h"
#include "net/jwt.h"

#define SECRET "a secret of the tests, long enough"
#define NOW_MS 1700000000000u
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD "{\"sub\":\"alice\",\"exp\":1700000060}"

static struct jwt_keys *keys;

static int make_keys(void **state)
{
	(void)state;
	return jwt_keys_new(&keys, STR(SECRET), "") == OK ? 0 : -1;
}

static int free_keys(void **state)
{
	(void)state;
	jwt_keys_free(keys);
	return 0;
}

/* Signed here with OpenSSL's one-shot function, so that the code under test does not vouch for itself. */
static void mint(struct buf *token, const char *header, const char *payload)
{
	unsigned char mac[32];
	unsigned len = 0;

	base64url_encode(token, str_from(header));
	buf_append_char(token, '.');
	base64url_encode(token, str_from(payload));
	HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const unsigned char *)token->ptr, token->len, mac, &len);
	buf_append_char(token, '.');
	base64url_encode(token, str_of(mac, len));
}

static err_t verify(const char *header, const char *payload, struct jwt_claims *claims, const char **why)
{
	struct buf token = { 0 };

	mint(&token, header, payload);
	err_t err = jwt_verify(keys, buf_str(&token), NOW_MS, claims, why);
	buf_release(&token);
	return err;
}

static void assert_fault(const char *header, const char *payload, const char *fault)
{
	struct jwt_claims claims;
	const char *why = "";

	assert_int_equal(verify(header, payload, &claims, &why), ERR_UNAUTHENTICATED);
	assert_string_equal(why, fault);
	assert_string_equal(claims.uid, "");
	assert_false(claims.is_admin);
}

static void a_time_of_zero_is_long_past(void **state)
{
	struct jwt_claims claims;

	(void)state;
	assert_int_equal(verify(HS256, "{\"sub\":\"alice\",\"exp\":1700000060,\"nbf\":0,\"iat\":0}", &claims, NULL), OK);
	assert_int_equal(claims.issued_ms, 0);
}

static void a_good_token_gives_its_claims(void **state)
{
	struct jwt_claims claims;

	(void)state;
	assert_int_equal(verify(HS256, GOOD, &claims, NULL), OK);
	assert_string_equal(claims.uid, "alice");
	assert_int_equal(claims.expires_ms, 1700000060000u);
	assert_int_equal(claims.issued_ms, 0);
	assert_false(claims.is_admin);
	assert_string_equal(claims.id, "");

	assert_int_equal(verify("{\"typ\":\"anything\",\"alg\":\"HS256\",\"kid\":\"k\"}",
	                        "{\"iss\":\"x\",\"sub\":\"b.-_9\",\"exp\":1700000000.9,\"iat\":1699999999,\"nbf\":1700000000,"
	                        "\"scope\":\"read admin write\",\"jti\":\"id-1\"}",
	                        &claims, NULL),
	                 ERR_UNAUTHENTICATED);
	assert_int_equal(verify("{\"typ\":\"anything\",\"alg\":\"HS256\",\"kid\":\"k\"}",
	                        "{\"iss\":\"x\",\"sub\":\"b.-_9\",\"exp\":1700000001.9,\"iat\":1699999999,\"nbf\":1700000000,"
	                        "\"scope\":\"read admin write\",\"jti\":\"id-1\"}",
	                        &claims, NULL),
	                 OK);
	assert_string_equal(claims.uid, "b.-_9");
	assert_int_equal(claims.expires_ms, 1700000001000u);
	assert_int_equal(claims.issued_ms, 1699999999000u);
	assert_true(claims.is_admin);
	assert_string_equal(claims.id, "id-1");
}

static void the_example_of_rfc_7515_has_a_good_signature(void **state)
{
	static const char token[] =
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
		"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	struct jwt_keys *rfc;
	struct jwt_claims claims;
	struct buf secret = { 0 };
	const char *why = "";

	(void)state;
	assert_int_equal(base64url_decode(&secret, STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
	                                               "PS4hcgUuTwjAzZr1Z9CAow")),
	                 OK);
	assert_int_equal(jwt_keys_new(&rfc, buf_str(&secret), ""), OK);
	assert_int_equal(jwt_verify(rfc, str_from(token), 1300819370000u, &claims, &why), ERR_UNAUTHENTICATED);
	assert_string_equal(why, "the token's sub is no uid"); /* it has none; all before that was fine */
	jwt_keys_free(rfc);
	buf_release(&secret);
}

static void a_signed_token_is_verified_and_read_by_others(void **state)
{
	const struct jwt_claims claims = {
		.uid = "alice", .expires_ms = NOW_MS + 5000, .issued_ms = NOW_MS, .is_admin = true, .id = "j\"1",
	};
	struct jwt_claims read;
	struct buf token = { 0 }, expected = { 0 };

	(void)state;
	buf_append_text(&token, "Bearer ");
	assert_int_equal(jwt_sign(keys, &claims, &token), OK);
	assert_int_equal(jwt_verify(keys, jwt_from_authorization(buf_str(&token)), NOW_MS, &read, NULL), OK);
	assert_string_equal(read.uid, claims.uid);
	assert_int_equal(read.expires_ms, claims.expires_ms);
	assert_int_equal(read.issued_ms, claims.issued_ms);
	assert_true(read.is_admin);
	assert_string_equal(read.id, claims.id);
	mint(&expected, HS256, "{\"sub\":\"alice\",\"exp\":1700000005,\"iat\":1700000000,"
	                       "\"scope\":\"admin\",\"jti\":\"j\\\"1\"}");
	assert_string_equal(buf_text(&token) + 7, buf_text(&expected));
	buf_release(&token);
	buf_release(&expected);
}

static void only_the_keys_own_algorithm_is_accepted(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\"}", "{\"alg\":\"HS512\"}", "{\"alg\":\"RS256\"}", "{\"alg\":\"hs256\"}", "{\"alg\":\"HS256 \"}",
		"{\"alg\":256}", "{\"alg\":null}", "{\"alg\":[\"HS256\"]}", "{\"typ\":\"JWT\"}", "{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		assert_fault(headers[i], GOOD, "the token names an algorithm or a key that is not known here");
	assert_fault("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", GOOD, "the token has critical headers");
	assert_fault("{\"alg\":\"HS256\",\"kid\":1}", GOOD, "the token's kid is no text");
	assert_fault("[\"HS256\"]", GOOD, "the token's header is not a JSON object");
	assert_fault("{\"alg\":\"none\",\"alg\":\"HS256\"}", GOOD, "the token's header is not a JSON object");
}

static void a_payload_that_is_wrong_in_any_way_is_refused(void **state)
{
	static const struct {
		const char *payload, *fault;
	} cases[] = {
		{ "{\"exp\":1700000060}", "the token's sub is no uid" },
		{ "{\"sub\":\"\",\"exp\":1700000060}", "the token's sub is no uid" },
		{ "{\"sub\":7,\"exp\":1700000060}", "the token's sub is no uid" },
		{ "{\"sub\":\"al ice\",\"exp\":1700000060}", "the token's sub is no uid" },
		{ "{\"sub\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"exp\":1700000060}",
		  "the token's sub is no uid" },
		{ "{\"sub\":\"alice\"}", "the token has no expiry" },
		{ "{\"sub\":\"alice\",\"exp\":\"1700000060\"}", "the token has no expiry" },
		{ "{\"sub\":\"alice\",\"exp\":true}", "the token has no expiry" },
		{ "{\"sub\":\"alice\",\"exp\":-5}", "the token has no expiry" },
		{ "{\"sub\":\"alice\",\"exp\":1e300}", "the token has no expiry" },
		{ "{\"sub\":\"alice\",\"exp\":9223372036854775807}", "the token has no expiry" },
		{ "{\"sub\":\"alice\",\"exp\":1700000000}", "the token is expired" },
		{ "{\"sub\":\"alice\",\"exp\":1600000000}", "the token is expired" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060,\"nbf\":1700000001}", "the token is not valid yet" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060,\"nbf\":\"0\"}", "the token's nbf is no time" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060,\"nbf\":-1}", "the token's nbf is no time" },
		{ "{\"sub\":\"alice\",\"exp\":0}", "the token is expired" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060,\"iat\":\"0\"}", "the token's iat is no time" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060,\"scope\":[\"admin\"]}", "the token's scope or jti is no text" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060,\"jti\":1}", "the token's scope or jti is no text" },
		{ "{\"sub\":\"alice\",\"sub\":\"bob\",\"exp\":1700000060}", "the token's payload is not a JSON object" },
		{ "{\"sub\":\"alice\",\"exp\":1700000060", "the token's payload is not a JSON object" },
		{ "{\"sub\":\"al\\u0000ice\",\"exp\":1700000060}", "the token's payload is not a JSON object" },
		{ "7", "the token's payload is not a JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_fault(HS256, cases[i].payload, cases[i].fault);
}

static void only_the_whole_word_admin_makes_an_admin(void **state)
{
	static const char *const scopes[] = { "", "administrator", "read", "Admin", "admin,read", "xadmin", "no-admin" };
	struct jwt_claims claims;
	char payload[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		snprintf(payload, sizeof(payload), "{\"sub\":\"a\",\"exp\":1700000060,\"scope\":\"%s\"}", scopes[i]);
		assert_int_equal(verify(HS256, payload, &claims, NULL), OK);
		assert_false(claims.is_admin);
	}
}

static void an_id_that_is_too_long_counts_as_none(void **state)
{
	struct jwt_claims claims;
	char payload[256];

	(void)state;
	snprintf(payload, sizeof(payload), "{\"sub\":\"a\",\"exp\":1700000060,\"jti\":\"%064d\"}", 1);
	assert_int_equal(verify(HS256, payload, &claims, NULL), OK);
	assert_int_equal(strlen(claims.id), 64);
	snprintf(payload, sizeof(payload), "{\"sub\":\"a\",\"exp\":1700000060,\"jti\":\"%065d\"}", 1);
	assert_int_equal(verify(HS256, payload, &claims, NULL), OK);
	assert_string_equal(claims.id, "");
}

static void no_byte_of_a_token_can_be_changed_left_out_or_added(void **state)
{
	struct buf token = { 0 }, changed = { 0 };
	struct jwt_claims claims;

	(void)state;
	mint(&token, HS256, GOOD);
	assert_int_equal(jwt_verify(keys, buf_str(&token), NOW_MS, &claims, NULL), OK);
	for (size_t i = 0; i < token.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			token.ptr[i] = (char)(token.ptr[i] ^ 1 << bit);
			assert_int_equal(jwt_verify(keys, buf_str(&token), NOW_MS, &claims, NULL), ERR_UNAUTHENTICATED);
			token.ptr[i] = (char)(token.ptr[i] ^ 1 << bit);
		}
		assert_int_equal(jwt_verify(keys, str_of(token.ptr, i), NOW_MS, &claims, NULL), ERR_UNAUTHENTICATED);
		buf_clear(&changed);
		buf_append(&changed, token.ptr, i);
		buf_append_char(&changed, 'A');
		buf_append(&changed, token.ptr + i, token.len - i);
		assert_int_equal(jwt_verify(keys, buf_str(&changed), NOW_MS, &claims, NULL), ERR_UNAUTHENTICATED);
	}
	for (const char *more = ".=A "; *more; more++) {
		buf_clear(&changed);
		buf_append_str(&changed, buf_str(&token));
		buf_append_char(&changed, *more);
		assert_int_equal(jwt_verify(keys, buf_str(&changed), NOW_MS, &claims, NULL), ERR_UNAUTHENTICATED);
	}
	buf_release(&token);
	buf_release(&changed);
}

static void a_text_that_is_no_token_is_refused(void **state)
{
	static const char *const texts[] = { "", ".", "..", "...", "a.b", "a.b.c.d", ".b.c", "a..c", "a.b.", "alice" };
	struct jwt_claims claims;
	struct buf payload = { 0 };
	const char *why = "";

	(void)state;
	assert_int_equal(jwt_verify(keys, str_of(NULL, 0), NOW_MS, &claims, NULL), ERR_UNAUTHENTICATED);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(jwt_verify(keys, str_from(texts[i]), NOW_MS, &claims, NULL), ERR_UNAUTHENTICATED);
	buf_append_text(&payload, "{\"sub\":\"alice\",\"exp\":1700000060,\"x\":\"");
	memset(buf_reserve(&payload, 4000), 'x', 4000);
	payload.len += 4000;
	buf_append_text(&payload, "\"}");
	assert_int_equal(verify(HS256, buf_text(&payload), &claims, &why), ERR_UNAUTHENTICATED);
	assert_string_equal(why, "the token is too long");
	buf_release(&payload);
}

static void a_token_of_another_key_is_refused_and_a_short_key_too(void **state)
{
	struct jwt_claims claims = { .uid = "alice", .expires_ms = NOW_MS + 5000 };
	struct jwt_keys *other, *weak;
	struct buf token = { 0 };
	const char *why = "";

	(void)state;
	assert_int_equal(jwt_keys_new(&weak, STR("fifteen bytes.."), ""), ERR_BAD_CONFIG);
	assert_int_equal(jwt_keys_new(&other, STR("sixteen bytes..."), ""), OK);
	assert_int_equal(jwt_sign(other, &claims, &token), OK);
	assert_int_equal(jwt_verify(keys, buf_str(&token), NOW_MS, &claims, &why), ERR_UNAUTHENTICATED);
	assert_string_equal(why, "the token's signature is wrong");
	jwt_keys_free(other);
	jwt_keys_free(NULL);
	buf_release(&token);
}

#define PAYLOAD(more) "{\"sub\":\"alice\",\"exp\":1800000000" more "}"

/* The claims of a token of ours with this payload. */
static struct jwt_claims claims_of(const char *payload)
{
	struct jwt_claims claims;

	assert_int_equal(verify(HS256, payload, &claims, NULL), OK);
	return claims;
}

static bool is_same_family(const char *payload, const char *other)
{
	struct jwt_claims one = claims_of(payload), two = claims_of(other);

	return memcmp(one.token_id, two.token_id, sizeof(one.token_id)) == 0;
}

static void a_token_id_is_that_of_its_family(void **state)
{
	/* The start of: printf 'alice\ns1' | sha256sum */
	static const unsigned char expected[JWT_TOKEN_ID_BYTES] = {
		0xe8, 0x1c, 0x9b, 0x06, 0x2d, 0x8d, 0x63, 0x2f, 0xf5, 0xc7, 0x95, 0x4a, 0xec, 0x78, 0xcd, 0xd5,
	};
	struct jwt_claims claims = claims_of(PAYLOAD(",\"sid\":\"s1\""));
	(void)state;

	assert_memory_equal(claims.token_id, expected, sizeof(expected));
	assert_string_equal(claims.family, "s1");
	assert_true(is_same_family(PAYLOAD(",\"sid\":\"s1\""), PAYLOAD(",\"jti\":\"j\",\"sid\":\"s1\",\"iat\":5")));
	assert_true(is_same_family(PAYLOAD(",\"jti\":\"s1\""), PAYLOAD(",\"sid\":\"s1\"")));
	assert_true(is_same_family(PAYLOAD(",\"jti\":\"s1\""), PAYLOAD(",\"jti\":\"s1\",\"sid\":\"\"")));
	assert_false(is_same_family(PAYLOAD(",\"jti\":\"s1\""), PAYLOAD(",\"jti\":\"s2\"")));
	assert_false(is_same_family(PAYLOAD(",\"sid\":\"s1\""), "{\"sub\":\"bob\",\"exp\":1800000000,\"sid\":\"s1\"}"));
	/* Without both a token is a family of its own. */
	assert_true(is_same_family(PAYLOAD(""), PAYLOAD("")));
	assert_false(is_same_family(PAYLOAD(""), PAYLOAD(",\"iat\":5")));
	assert_int_equal(strlen(claims_of(PAYLOAD("")).family), 22);
}

static void a_long_name_of_a_family_is_hashed(void **state)
{
	char name[100], payload[300], other[300];
	(void)state;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(payload, sizeof(payload), PAYLOAD(",\"sid\":\"%s\""), name);
	struct jwt_claims claims = claims_of(payload);
	assert_int_equal(strlen(claims.family), 22);
	snprintf(other, sizeof(other), PAYLOAD(",\"sid\":\"%s\""), claims.family);
	assert_true(is_same_family(payload, other)); /* a refreshed token has the hash */
	name[0] = 'm';
	snprintf(other, sizeof(other), PAYLOAD(",\"sid\":\"%s\""), name);
	assert_false(is_same_family(payload, other));
}

static void a_family_is_as_old_as_its_first_token(void **state)
{
	struct jwt_claims claims = claims_of(PAYLOAD(",\"iat\":1000"));
	struct jwt_claims read;
	struct buf token = { 0 }, scope = { 0 };
	(void)state;

	assert_int_equal(claims.family_issued_ms, 1000000);
	assert_int_equal(claims.family_expires_ms, claims.expires_ms);
	claims.issued_ms = 2000000;
	claims.family_expires_ms += 5000;
	assert_int_equal(jwt_sign_scoped(keys, &claims, STR("chat admin"), &token), OK);
	assert_int_equal(jwt_verify(keys, buf_str(&token), NOW_MS, &read, NULL), OK);
	assert_int_equal(read.family_issued_ms, 1000000);
	assert_int_equal(read.issued_ms, 2000000);
	assert_int_equal(read.family_expires_ms, claims.family_expires_ms);
	assert_memory_equal(read.token_id, claims.token_id, sizeof(read.token_id));
	assert_true(read.is_admin);
	jwt_read_scope(buf_str(&token), &scope);
	assert_string_equal(buf_text(&scope), "chat admin");
	buf_release(&token);
	buf_release(&scope);
	assert_int_equal(claims_of(PAYLOAD(",\"sid_iat\":1000")).family_issued_ms, 0); /* no iat */
	assert_int_equal(claims_of(PAYLOAD(",\"iat\":1000,\"sid_iat\":2000")).family_issued_ms, 1000000);
}

static void assert_bearer(const char *header, const char *token)
{
	assert_true(str_equal(jwt_from_authorization(str_from(header)), str_from(token)));
}

static void the_token_is_taken_from_a_bearer_header_only(void **state)
{
	(void)state;
	assert_bearer("Bearer a.b.c", "a.b.c");
	assert_bearer("bEARER   a.b.c", "a.b.c");
	assert_bearer("Bearer a.b.c \t ", "a.b.c");
	assert_bearer(" \tBearer a.b.c", "a.b.c");
	assert_bearer("Bearer a.b.c x", "a.b.c x");
	assert_bearer("Bearer", "");
	assert_bearer("Bearer ", "");
	assert_bearer("Bearer \t ", "");
	assert_bearer("Basic a.b.c", "");
	assert_bearer("Bearera.b.c", "");
	assert_bearer("", "");
	assert_bearer(NULL, "");
}

static void verify_many(void *arg)
{
	struct buf *token = arg;
	struct jwt_claims claims;

	for (int i = 0; i < 2000; i++)
		if (jwt_verify(keys, buf_str(token), NOW_MS, &claims, NULL) != OK)
			token->len = 0; /* seen by the test */
}

static void several_threads_may_use_one_key(void **state)
{
	uv_thread_t threads[4];
	struct buf tokens[4] = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		mint(&tokens[i], HS256, GOOD);
		assert_int_equal(uv_thread_create(&threads[i], verify_many, &tokens[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		uv_thread_join(&threads[i]);
		assert_true(tokens[i].len > 0);
		buf_release(&tokens[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_token_gives_its_claims),
		cmocka_unit_test(a_time_of_zero_is_long_past),
		cmocka_unit_test(the_example_of_rfc_7515_has_a_good_signature),
		cmocka_unit_test(a_signed_token_is_verified_and_read_by_others),
		cmocka_unit_test(only_the_keys_own_algorithm_is_accepted),
		cmocka_unit_test(a_payload_that_is_wrong_in_any_way_is_refused),
		cmocka_unit_test(only_the_whole_word_admin_makes_an_admin),
		cmocka_unit_test(an_id_that_is_too_long_counts_as_none),
		cmocka_unit_test(no_byte_of_a_token_can_be_changed_left_out_or_added),
		cmocka_unit_test(a_text_that_is_no_token_is_refused),
		cmocka_unit_test(a_token_of_another_key_is_refused_and_a_short_key_too),
		cmocka_unit_test(a_token_id_is_that_of_its_family),
		cmocka_unit_test(a_long_name_of_a_family_is_hashed),
		cmocka_unit_test(a_family_is_as_old_as_its_first_token),
		cmocka_unit_test(the_token_is_taken_from_a_bearer_header_only),
		cmocka_unit_test(several_threads_may_use_one_key),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
