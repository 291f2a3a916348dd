/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/callers/rates.h"

/* ---- in place of Redis: the script's calls are kept, and answered by the test ---- */

static struct asked {
	char key[64];
	int64_t count;
	enum rate_bucket_mode mode;
	rate_bucket_done done;
	void *arg;
} asked[20];
static unsigned asked_count;
static bool is_connected;

void rate_bucket_take(struct redis *redis, struct str class, struct str key, const struct rate_bucket_limit *limit, int64_t count,
                      enum rate_bucket_mode mode, rate_bucket_done done, void *arg)
{
	(void)redis, (void)class, (void)limit;
	assert_true(asked_count < ARRAY_LEN(asked));
	asked[asked_count] = (struct asked){ .count = count, .mode = mode, .done = done, .arg = arg };
	(void)str_copy(asked[asked_count++].key, sizeof(asked->key), key);
}

bool redis_is_connected(const struct redis *redis)
{
	(void)redis;
	return is_connected;
}

static void answer(unsigned index, err_t err, bool is_taken, int64_t left, uint64_t wait_ms)
{
	const struct rate_bucket_state state = { is_taken, left, wait_ms };

	asked[index].done(asked[index].arg, err, err ? NULL : &state);
}

/* ---- the clock stands still, unless the test moves it ---- */

static uint64_t now_ms = 5000;

static uint64_t read_clock(void)
{
	return now_ms;
}

/* ---- the rig ---- */

static struct im_config config;
static struct rates rates;

static int setup(void **state)
{
	(void)state;

	asked_count = 0;
	is_connected = true;
	config = (struct im_config){ .limits_enabled = true, .limits_send_rate = 10, .limits_send_burst = 160,
		                     .limits_login_interval_ms = 30000, .limits_login_burst = 3 };
	rates_init(&rates, &config, (struct redis *)&rates);
	rates.now_ms = read_clock;
	return 0;
}

static int teardown(void **state)
{
	(void)state;

	rates_release(&rates);
	return 0;
}

static uint64_t take(const char *uid, unsigned count)
{
	uint64_t wait_ms = 0;

	for (unsigned i = 0; i < count; i++)
		if (!rates_take(&rates, RATE_SEND, str_from(uid), &wait_ms))
			return wait_ms;
	return 0;
}

struct outcome {
	unsigned calls;
	bool is_taken;
	uint64_t wait_ms;
};

static void on_answered(void *arg, bool is_taken, uint64_t wait_ms)
{
	struct outcome *outcome = arg;

	*outcome = (struct outcome){ outcome->calls + 1, is_taken, wait_ms };
}

static struct rate_key login_key(void)
{
	return (struct rate_key){ .class = RATE_LOGIN, .key = STR("alice") };
}

static struct outcome ask(struct rate_key *key)
{
	static struct outcome outcome;

	outcome = (struct outcome){ 0 };
	rates_ask(&rates, key, on_answered, &outcome);
	if (!outcome.calls && asked_count) {
		answer(asked_count - 1, OK, true, 2, 0);
		assert_int_equal(outcome.calls, 1);
	}
	return outcome;
}

/* ---- rates_take() ---- */

static void the_own_bucket_refuses_without_a_question(void **state)
{
	(void)state;

	is_connected = false;
	assert_int_equal(take("alice", 160), 0);
	assert_int_equal(take("alice", 1), 100);
	assert_int_equal(take("bob", 1), 0);
	now_ms += 100;
	assert_int_equal(take("alice", 1), 0);
	assert_int_equal(asked_count, 0);
}

static void a_portion_is_reported_and_the_sender_does_not_wait(void **state)
{
	(void)state;

	assert_int_equal(take("alice", 9), 0);
	assert_int_equal(asked_count, 0);
	assert_int_equal(take("alice", 1), 0);
	assert_int_equal(asked_count, 1);
	assert_string_equal(asked[0].key, "alice");
	assert_int_equal(asked[0].count, 10);
	assert_int_equal(asked[0].mode, RATE_BUCKET_OWED);
	assert_int_equal(take("alice", 30), 0);
	assert_int_equal(asked_count, 1); /* one at a time */
	answer(0, OK, true, 150, 0);
	assert_int_equal(take("alice", 1), 0);
	assert_int_equal(asked[1].count, 31);
	answer(1, OK, true, 119, 0);
}

static void who_is_slower_than_the_limit_is_never_reported(void **state)
{
	(void)state;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(take("alice", 1), 0);
		now_ms += 100;
	}
	assert_int_equal(asked_count, 0);
}

