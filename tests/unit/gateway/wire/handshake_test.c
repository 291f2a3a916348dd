#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "cluster/inbox_epoch.h"
#include "gateway/wire/handshake.h"
#include "net/ws/ws_request.h"

#define SECRET "0123456789abcdef"
#define GOOD "device=phone&platform=ios"

static struct jwt_keys *keys;

/* The token of a user, signed with `secret`; it expires `life_ms` from now. */
static const char *token_of(const char *uid, const char *secret, int64_t life_ms)
{
	static char token[JWT_MAX_BYTES + 1];
	struct jwt_claims claims = { .expires_ms = clock_wall_ms() + (uint64_t)life_ms };
	struct jwt_keys *signer;
	struct buf out = { 0 };

	assert_true(str_copy(claims.uid, sizeof(claims.uid), str_from(uid)));
	assert_int_equal(jwt_keys_new(&signer, str_from(secret), ""), OK);
	assert_int_equal(jwt_sign(signer, &claims, &out), OK);
	assert_true(str_copy(token, sizeof(token), buf_str(&out)));
	buf_release(&out);
	jwt_keys_free(signer);
	return token;
}

static const char *good_token(void)
{
	return token_of("alice", SECRET, 60000);
}

/* `token` NULL: the request has no Authorization header. */
static err_t read_request(struct handshake *out, const char *query, const char *token, const char **detail)
{
	struct ws_request request;
	struct buf head = { 0 };

	buf_append_text(&head, "GET /ws?");
	buf_append_text(&head, query);
	buf_append_text(&head, " HTTP/1.1\r\nHost: x\r\n");
	if (token) {
		buf_append_text(&head, "Authorization: Bearer ");
		buf_append_text(&head, token);
		buf_append_text(&head, "\r\n");
	}
	buf_append_text(&head, "\r\n");
	assert_int_equal(ws_request_parse(&request, buf_str(&head), detail), OK);
	const struct ws_handshake handshake = { .authorization = request.authorization, .request = &request };
	*detail = NULL;
	err_t err = handshake_read(out, &handshake, keys, detail);
	ws_request_release(&request);
	buf_release(&head);
	return err;
}

static void all_parameters_are_read(void **state)
{
	struct handshake handshake;
	struct jwt_claims claims;
	char query[JWT_MAX_BYTES], epoch[INBOX_EPOCH_TEXT];
	const char *token = good_token(), *detail;
	(void)state;

	inbox_epoch_text(epoch, 0xabc);
	snprintf(query, sizeof(query), "ack=0&epoch=%s&offset=17&platform=web&device=tab-1&token=%s", epoch, token);
	assert_int_equal(read_request(&handshake, query, NULL, &detail), OK);
	assert_string_equal(handshake.claims.uid, "alice");
	assert_int_equal(jwt_verify(keys, str_from(token), clock_wall_ms(), &claims, NULL), OK);
	assert_memory_equal(handshake.claims.token_id, claims.token_id, sizeof(claims.token_id));
	assert_string_equal(handshake.device, "tab-1");
	assert_string_equal(handshake.platform, "web");
	assert_true(handshake.never_acks);
	assert_true(handshake.has_position);
	assert_int_equal(handshake.epoch, 0xabc);
	assert_int_equal(handshake.offset, 17);
}

static void the_token_may_be_in_the_header_and_position_and_ack_may_be_absent(void **state)
{
	struct handshake handshake;
	const char *detail;
	(void)state;

	assert_int_equal(read_request(&handshake, GOOD, good_token(), &detail), OK);
	assert_string_equal(handshake.claims.uid, "alice");
	assert_false(handshake.never_acks);
	assert_false(handshake.has_position);
	assert_int_equal(read_request(&handshake, GOOD "&ack=1", good_token(), &detail), OK);
	assert_false(handshake.never_acks);
}

static void expect_unauthenticated(const char *query, const char *token)
{
	struct handshake handshake;
	const char *detail;

	assert_int_equal(read_request(&handshake, query, token, &detail), ERR_UNAUTHENTICATED);
	assert_null(detail);
}

