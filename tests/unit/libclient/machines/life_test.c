#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "libclient/machines/life.h"

/*
 * Plays every sequence of PLAY_LENGTH events against the machine, and watches what a driver would have to do. An event:
 *   f n  the gateways were found; nobody answered
 *   h m  hello; another frame
 *   l    the connection is lost without a word
 *   g    it is closed with 1001    k  with 4001    e  with 4002    b  with 4003
 *   x y  the one that is kept while another is opened is closed with 1001; with 4001
 *   q r  told to move: to where it will be found; to a gateway that is named
 *   u o  the token is refused; there is another
 *   d    what came makes no sense
 *   t    time passes, up to the deadline
 */
#define LETTERS "fnhmlgkebxyqruodt"
#define PLAY_LENGTH 5
#define MIN_MS 100
#define MAX_MS 1000
#define MOVE_MS 300
#define GATEWAYS 2

static uint64_t most_below(uint64_t bound)
{
	return bound - 1;
}

static const struct life_rules rules = {
	.base_count = 2, .can_ask_token = true, .ping_after_ms = 2000, .pong_within_ms = 1000, .open_within_ms = 1500,
	.stable_after_ms = 5000, .random_below = most_below,
};

struct play {
	struct life life;
	const char *events;
	unsigned step;
	uint64_t now_ms;
	bool is_finding, is_up, is_opening, is_asked_for_token;
	unsigned opens, finds, pings;
};

static struct play *playing;

static void expect(bool is_true, const char *what)
{
	if (!is_true)
		fail_msg("%s: events \"%s\", step %u", what, playing->events, playing->step);
}

static void obey(struct play *p)
{
	enum life_action action;

	while ((action = life_take(&p->life)) != LIFE_NOTHING) {
		switch (action) {
		case LIFE_DROP:
			p->is_up = p->is_opening = false;
			break;
		case LIFE_DROP_NEW:
			p->is_opening = false;
			break;
		case LIFE_FIND:
			expect(p->life.base < rules.base_count, "a base that there is");
			p->is_finding = true;
			p->finds++;
			break;
		case LIFE_OPEN:
			expect(!p->is_opening, "one connection is opened at a time");
			expect(!p->is_up || p->life.keeps, "beside one that is kept, or none");
			expect(p->life.is_moving || p->life.gateway < GATEWAYS, "a gateway that there is");
			p->is_opening = true;
			p->opens++;
			break;
		case LIFE_PING:
			expect(p->is_up, "a ping on a connection");
			p->pings++;
			break;
		default:
			p->is_asked_for_token = true;
		}
	}
}

/* What is true whenever everything was obeyed. */
static void check(struct play *p)
{
	const struct life *life = &p->life;
	uint64_t deadline_ms = life_deadline(life);

	expect((life->state == LIFE_OPENING) == p->is_opening, "opening as the state says");
	expect((life->state == LIFE_UP || life->keeps) == p->is_up, "up after hello, and kept while told so");
	expect(!life->keeps || life->state == LIFE_FINDING || life->state == LIFE_OPENING, "kept only for another one");
	expect(life->state != LIFE_FINDING || p->is_finding, "somebody is asked while finding");
	expect(life->state != LIFE_TOKENLESS || p->is_asked_for_token, "the application knows that a token is needed");
	switch (life->state) {
	case LIFE_OPENING:
	case LIFE_UP:
	case LIFE_WAITING:
		expect(deadline_ms > 0, "something happens in the end");
		expect(deadline_ms <= p->now_ms + MAX(2000, life->retry_max_ms), "and soon");
		break;
	default:
		expect(deadline_ms == 0, "only others can end it");
	}
}

static void lose(struct play *p, unsigned code)
{
	if (p->is_opening) {
		p->is_opening = false;
		life_lost(&p->life, code, 0, p->now_ms);
	} else if (p->life.keeps) {
		p->is_up = false;
		life_lost_kept(&p->life, code);
	} else if (p->is_up) {
		p->is_up = false;
		life_lost(&p->life, code, 0, p->now_ms);
	}
}