static void an_empty_shared_bucket_refuses_until_it_has_tokens(void **state)
{
	(void)state;

	assert_int_equal(take("alice", 10), 0);
	answer(0, OK, true, -5, 600);
	assert_int_equal(take("alice", 1), 600);
	now_ms += 599;
	assert_int_equal(take("alice", 1), 1);
	now_ms += 1;
	assert_int_equal(take("alice", 1), 0); /* little is left: reported at once */
	assert_int_equal(asked_count, 2);
	assert_int_equal(asked[1].count, 1);
	answer(1, OK, true, 0, 100);
	assert_int_equal(take("alice", 1), 100);
}

static void a_report_that_failed_is_owed_again(void **state)
{
	(void)state;

	assert_int_equal(take("alice", 10), 0);
	answer(0, ERR_UNAVAILABLE, false, 0, 0);
	assert_int_equal(take("alice", 1), 0);
	assert_int_equal(asked[1].count, 11);
	answer(1, OK, true, 149, 0);
}

static void an_answer_for_a_bucket_that_made_room_is_dropped(void **state)
{
	(void)state;

	assert_int_equal(take("alice", 10), 0);
	user_lru_release(&rates.buckets[RATE_SEND]);
	user_lru_init(&rates.buckets[RATE_SEND], 10, 1000);
	answer(0, OK, true, 0, 100);
	assert_int_equal(take("alice", 1), 0);
}

static void what_is_given_back_is_not_owed(void **state)
{
	(void)state;

	assert_int_equal(take("alice", 9), 0);
	rates_give_back(&rates, &(struct rate_key){ .class = RATE_SEND, .key = STR("alice") });
	assert_int_equal(take("alice", 1), 0);
	assert_int_equal(asked_count, 0);
}

static void without_limits_everything_passes(void **state)
{
	(void)state;

	config.limits_enabled = false;
	assert_int_equal(take("alice", 1000), 0);
	struct rate_key key = login_key();
	for (int i = 0; i < 10; i++)
		assert_true(ask(&key).is_taken);
	assert_int_equal(asked_count, 0);
}

/* ---- rates_ask() ---- */

static void an_exact_limit_waits_for_redis(void **state)
{
	struct outcome outcome = { 0 };
	struct rate_key key = login_key();
	(void)state;

	rates_ask(&rates, &key, on_answered, &outcome);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(asked[0].count, 1);
	assert_int_equal(asked[0].mode, RATE_BUCKET_IF_THERE);
	answer(0, OK, true, 2, 0);
	assert_true(outcome.calls == 1 && outcome.is_taken && key.is_shared);
	rates_give_back(&rates, &key);
	assert_int_equal(asked[1].count, -1);
}

static void an_exact_limit_that_redis_refuses_is_believed_for_a_second(void **state)
{
	struct outcome outcome = { 0 };
	struct rate_key key = login_key();
	(void)state;

	rates_ask(&rates, &key, on_answered, &outcome);
	answer(0, OK, false, 0, 30000);
	assert_true(outcome.calls == 1 && !outcome.is_taken && outcome.wait_ms == 30000);
	now_ms += 999;
	rates_ask(&rates, &key, on_answered, &outcome);
	assert_true(outcome.calls == 2 && !outcome.is_taken && outcome.wait_ms == 29001);
	assert_int_equal(asked_count, 1);
	now_ms += 1;
	assert_true(ask(&key).is_taken);
	assert_int_equal(asked_count, 2);
}

static void while_redis_is_away_the_own_bucket_decides(void **state)
{
	struct outcome outcome = { 0 };
	struct rate_key key = login_key();
	uint64_t before = counter_value(rates.redis_away);
	(void)state;

	rates_ask(&rates, &key, on_answered, &outcome);
	answer(0, ERR_OUTCOME_UNKNOWN, false, 0, 0);
	assert_true(outcome.calls == 1 && outcome.is_taken && !key.is_shared);
	is_connected = false;
	for (int i = 0; i < 2; i++)
		assert_true(ask(&key).is_taken);
	outcome = ask(&key);
	assert_true(!outcome.is_taken && outcome.wait_ms == 30000);
	assert_int_equal(asked_count, 1);
	assert_int_equal(counter_value(rates.redis_away), before + 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_own_bucket_refuses_without_a_question),
		TEST(a_portion_is_reported_and_the_sender_does_not_wait),
		TEST(who_is_slower_than_the_limit_is_never_reported),
		TEST(an_empty_shared_bucket_refuses_until_it_has_tokens),
		TEST(a_report_that_failed_is_owed_again),
		TEST(an_answer_for_a_bucket_that_made_room_is_dropped),
		TEST(what_is_given_back_is_not_owed),
		TEST(without_limits_everything_passes),
		TEST(an_exact_limit_waits_for_redis),
		TEST(an_exact_limit_that_redis_refuses_is_believed_for_a_second),
		TEST(while_redis_is_away_the_own_bucket_decides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
