#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "life_play.h"

static void every_base_and_then_every_gateway_is_tried_before_it_waits(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	assert_int_equal(p.life.base, 0);
	play(&p, "n");
	assert_int_equal(p.life.base, 1);
	assert_int_equal(p.life.state, LIFE_FINDING);
	play(&p, "f");
	assert_int_equal(p.life.gateway, 0);
	play(&p, "l");
	assert_int_equal(p.life.gateway, 1);
	assert_int_equal(p.life.state, LIFE_OPENING);
	play(&p, "t"); /* this one hangs */
	assert_int_equal(p.life.state, LIFE_WAITING);
	play(&p, "tnn");
	assert_int_equal(p.life.state, LIFE_WAITING);
	assert_int_equal(p.finds, 4);
}

static uint64_t wait_of(const struct play *p)
{
	assert_int_equal(p->life.state, LIFE_WAITING);
	return life_deadline(&p->life) - p->now_ms;
}

static void the_wait_doubles_up_to_the_maximum_and_starts_anew_after_a_stable_connection(void **state)
{
	static const uint64_t ceilings[] = { 400, 800, 1000, 1000, 1000 };
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		play(&p, "fhl");
		assert_int_equal(wait_of(&p), ceilings[i]);
		play(&p, "t");
	}
	play(&p, "fh");
	p.now_ms += 5000;
	play(&p, "l");
	assert_int_equal(wait_of(&p), 400);
}

static uint64_t least_below(uint64_t bound)
{
	(void)bound;
	return 0;
}

static void the_wait_is_drawn_from_the_minimum_on(void **state)
{
	struct life_rules lucky = usual_rules;
	struct play p;

	(void)state;
	lucky.random_below = least_below;
	begin(&p, &lucky, "");
	play(&p, "fhltfhltfhl");
	assert_int_equal(wait_of(&p), MIN_MS);
}

static void it_waits_as_long_as_the_server_asks_for_but_not_forever(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	life_not_found(&p.life, 7000, p.now_ms);
	life_not_found(&p.life, 0, p.now_ms);
	assert_int_equal(wait_of(&p), 7000);
	begin(&p, &usual_rules, "");
	life_not_found(&p.life, UINT64_MAX, p.now_ms);
	life_not_found(&p.life, 0, p.now_ms);
	assert_int_equal(wait_of(&p), LIFE_MAX_RETRY_MS);
}

static void silence_is_answered_by_a_ping_and_then_by_leaving(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	play(&p, "fh");
	uint64_t up_ms = p.now_ms;
	play(&p, "t");
	assert_int_equal(p.now_ms, up_ms + usual_rules.ping_after_ms);
	assert_int_equal(p.pings, 1);
	play(&p, "m"); /* a pong, or anything */
	play(&p, "t");
	assert_int_equal(p.pings, 2);
	uint64_t pinged_ms = p.now_ms;
	play(&p, "t");
	assert_int_equal(p.now_ms, pinged_ms + usual_rules.pong_within_ms);
	assert_int_equal(p.life.state, LIFE_WAITING);
	assert_false(p.is_up);
}

static void told_to_move_it_stays_until_then_and_goes_where_it_was_told(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	play(&p, "fhr");
	uint64_t told_ms = p.now_ms;
	assert_int_equal(p.life.state, LIFE_UP);
	play(&p, "t");
	assert_int_equal(p.now_ms, told_ms + MOVE_MS);
	assert_int_equal(p.life.state, LIFE_OPENING);
	assert_true(p.life.is_moving);
	assert_int_equal(p.opens, 2);
	play(&p, "l"); /* nobody there: the usual way */
	assert_int_equal(p.life.state, LIFE_FINDING);
	assert_int_equal(p.finds, 2);
	play(&p, "fll"); /* nor anywhere: it stays where it is, for a while */
	assert_int_equal(p.life.state, LIFE_UP);
	assert_true(p.is_up && life_deadline(&p.life) > p.now_ms);
	play(&p, "tfh");
	assert_int_equal(p.life.state, LIFE_UP);
	assert_false(p.life.keeps);
}

static void it_keeps_its_connection_until_the_next_one_has_said_hello(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	play(&p, "fhrt");
	assert_true(p.is_up && p.is_opening);
	play(&p, "h");
	assert_int_equal(p.life.state, LIFE_UP);
	play(&p, "rty"); /* the new one has taken its place, and did not say hello yet */
	assert_int_equal(p.life.state, LIFE_OPENING);
	play(&p, "l");
	assert_int_equal(p.life.state, LIFE_FINDING);
	begin(&p, &usual_rules, "");
	play(&p, "fhqt");
	assert_int_equal(p.life.state, LIFE_FINDING);
	play(&p, "y"); /* nobody of ours took its place */
	assert_int_equal(p.life.end, LIFE_REPLACED);
}

