#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cluster/presence.h"
#include "redis_fixture.h"

/* Claims of users who may have come or gone (cluster/presence.h), at times that the test chooses. */

#define NOW UINT64_C(1800000000000)
#define DELAY 10000u
#define LEASE_OVER (NOW + PRESENCE_LEASE_MS)

static struct redis_fixture f;

/* The users of a claim; their uids are copied. */
struct claimed {
	size_t count;
	struct presence_claim claims[PRESENCE_CLAIMS_MAX];
	char uids[PRESENCE_CLAIMS_MAX][16];
};

static void on_claimed(void *arg, err_t err, const struct presence_claim *claims, size_t count)
{
	struct claimed *claimed = arg;

	assert_int_equal(err, OK);
	claimed->count = count;
	for (size_t i = 0; i < count; i++) {
		claimed->claims[i] = claims[i];
		assert_true(str_copy(claimed->uids[i], sizeof(claimed->uids[i]), claims[i].uid));
		claimed->claims[i].uid = str_from(claimed->uids[i]);
	}
	f.ended++;
}

/* An im claims users at `now_ms`. */
static void claim(struct claimed *claimed, uint64_t now_ms)
{
	f.given++;
	presence_claim(f.redis, now_ms, DELAY, on_claimed, claimed);
	redis_fixture_turn(&f);
}

static void assert_nobody_at(uint64_t now_ms)
{
	struct claimed claimed = { 0 };

	claim(&claimed, now_ms);
	assert_int_equal(claimed.count, 0);
}

static struct claimed claim_alice(uint64_t now_ms)
{
	struct claimed claimed = { 0 };

	claim(&claimed, now_ms);
	assert_int_equal(claimed.count, 1);
	assert_string_equal(claimed.uids[0], "alice");
	claimed.claims[0].uid = STR("alice"); /* the answer is a copy */
	return claimed;
}

/* Redis does not know a script that it was never asked for: then it gets the script behind the next command. */
static void end_claim(const struct claimed *claimed, enum presence_change change, uint64_t now_ms)
{
	presence_end_claim(f.redis, &claimed->claims[0], change, now_ms);
	redis_fixture_run(&f, "PING", NULL);
}

static int setup(void **state)
{
	(void)state;
	redis_fixture_open_empty(&f, 100);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	redis_fixture_close(&f);
	return 0;
}

static void a_user_who_is_noted_during_a_claim_is_claimed_when_it_has_ended(void **state)
{
	static const enum presence_change changes[] = { PRESENCE_SAME, PRESENCE_UNDECIDED, PRESENCE_UNKNOWN };
	uint64_t now_ms = NOW;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(changes); i++, now_ms += 10) {
		presence_note_came(f.redis, STR("alice"));
		const struct claimed first = claim_alice(now_ms);
		presence_note_ended(f.redis, STR("alice"), now_ms - DELAY);
		assert_nobody_at(now_ms + 1);
		end_claim(&first, changes[i], now_ms + 2);
		const struct claimed second = claim_alice(now_ms + 3);
		assert_int_equal(second.claims[0].ended_ms, now_ms - DELAY);
		end_claim(&second, PRESENCE_SAME, now_ms + 4);
		assert_nobody_at(now_ms + 5);
	}
}

static void a_user_who_was_told_of_rests_before_the_next_claim(void **state)
{
	(void)state;

	presence_note_came(f.redis, STR("alice"));
	const struct claimed first = claim_alice(NOW);
	presence_note_came(f.redis, STR("alice"));
	end_claim(&first, PRESENCE_NEWS, NOW + 2);
	assert_nobody_at(NOW + 2 + PRESENCE_REST_MS - 1);
	claim_alice(NOW + 2 + PRESENCE_REST_MS);
}

static void a_claim_that_nobody_ends_is_over_after_its_lease(void **state)
{
	(void)state;

	presence_note_came(f.redis, STR("alice"));
	claim_alice(NOW);
	assert_nobody_at(LEASE_OVER - 1);
	claim_alice(LEASE_OVER);
	presence_note_came(f.redis, STR("alice"));
	assert_nobody_at(LEASE_OVER + PRESENCE_LEASE_MS - 1);
	claim_alice(LEASE_OVER + PRESENCE_LEASE_MS);
}

static void about_a_user_who_is_undecided_is_asked_again_after_the_lease(void **state)
{
	(void)state;

	presence_note_came(f.redis, STR("alice"));
	const struct claimed first = claim_alice(NOW);
	end_claim(&first, PRESENCE_UNDECIDED, NOW + 1);
	assert_nobody_at(LEASE_OVER - 1);
	claim_alice(LEASE_OVER);
}

static void a_claim_that_ends_late_does_not_end_the_next_one(void **state)
{
	(void)state;

	presence_note_came(f.redis, STR("alice"));
	const struct claimed first = claim_alice(NOW);
	const struct claimed second = claim_alice(LEASE_OVER);
	presence_note_came(f.redis, STR("alice"));
	end_claim(&first, PRESENCE_SAME, LEASE_OVER + 1);
	assert_nobody_at(LEASE_OVER + 1);
	end_claim(&second, PRESENCE_SAME, LEASE_OVER + 2);
	claim_alice(LEASE_OVER + 3);
}

static void a_hold_that_a_wrong_clock_has_set_is_none(void **state)
{
	char until[32];
	(void)state;

	snprintf(until, sizeof(until), "%llu", (unsigned long long)(NOW + 3600000));
	redis_fixture_run(&f, "ZADD", "im:presence:held:{im:presence:due}", until, "alice", NULL);
	presence_note_came(f.redis, STR("alice"));
	claim_alice(NOW);
}

static void users_who_are_held_do_not_keep_others_waiting(void **state)
{
	struct claimed claimed = { 0 };
	char uid[16];
	(void)state;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PRESENCE_CLAIMS_MAX; i++) {
			snprintf(uid, sizeof(uid), "many-%u", i);
			presence_note_came(f.redis, str_from(uid));
		}
		claim(&claimed, NOW + round);
		assert_int_equal(claimed.count, round ? 0 : PRESENCE_CLAIMS_MAX);
	}
	presence_note_ended(f.redis, STR("alice"), NOW - DELAY); /* behind them */
	claim_alice(NOW + 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_user_who_is_noted_during_a_claim_is_claimed_when_it_has_ended),
		TEST(a_user_who_was_told_of_rests_before_the_next_claim),
		TEST(a_claim_that_nobody_ends_is_over_after_its_lease),
		TEST(about_a_user_who_is_undecided_is_asked_again_after_the_lease),
		TEST(a_claim_that_ends_late_does_not_end_the_next_one),
		TEST(a_hold_that_a_wrong_clock_has_set_is_none),
		TEST(users_who_are_held_do_not_keep_others_waiting),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
