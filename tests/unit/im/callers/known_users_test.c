/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <string.h>

#include "base/macros.h"
#include "im/callers/known_users.h"
#include "../http/call_rig.h"

/* In place of PostgreSQL. */
static void answer(bool is_disabled, int64_t logged_out_ms, bool is_revoked)
{
	PGresAttDesc columns[4] = { { .name = (char *)"disabled", .format = 1 }, { .name = (char *)"at", .format = 1 },
		                    { .name = (char *)"bot", .format = 1 },
		                    { .name = (char *)"revoked", .format = 1 } };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	char disabled = is_disabled ? 1 : 0, revoked = is_revoked ? 1 : 0, bot = 1;
	uint64_t at = htobe64((uint64_t)logged_out_ms);

	assert_true(PQsetResultAttrs(result, 4, columns));
	assert_true(PQsetvalue(result, 0, 0, &disabled, 1));
	assert_true(PQsetvalue(result, 0, 1, (char *)&at, sizeof(at)));
	assert_true(PQsetvalue(result, 0, 2, &bot, 1));
	assert_true(PQsetvalue(result, 0, 3, &revoked, 1));
	call_rig_answer_query(OK, result);
}

/* ---- the users, and whom the database let in ---- */

static struct known_users users;
static err_t outcome;

static void on_admitted(void *arg, err_t err, const struct known_user *user)
{
	(void)arg;
	assert_true(!err == !!user);
	outcome = err;
}

static void admit(uint64_t issued_ms)
{
	const struct user_token token = { .issued_ms = issued_ms };

	outcome = ERR_INTERNAL;
	known_users_admit(&users, STR("alice"), &token, on_admitted, NULL);
}

static int setup(void **state)
{
	(void)state;
	known_users_init(&users, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	known_users_release(&users);
	return 0;
}

static void a_user_is_asked_for_once_and_again_after_a_change(void **state)
{
	(void)state;

	assert_null(known_users_find(&users, STR("alice")));
	admit(0);
	answer(false, -1, false);
	assert_int_equal(outcome, OK);
	assert_true(known_users_find(&users, STR("alice"))->is_bot);
	known_users_forget(&users, STR("bob"));
	assert_non_null(known_users_find(&users, STR("alice")));
	known_users_forget(&users, STR("alice"));
	assert_null(known_users_find(&users, STR("alice")));
	admit(0);
	answer(true, -1, false);
	assert_int_equal(outcome, ERR_UNAUTHENTICATED);
	assert_null(known_users_find(&users, STR("alice")));
}

static void an_empty_uid_forgets_all(void **state)
{
	(void)state;

	admit(0);
	answer(false, -1, false);
	known_users_forget(&users, STR(""));
	assert_null(known_users_find(&users, STR("alice")));
}

static void an_answer_from_before_a_change_is_not_remembered(void **state)
{
	(void)state;

	admit(0);
	known_users_forget(&users, STR("alice")); /* she was disabled: the answer on its way does not have it */
	answer(false, -1, false);
	assert_int_equal(outcome, OK);
	assert_null(known_users_find(&users, STR("alice")));
}

static void tokens_up_to_a_logout_of_all_are_refused(void **state)
{
	(void)state;

	admit(5000);
	answer(false, 5999, false);
	assert_int_equal(outcome, ERR_UNAUTHENTICATED);
	const struct known_user *alice = known_users_find(&users, STR("alice"));
	assert_non_null(alice); /* she is not disabled: a later token is good */
	assert_false(known_user_takes(alice, 0));
	assert_false(known_user_takes(alice, 5000));
	assert_true(known_user_takes(alice, 6000));
	assert_true(known_user_takes(alice, USER_TOKEN_CHECKED));
	admit(6000);
	answer(false, 5999, false);
	assert_int_equal(outcome, OK);
}

static void a_revoked_token_is_refused_and_its_user_known(void **state)
{
	(void)state;

	admit(0);
	answer(false, -1, true);
	assert_int_equal(outcome, ERR_UNAUTHENTICATED);
	assert_true(known_user_takes(known_users_find(&users, STR("alice")), 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_user_is_asked_for_once_and_again_after_a_change),
		TEST(an_empty_uid_forgets_all),
		TEST(an_answer_from_before_a_change_is_not_remembered),
		TEST(tokens_up_to_a_logout_of_all_are_refused),
		TEST(a_revoked_token_is_refused_and_its_user_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
