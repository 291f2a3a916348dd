#include "life_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/macros.h"

static uint64_t most_below(uint64_t bound)
{
	return bound - 1;
}

const struct life_rules usual_rules = {
	.base_count = 2, .can_ask_token = true, .ping_after_ms = 2000, .pong_within_ms = 1000, .open_within_ms = 1500,
	.stable_after_ms = 5000, .random_below = most_below,
};

static struct play *playing;

void expect(bool is_true, const char *what)
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
			expect(p->life.base < usual_rules.base_count, "a base that there is");
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

/* Holds after all effects were carried out. */
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

void lose(struct play *p, unsigned code)
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

void happen(struct play *p, char event)
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

void begin(struct play *p, const struct life_rules *r, const char *events)
{
	*p = (struct play){ .events = events, .now_ms = 1000 };
	playing = p;
	life_init(&p->life, r);
	life_start(&p->life, p->now_ms);
	obey(p);
}

void play(struct play *p, const char *events)
{
	p->events = events;
	for (; *events; events++) {
		p->step++;
		happen(p, *events);
	}
}
