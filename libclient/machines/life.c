#include "libclient/machines/life.h"

#include <stddef.h>

#include "base/macros.h"

#define FIRST_RETRY_MIN_MS 500
#define FIRST_RETRY_MAX_MS 30000

void life_init(struct life *life, const struct life_rules *rules)
{
	*life = (struct life){ .rules = rules, .retry_min_ms = FIRST_RETRY_MIN_MS, .retry_max_ms = FIRST_RETRY_MAX_MS };
}

/* The state changes only here. */
static void life_enter(struct life *life, enum life_state state, enum life_action owed)
{
	bool is_connected = life->state == LIFE_OPENING || life->state == LIFE_UP || life->keeps;
	bool goes_on = state == LIFE_FINDING || state == LIFE_OPENING;

	if (life->keeps && goes_on)
		life->owes_drop_new = life->owes_drop_new || life->state == LIFE_OPENING;
	else if (is_connected && state != LIFE_UP)
		life->owes_drop = true;
	life->keeps = life->keeps && goes_on;
	life->state = state;
	life->owed = owed;
	life->owes_ping = false;
	life->deadline_ms = life->leave_ms = life->pinged_ms = 0;
}

static void life_end(struct life *life, enum life_end why)
{
	life->end = why;
	life_enter(life, LIFE_ENDED, LIFE_NOTHING);
}

static void life_open_gateway(struct life *life, unsigned gateway, uint64_t now_ms)
{
	life->gateway = gateway;
	life_enter(life, LIFE_OPENING, LIFE_OPEN);
	life->deadline_ms = now_ms + life->rules->open_within_ms;
}

/* A new round: asks every base once. */
static void life_find(struct life *life, uint64_t now_ms)
{
	life->at_least_ms = 0;
	life->bases_tried = 0;
	life->is_moving = life->has_target = false;
	if (life->rules->has_gateway) {
		life->gateway_count = 1;
		life_open_gateway(life, 0, now_ms);
	} else {
		life_enter(life, LIFE_FINDING, LIFE_FIND);
	}
}

static void life_wait_until(struct life *life, uint64_t deadline_ms)
{
	life_enter(life, LIFE_WAITING, LIFE_NOTHING);
	life->deadline_ms = deadline_ms;
}

/*
 * Full jitter: from the minimum up to a ceiling that doubles with each try. The first ceiling is wide, because all users
 * of a dead gateway come back to the other gateways at once.
 */
static void life_wait_a_while(struct life *life, uint64_t now_ms)
{
	uint64_t ceiling_ms = life->retry_min_ms * 2;

	for (unsigned i = 0; i <= life->tries && ceiling_ms < life->retry_max_ms; i++)
		ceiling_ms *= 2;
	ceiling_ms = MIN(ceiling_ms, life->retry_max_ms);
	if (ceiling_ms < life->retry_max_ms)
		life->tries++;
	uint64_t wait_ms = life->retry_min_ms + life->rules->random_below(ceiling_ms - life->retry_min_ms + 1);
	life->has_target = false;
	wait_ms = MAX(wait_ms, life->at_least_ms);
	if (!life->keeps) {
		life_wait_until(life, now_ms + wait_ms);
		return;
	}
	/* There is no other gateway yet: stays on the kept connection for a while. */
	life->owes_drop_new = life->state == LIFE_OPENING;
	life_enter(life, LIFE_UP, LIFE_NOTHING);
	life->is_moving = false;
	life->leave_ms = now_ms + wait_ms;
}

static void life_count_stability(struct life *life, uint64_t now_ms)
{
	if (life->state == LIFE_UP && now_ms - life->up_ms >= life->rules->stable_after_ms)
		life->tries = 0;
}

static void life_note_retry_after(struct life *life, uint64_t retry_after_ms)
{
	life->at_least_ms = MAX(life->at_least_ms, MIN(retry_after_ms, LIFE_MAX_RETRY_MS));
}