static void closed_before_the_time_it_comes_back_at_the_time(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	play(&p, "fhr");
	uint64_t told_ms = p.now_ms;
	play(&p, "g");
	assert_int_equal(life_deadline(&p.life), told_ms + MOVE_MS);
	play(&p, "t");
	assert_true(p.life.is_moving);
	begin(&p, &usual_rules, "");
	play(&p, "fhqgt");
	assert_int_equal(p.life.state, LIFE_FINDING);
}

static void close_codes_that_are_for_good_end_it(void **state)
{
	static const unsigned bugs[] = { 1002, 1003, 1007, 1009, 4003 };
	static const unsigned passing[] = { 0, 1000, 1001, 1006, 1008, 1011, 1013, 4000, 4004, 4005, 4006, 4999 };
	struct life_rules returning = usual_rules;
	struct play p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bugs); i++) {
		begin(&p, &usual_rules, "");
		play(&p, "fh");
		lose(&p, bugs[i]);
		assert_int_equal(p.life.state, LIFE_ENDED);
		assert_int_equal(p.life.end, LIFE_REFUSED);
	}
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		begin(&p, &usual_rules, "");
		play(&p, "fh");
		lose(&p, passing[i]);
		assert_int_equal(p.life.state, LIFE_WAITING);
	}
	begin(&p, &usual_rules, "");
	play(&p, "fhk");
	assert_int_equal(p.life.end, LIFE_REPLACED);
	play(&p, "tfhloud"); /* whatever comes */
	assert_int_equal(p.life.state, LIFE_ENDED);
	returning.returns_when_replaced = true;
	begin(&p, &returning, "");
	play(&p, "fhk");
	assert_int_equal(p.life.state, LIFE_WAITING);
}

static void a_refused_token_waits_for_another_and_ends_it_where_nobody_can_be_asked(void **state)
{
	struct life_rules mute = usual_rules;
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	play(&p, "fhe");
	assert_int_equal(p.life.state, LIFE_TOKENLESS);
	play(&p, "o");
	assert_int_equal(p.life.state, LIFE_FINDING);
	play(&p, "uo"); /* that one is no good either: no hurry */
	assert_int_equal(p.life.state, LIFE_WAITING);
	mute.can_ask_token = false;
	begin(&p, &mute, "");
	play(&p, "fhe");
	assert_int_equal(p.life.end, LIFE_UNAUTHENTICATED);
}

static void with_a_fixed_gateway_nobody_is_asked(void **state)
{
	struct life_rules fixed = usual_rules;
	struct play p;

	(void)state;
	fixed.has_gateway = true;
	begin(&p, &fixed, "");
	play(&p, "hltl");
	assert_int_equal(p.finds, 0);
	assert_int_equal(p.opens, 2);
}

static void a_server_that_names_no_gateway_or_no_time_is_asked_again_later(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &usual_rules, "");
	life_found(&p.life, 0, 0, 0, p.now_ms);
	assert_true(wait_of(&p) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_base_and_then_every_gateway_is_tried_before_it_waits),
		cmocka_unit_test(the_wait_doubles_up_to_the_maximum_and_starts_anew_after_a_stable_connection),
		cmocka_unit_test(the_wait_is_drawn_from_the_minimum_on),
		cmocka_unit_test(it_waits_as_long_as_the_server_asks_for_but_not_forever),
		cmocka_unit_test(silence_is_answered_by_a_ping_and_then_by_leaving),
		cmocka_unit_test(told_to_move_it_stays_until_then_and_goes_where_it_was_told),
		cmocka_unit_test(it_keeps_its_connection_until_the_next_one_has_said_hello),
		cmocka_unit_test(closed_before_the_time_it_comes_back_at_the_time),
		cmocka_unit_test(close_codes_that_are_for_good_end_it),
		cmocka_unit_test(a_refused_token_waits_for_another_and_ends_it_where_nobody_can_be_asked),
		cmocka_unit_test(with_a_fixed_gateway_nobody_is_asked),
		cmocka_unit_test(a_server_that_names_no_gateway_or_no_time_is_asked_again_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