static void a_request_without_one_valid_token_is_unauthenticated_and_not_told_why(void **state)
{
	char query[2 * JWT_MAX_BYTES + 100];
	(void)state;

	expect_unauthenticated(GOOD, NULL);
	expect_unauthenticated(GOOD, "x");
	expect_unauthenticated(GOOD "&token=", good_token());
	expect_unauthenticated(GOOD, token_of("alice", "another secret of 16 bytes", 60000));
	expect_unauthenticated(GOOD, token_of("alice", SECRET, -3600000));
	expect_unauthenticated(GOOD, token_of("a b", SECRET, 60000));
	snprintf(query, sizeof(query), GOOD "&token=%s&token=%s", good_token(), good_token());
	expect_unauthenticated(query, NULL);
	memset(query, 'a', sizeof(query));
	memcpy(query, GOOD "&token=", sizeof(GOOD "&token=") - 1);
	query[sizeof(GOOD "&token=") + JWT_MAX_BYTES] = '\0';
	expect_unauthenticated(query, NULL);
}

static void each_bad_parameter_is_named(void **state)
{
	static const struct {
		const char *query, *detail;
	} bad[] = {
		{ "platform=ios", "device is required" },
		{ "device=&platform=ios", "device must be" },
		{ "device=a%20b&platform=ios", "device must be" },
		{ "device=a&device=a&platform=ios", "device must be" },
		{ "device=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&platform=ios", "device must be" },
		{ "device=phone", "platform is required" },
		{ "device=phone&platform=amiga", "platform must be" },
		{ GOOD "&epoch=1", "go together" },
		{ GOOD "&offset=1", "go together" },
		{ GOOD "&epoch=&offset=1", "epoch must be" },
		{ GOOD "&epoch=0123456789abcdef&offset=1", "epoch must be" },
		{ GOOD "&epoch=1&offset=", "offset must be" },
		{ GOOD "&epoch=1&offset=-1", "offset must be" },
		{ GOOD "&epoch=1&offset=1%20", "offset must be" },
		{ GOOD "&epoch=1&offset=111111111111111111111", "offset must be" },
		{ GOOD "&ack=", "ack must be" },
		{ GOOD "&ack=2", "ack must be" },
		{ GOOD "&ack=00", "ack must be" },
		{ GOOD "&ack=0&ack=0", "ack must be" },
	};
	struct handshake handshake;
	const char *detail;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_t err = read_request(&handshake, bad[i].query, good_token(), &detail);

		if (err != ERR_INVALID_ARGUMENT || !detail || !strstr(detail, bad[i].detail))
			fail_msg("%s: %s, %s", bad[i].query, err_code(err), detail ? detail : "no detail");
	}
}

static void a_position_that_no_inbox_has_is_read_as_such(void **state)
{
	struct handshake handshake;
	const char *detail;
	(void)state;

	assert_int_equal(read_request(&handshake, GOOD "&epoch=nonsense&offset=99999999999999999999", good_token(), &detail), OK);
	assert_true(handshake.has_position);
	assert_int_equal(handshake.epoch, 0);
	assert_true(handshake.offset == UINT64_MAX);
	assert_int_equal(read_request(&handshake, GOOD "&epoch=%C3%A4%C3%B6&offset=007", good_token(), &detail), OK);
	assert_int_equal(handshake.epoch, 0);
	assert_int_equal(handshake.offset, 7);
}

static int set_up(void **state)
{
	(void)state;
	return jwt_keys_new(&keys, STR(SECRET), "") ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	jwt_keys_free(keys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_parameters_are_read),
		cmocka_unit_test(the_token_may_be_in_the_header_and_position_and_ack_may_be_absent),
		cmocka_unit_test(a_request_without_one_valid_token_is_unauthenticated_and_not_told_why),
		cmocka_unit_test(each_bad_parameter_is_named),
		cmocka_unit_test(a_position_that_no_inbox_has_is_read_as_such),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