static void lose_kept(struct play *p, unsigned code)
{
	if (!p->life.keeps)
		return;
	p->is_up = false;
	life_lost_kept(&p->life, code);
}

static void happen(struct play *p, char event)
{
	p->now_ms++;
	switch (event) {
	case 'f':
		if (p->is_finding)
			life_found(&p->life, GATEWAYS, MIN_MS, MAX_MS, p->now_ms);
		p->is_finding = false;
		break;
	case 'n':
		if (p->is_finding) {
			p->is_finding = false;
			life_not_found(&p->life, 0, p->now_ms);
		}
		break;
	case 'h':
		if (p->is_opening) {
			p->is_up = true;
			p->is_opening = false;
		}
		life_hello(&p->life, p->now_ms);
		break;
	case 'm':
		life_heard(&p->life, p->now_ms);
		break;
	case 'l':
		lose(p, 0);
		break;
	case 'g':
		lose(p, 1001);
		break;
	case 'k':
		lose(p, 4001);
		break;
	case 'e':
		lose(p, 4002);
		break;
	case 'b':
		lose(p, 4003);
		break;
	case 'x':
		lose_kept(p, 1001);
		break;
	case 'y':
		lose_kept(p, 4001);
		break;
	case 'q':
	case 'r':
		life_move(&p->life, MOVE_MS, event == 'r', p->now_ms);
		break;
	case 'u':
		life_unauthenticated(&p->life);
		break;
	case 'o':
		life_token(&p->life, p->now_ms);
		break;
	case 'd':
		life_distrust(&p->life, p->now_ms);
		break;
	default:
		if (life_deadline(&p->life))
			p->now_ms = MAX(p->now_ms, life_deadline(&p->life));
		life_tick(&p->life, p->now_ms);
	}
	obey(p);
	check(p);
}

static void begin(struct play *p, const struct life_rules *r, const char *events)
{
	*p = (struct play){ .events = events, .now_ms = 1000 };
	playing = p;
	life_init(&p->life, r);
	life_start(&p->life, p->now_ms);
	obey(p);
}

static void play(struct play *p, const char *events)
{
	p->events = events;
	for (; *events; events++) {
		p->step++;
		happen(p, *events);
	}
}

/* From wherever it is, it comes up again, unless it ended. */
static void recover(struct play *p)
{
	for (int i = 0; i < 4 && p->life.state != LIFE_UP && p->life.state != LIFE_ENDED; i++) {
		p->step++;
		if (p->life.state == LIFE_TOKENLESS)
			happen(p, 'o');
		if (p->life.state == LIFE_WAITING)
			happen(p, 't');
		if (p->life.state == LIFE_FINDING)
			happen(p, 'f');
		if (p->life.state == LIFE_OPENING)
			happen(p, 'h');
	}
	expect(p->life.state == LIFE_UP || p->life.state == LIFE_ENDED, "up in the end");
}

static void every_sequence_of_events_leaves_one_connection_or_a_way_to_it(void **state)
{
	const unsigned letters = sizeof(LETTERS) - 1;
	char events[PLAY_LENGTH + 1] = { 0 };
	unsigned long count = 1;
	struct play p;

	(void)state;
	for (int i = 0; i < PLAY_LENGTH; i++)
		count *= letters;
	for (unsigned long n = 0; n < 2 * count; n++) {
		unsigned long rest = n / 2;

		for (int i = 0; i < PLAY_LENGTH; i++, rest /= letters)
			events[i] = LETTERS[rest % letters];
		begin(&p, &rules, "");
		if (n % 2)
			play(&p, "fh"); /* from being up, too */
		play(&p, events);
		recover(&p);
	}
}

/* ---- one case each ---- */

