/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "im/callers/verified_tokens.h"

#define NOW_MS 1700000000000ull

static struct jwt_keys *keys;
static struct verified_tokens verified;
static uint64_t hits, misses;

/* A token of `uid` that lives for a minute. */
static struct buf token_of(const char *uid)
{
	struct jwt_claims claims = { .expires_ms = NOW_MS + 60000 };
	struct buf token = { 0 };

	(void)str_copy(claims.uid, sizeof(claims.uid), str_from(uid));
	assert_int_equal(jwt_sign(keys, &claims, &token), OK);
	return token;
}

static err_t find(struct str token, uint64_t now_ms, const struct verified_token **out)
{
	const char *why;

	return verified_tokens_find(&verified, token, now_ms, out, &why);
}

/* How many finds since the last call were answered from memory, and how many by a signature. */
static void assert_found(uint64_t by_memory, uint64_t by_signature)
{
	assert_int_equal(counter_value(verified.hits) - hits, by_memory);
	assert_int_equal(counter_value(verified.misses) - misses, by_signature);
	hits += by_memory;
	misses += by_signature;
}

static int setup(void **state)
{
	(void)state;

	assert_int_equal(jwt_keys_new(&keys, STR("a secret of the test"), ""), OK);
	verified_tokens_init(&verified, keys, 3);
	hits = counter_value(verified.hits);
	misses = counter_value(verified.misses);
	return 0;
}

static int teardown(void **state)
{
	(void)state;

	verified_tokens_release(&verified);
	jwt_keys_free(keys);
	return 0;
}

static void a_token_is_verified_once_and_known_until_it_expires(void **state)
{
	struct buf token = token_of("alice");
	const struct verified_token *found;
	struct jwt_claims claims;
	(void)state;

	assert_int_equal(jwt_verify(keys, buf_str(&token), NOW_MS, &claims, NULL), OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(find(buf_str(&token), NOW_MS + (uint64_t)i * 20000, &found), OK);
		assert_string_equal(found->claims.uid, "alice");
		assert_memory_equal(found->claims.token_id, claims.token_id, sizeof(claims.token_id));
	}
	assert_found(2, 1);
	assert_int_equal(find(buf_str(&token), NOW_MS + 60000, &found), ERR_UNAUTHENTICATED);
	assert_found(0, 1);
	buf_release(&token);
}

static void the_same_claims_with_another_signature_are_another_token(void **state)
{
	struct buf token = token_of("alice");
	const struct verified_token *found;
	(void)state;

	assert_int_equal(find(buf_str(&token), NOW_MS, &found), OK);
	char *digit = &token.ptr[token.len - 5];
	*digit = *digit == 'A' ? 'B' : 'A';
	for (int i = 0; i < 2; i++)
		assert_int_equal(find(buf_str(&token), NOW_MS, &found), ERR_UNAUTHENTICATED);
	assert_int_equal(find(str_of(token.ptr, token.len - 1), NOW_MS, &found), ERR_UNAUTHENTICATED);
	assert_int_equal(find(STR(""), NOW_MS, &found), ERR_UNAUTHENTICATED);
	assert_found(0, 5);
	buf_release(&token);
}

static void a_clock_that_was_set_back_has_the_token_verified_anew(void **state)
{
	struct buf token = token_of("alice");
	const struct verified_token *found;
	(void)state;

	assert_int_equal(find(buf_str(&token), NOW_MS, &found), OK);
	assert_int_equal(find(buf_str(&token), NOW_MS - 1, &found), OK);
	assert_found(0, 2);
	buf_release(&token);
}

static void the_least_recently_used_token_makes_room(void **state)
{
	struct buf tokens[4];
	const struct verified_token *found;
	(void)state;

	for (int i = 0; i < 4; i++) {
		char uid[16];
		snprintf(uid, sizeof(uid), "u%d", i);
		tokens[i] = token_of(uid);
		assert_int_equal(find(buf_str(&tokens[i]), NOW_MS, &found), OK);
	}
	assert_found(0, 4);
	for (int i = 3; i > 0; i--)
		assert_int_equal(find(buf_str(&tokens[i]), NOW_MS, &found), OK);
	assert_found(3, 0);
	assert_int_equal(find(buf_str(&tokens[0]), NOW_MS, &found), OK);
	assert_found(0, 1);
	assert_int_equal(verified.tokens.users.len, 3);
	for (int i = 0; i < 4; i++)
		buf_release(&tokens[i]);
}

static void a_long_token_is_verified_each_time_and_not_kept(void **state)
{
	struct verified_tokens none;
	struct buf token = token_of("alice"), longer = { 0 };
	struct jwt_claims claims = { .expires_ms = NOW_MS + 60000, .uid = "bob" };
	const struct verified_token *found;
	const char *why;
	(void)state;

	verified_tokens_init(&none, keys, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(verified_tokens_find(&none, buf_str(&token), NOW_MS, &found, &why), OK);
		assert_string_equal(found->claims.uid, "alice");
	}
	assert_found(0, 2); /* the counters are those of the process */
	assert_int_equal(none.tokens.users.len, 0);
	verified_tokens_release(&none);
	/* A token of which only the length matters here: it is refused, and not kept either. */
	assert_int_equal(jwt_sign(keys, &claims, &longer), OK);
	for (int i = 0; i < VERIFIED_TOKEN_MAX_BYTES; i++)
		buf_append_char(&longer, 'A');
	assert_int_equal(find(buf_str(&longer), NOW_MS, &found), ERR_UNAUTHENTICATED);
	assert_int_equal(verified.tokens.users.len, 0);
	assert_found(0, 1);
	buf_release(&longer);
	buf_release(&token);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_token_is_verified_once_and_known_until_it_expires),
		TEST(the_same_claims_with_another_signature_are_another_token),
		TEST(a_clock_that_was_set_back_has_the_token_verified_anew),
		TEST(the_least_recently_used_token_makes_room),
		TEST(a_long_token_is_verified_each_time_and_not_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
