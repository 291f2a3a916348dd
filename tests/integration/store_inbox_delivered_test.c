#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cluster/inbox_delivered.h"
#include "store_inbox_fixture.h"

struct claim {
	struct redis_fixture *fixture;
	err_t err;
	size_t count;
	char first[32], last[32];
};

static void note_claimed(void *arg, err_t err, const struct str *entries, size_t count)
{
	struct claim *claim = arg;

	claim->err = err;
	claim->count = count;
	if (count) {
		assert_true(str_copy(claim->first, sizeof(claim->first), entries[0]));
		assert_true(str_copy(claim->last, sizeof(claim->last), entries[count - 1]));
	}
	claim->fixture->ended++;
}

/* Fails unless exactly the entries `first` to `last` of append_numbers() are claimed; none if `first` is 0. */
static void check_claim(struct redis_fixture *f, uint64_t epoch, uint64_t after, uint64_t up_to, int first, int last)
{
	const struct inbox_range range = { epoch, after, up_to };
	struct claim claim = { .fixture = f };
	char expected[2][32];

	f->given++;
	inbox_claim_delivered(f->redis, UID, &range, note_claimed, &claim);
	redis_fixture_turn(f);
	assert_int_equal(claim.err, OK);
	assert_int_equal(claim.count, first ? last - first + 1 : 0);
	snprintf(expected[0], sizeof(expected[0]), "%d", first);
	snprintf(expected[1], sizeof(expected[1]), "%d", last);
	assert_string_equal(claim.first, first ? expected[0] : "");
	assert_string_equal(claim.last, first ? expected[1] : "");
}

static void each_entry_is_claimed_once(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 9);
	check_claim(&f, epoch, 0, 3, 1, 3);
	check_claim(&f, epoch, 0, 3, 0, 0);
	check_claim(&f, epoch, 0, 5, 4, 5);
	check_claim(&f, epoch, 7, 8, 8, 8); /* 6 and 7 are left to a later receipt */
	check_claim(&f, epoch, 0, 8, 0, 0);
	check_claim(&f, epoch, 0, UINT64_MAX, 9, 9); /* no further than the inbox goes */
	append_numbers(&f, 10, 10);
	check_claim(&f, epoch, 0, 10, 10, 10);
	check_claim(&f, epoch, UINT64_MAX, UINT64_MAX, 0, 0);
	redis_fixture_close(&f);
}

static void another_epoch_claims_nothing_and_makes_no_inbox(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	check_claim(&f, 7, 0, 3, 0, 0);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", META), 0);
	uint64_t epoch = append_numbers(&f, 1, 3);
	check_claim(&f, epoch ^ 1, 0, 3, 0, 0);
	check_claim(&f, 0, 0, 3, 0, 0);
	check_claim(&f, UINT64_MAX, 0, 3, 0, 0);
	check_claim(&f, epoch, 0, 3, 1, 3);
	redis_fixture_close(&f);
}

static void what_was_trimmed_is_none(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 50);
	redis_fixture_run(&f, "LTRIM", INBOX, "20", "-1", NULL);
	check_claim(&f, epoch, 0, 20, 0, 0);
	check_claim(&f, epoch, 0, 22, 21, 22);
	redis_fixture_run(&f, "DEL", INBOX, NULL);
	check_claim(&f, epoch, 0, 50, 0, 0);
	redis_fixture_run(&f, "SET", META, "no hash", NULL);
	check_claim(&f, epoch, 0, 50, 0, 0);
	redis_fixture_close(&f);
}

static void of_a_long_range_the_newest_500_are_claimed(void **state)
{
	static const char push[] = "for i = 2, 600 do redis.call('RPUSH', KEYS[1], i) end redis.call('HSET', KEYS[2], 'n', 600)";
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 1);
	redis_fixture_run(&f, "EVAL", push, "2", INBOX, META, NULL);
	check_claim(&f, epoch, 0, 590, 91, 590);
	check_claim(&f, epoch, 0, 600, 591, 600);
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_entry_is_claimed_once),
		cmocka_unit_test(another_epoch_claims_nothing_and_makes_no_inbox),
		cmocka_unit_test(what_was_trimmed_is_none),
		cmocka_unit_test(of_a_long_range_the_newest_500_are_claimed),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