void life_start(struct life *life, uint64_t now_ms)
{
	if (life->state == LIFE_IDLE)
		life_find(life, now_ms);
}

void life_found(struct life *life, unsigned gateway_count, uint64_t retry_min_ms, uint64_t retry_max_ms, uint64_t now_ms)
{
	if (life->state != LIFE_FINDING)
		return;
	life->retry_min_ms = MAX(1, MIN(retry_min_ms, LIFE_MAX_RETRY_MS));
	life->retry_max_ms = MAX(life->retry_min_ms, MIN(retry_max_ms, LIFE_MAX_RETRY_MS));
	life->gateway_count = gateway_count;
	if (gateway_count)
		life_open_gateway(life, 0, now_ms);
	else
		life_wait_a_while(life, now_ms);
}

void life_not_found(struct life *life, uint64_t retry_after_ms, uint64_t now_ms)
{
	if (life->state != LIFE_FINDING)
		return;
	life_note_retry_after(life, retry_after_ms);
	life->base = (life->base + 1) % life->rules->base_count;
	if (++life->bases_tried < life->rules->base_count)
		life_enter(life, LIFE_FINDING, LIFE_FIND);
	else
		life_wait_a_while(life, now_ms);
}

void life_hello(struct life *life, uint64_t now_ms)
{
	if (life->state != LIFE_OPENING)
		return;
	life_enter(life, LIFE_UP, LIFE_NOTHING);
	life->owes_drop_new = false;
	life->is_moving = false;
	life->up_ms = life->heard_ms = now_ms;
}

void life_heard(struct life *life, uint64_t now_ms)
{
	life->heard_ms = now_ms;
	life->pinged_ms = 0;
}

/* The server refuses our frames: a bug here, which the next connection would repeat. */
static bool life_is_bug(unsigned close_code)
{
	return close_code == 1002 || close_code == 1003 || close_code == 1007 || close_code == 1009 || close_code == 4003;
}

static void life_lost_while_up(struct life *life, unsigned close_code, uint64_t now_ms)
{
	uint64_t leave_ms = life->leave_ms;

	life_count_stability(life, now_ms);
	if (life_is_bug(close_code)) {
		life_end(life, LIFE_REFUSED);
		return;
	}
	switch (close_code) {
	case 4002:
		life_unauthenticated(life);
		break;
	case 4001:
		if (!life->rules->returns_when_replaced) {
			life_end(life, LIFE_REPLACED);
			break;
		} /* fall through */
	default:
		if (leave_ms > now_ms)
			life_wait_until(life, leave_ms); /* the server has named a time to come back */
		else
			life_wait_a_while(life, now_ms);
	}
}

static void life_try_next_gateway(struct life *life, uint64_t now_ms)
{
	if (life->is_moving)
		life_find(life, now_ms); /* the named gateway does not answer */
	else if (life->gateway + 1 < life->gateway_count)
		life_open_gateway(life, life->gateway + 1, now_ms);
	else
		life_wait_a_while(life, now_ms);
}

void life_lost(struct life *life, unsigned close_code, uint64_t retry_after_ms, uint64_t now_ms)
{
	bool has_another = life->keeps;

	if (life->state != LIFE_OPENING && life->state != LIFE_UP)
		return;
	life_note_retry_after(life, retry_after_ms);
	if (life->state == LIFE_UP || close_code >= 4001)
		life_lost_while_up(life, close_code, now_ms);
	else
		life_try_next_gateway(life, now_ms);
	life->owes_drop_new = false;
	life->owes_drop = life->owes_drop && has_another;
}

void life_lost_kept(struct life *life, unsigned close_code)
{
	if (!life->keeps)
		return;
	life->keeps = false;
	if (life_is_bug(close_code))
		life_end(life, LIFE_REFUSED);
	else if (close_code == 4002)
		life_unauthenticated(life);
	else if (close_code == 4001 && life->state == LIFE_FINDING && !life->rules->returns_when_replaced)
		life_end(life, LIFE_REPLACED); /* no new connection of ours exists yet: another login did it */
}