static void every_base_and_then_every_gateway_is_tried_before_it_waits(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &rules, "");
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
	begin(&p, &rules, "");
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
	struct life_rules lucky = rules;
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
	begin(&p, &rules, "");
	life_not_found(&p.life, 7000, p.now_ms);
	life_not_found(&p.life, 0, p.now_ms);
	assert_int_equal(wait_of(&p), 7000);
	begin(&p, &rules, "");
	life_not_found(&p.life, UINT64_MAX, p.now_ms);
	life_not_found(&p.life, 0, p.now_ms);
	assert_int_equal(wait_of(&p), LIFE_MAX_RETRY_MS);
}

static void silence_is_answered_by_a_ping_and_then_by_leaving(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &rules, "");
	play(&p, "fh");
	uint64_t up_ms = p.now_ms;
	play(&p, "t");
	assert_int_equal(p.now_ms, up_ms + rules.ping_after_ms);
	assert_int_equal(p.pings, 1);
	play(&p, "m"); /* a pong, or anything */
	play(&p, "t");
	assert_int_equal(p.pings, 2);
	uint64_t pinged_ms = p.now_ms;
	play(&p, "t");
	assert_int_equal(p.now_ms, pinged_ms + rules.pong_within_ms);
	assert_int_equal(p.life.state, LIFE_WAITING);
	assert_false(p.is_up);
}

static void told_to_move_it_stays_until_then_and_goes_where_it_was_told(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &rules, "");
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
	begin(&p, &rules, "");
	play(&p, "fhrt");
	assert_true(p.is_up && p.is_opening);
	play(&p, "h");
	assert_int_equal(p.life.state, LIFE_UP);
	play(&p, "rty"); /* the new one has taken its place, and did not say hello yet */
	assert_int_equal(p.life.state, LIFE_OPENING);
	play(&p, "l");
	assert_int_equal(p.life.state, LIFE_FINDING);
	begin(&p, &rules, "");
	play(&p, "fhqt");
	assert_int_equal(p.life.state, LIFE_FINDING);
	play(&p, "y"); /* nobody of ours took its place */
	assert_int_equal(p.life.end, LIFE_REPLACED);
}

static void closed_before_the_time_it_comes_back_at_the_time(void **state)
{
	struct play p;

	(void)state;
	begin(&p, &rules, "");
	play(&p, "fhr");
	uint64_t told_ms = p.now_ms;
	play(&p, "g");
	assert_int_equal(life_deadline(&p.life), told_ms + MOVE_MS);
	play(&p, "t");
	assert_true(p.life.is_moving);
	begin(&p, &rules, "");
	play(&p, "fhqgt");
	assert_int_equal(p.life.state, LIFE_FINDING);
}

static void close_codes_that_are_for_good_end_it(void **state)
{
	static const unsigned bugs[] = { 1002, 1003, 1007, 1009, 4003 };
	static const unsigned passing[] = { 0, 1000, 1001, 1006, 1008, 1011, 1013, 4000, 4004, 4005, 4006, 4999 };
	struct life_rules returning = rules;
	struct play p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bugs); i++) {
		begin(&p, &rules, "");
		play(&p, "fh");
		lose(&p, bugs[i]);
		assert_int_equal(p.life.state, LIFE_ENDED);
		assert_int_equal(p.life.end, LIFE_REFUSED);
	}
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		begin(&p, &rules, "");
		play(&p, "fh");
		lose(&p, passing[i]);
		assert_int_equal(p.life.state, LIFE_WAITING);
	}
	begin(&p, &rules, "");
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
	struct life_rules mute = rules;
	struct play p;

	(void)state;
	begin(&p, &rules, "");
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
	struct life_rules fixed = rules;
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
	begin(&p, &rules, "");
	life_found(&p.life, 0, 0, 0, p.now_ms);
	assert_true(wait_of(&p) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_of_events_leaves_one_connection_or_a_way_to_it),
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