void life_distrust(struct life *life, uint64_t now_ms)
{
	if (life->state != LIFE_OPENING && life->state != LIFE_UP && !life->keeps)
		return;
	life_count_stability(life, now_ms);
	if (life->keeps) {
		life->keeps = false; /* either connection may have sent it: both are dropped */
		life->owes_drop = true;
	}
	life_wait_a_while(life, now_ms);
}

void life_move(struct life *life, uint64_t after_ms, bool has_target, uint64_t now_ms)
{
	if (life->state != LIFE_UP)
		return;
	life->leave_ms = now_ms + MIN(after_ms, LIFE_MAX_RETRY_MS);
	life->has_target = has_target;
}

void life_unauthenticated(struct life *life)
{
	if (life->state == LIFE_TOKENLESS || life->state == LIFE_ENDED)
		return;
	if (life->rules->can_ask_token)
		life_enter(life, LIFE_TOKENLESS, LIFE_ASK_TOKEN);
	else
		life_end(life, LIFE_UNAUTHENTICATED);
}

void life_token(struct life *life, uint64_t now_ms)
{
	if (life->state != LIFE_TOKENLESS)
		return;
	life->has_target = false;
	if (life->tries) { /* since the last stable connection: an application without a valid token must not spin */
		life_wait_a_while(life, now_ms);
		return;
	}
	life->tries = 1;
	life_find(life, now_ms);
}

void life_refused(struct life *life)
{
	if (life->state != LIFE_ENDED)
		life_end(life, LIFE_REFUSED);
}

enum life_action life_take(struct life *life)
{
	enum life_action owed = life->owed;

	if (life->owes_drop) {
		life->owes_drop = life->owes_drop_new = false;
		return LIFE_DROP;
	}
	if (life->owes_drop_new) {
		life->owes_drop_new = false;
		return LIFE_DROP_NEW;
	}
	if (life->owes_ping) {
		life->owes_ping = false;
		return LIFE_PING;
	}
	life->owed = LIFE_NOTHING;
	return owed;
}

/* When a silent server is pinged, or given up. */
static uint64_t life_silence_deadline(const struct life *life)
{
	return life->pinged_ms ? life->pinged_ms + life->rules->pong_within_ms : life->heard_ms + life->rules->ping_after_ms;
}

uint64_t life_deadline(const struct life *life)
{
	if (life->state != LIFE_UP)
		return life->deadline_ms;
	uint64_t deadline_ms = life_silence_deadline(life);
	return life->leave_ms ? MIN(life->leave_ms, deadline_ms) : deadline_ms;
}

/* Moves: to the named gateway, or to one to be found. */
static void life_go_on(struct life *life, uint64_t now_ms)
{
	bool has_target = life->has_target;

	life_count_stability(life, now_ms);
	life_find(life, now_ms);
	if (!has_target)
		return;
	life->is_moving = true;
	life_open_gateway(life, 0, now_ms);
}

static void life_tick_while_up(struct life *life, uint64_t now_ms)
{
	if (life->leave_ms && now_ms >= life->leave_ms) {
		life->keeps = true;
		life_go_on(life, now_ms);
	} else if (now_ms >= life_silence_deadline(life)) {
		if (life->pinged_ms) {
			life_count_stability(life, now_ms);
			life_wait_a_while(life, now_ms);
		} else {
			life->pinged_ms = now_ms;
			life->owes_ping = true;
		}
	}
}

void life_tick(struct life *life, uint64_t now_ms)
{
	if (life->state == LIFE_UP)
		life_tick_while_up(life, now_ms);
	else if (life->deadline_ms && now_ms >= life->deadline_ms && life->state == LIFE_WAITING)
		life_go_on(life, now_ms);
	else if (life->deadline_ms && now_ms >= life->deadline_ms && life->state == LIFE_OPENING)
		life_try_next_gateway(life, now_ms);
}
