#include "gateway/queues/sequencer.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

/*
 * Held records are an array sorted by number. Before the start, when there may be
 * records of two epochs, they are in the order in which they came. The array is
 * short (max_held) and exists only while a record is held, so memmove() is cheaper
 * than a tree.
 *
 * Invariants after each call: held numbers are >= next, <= reach and different;
 * reach >= next - 1; a hole has a deadline unless it is being filled or the
 * sequencer is paused. Forgotten records need no memory but `reach`: a number up to
 * `reach` that is not held is a hole.
 */
struct sequencer_hold {
	unsigned first, count, capacity;
	uint32_t bytes;
	struct sequencer_record records[];
};

#define SEQUENCER_FIRST_CAPACITY 4

static struct sequencer_record *sequencer_front(const struct sequencer *s)
{
	return s->hold ? &s->hold->records[s->hold->first] : NULL;
}

/* The first held record has the number owed. */
static bool sequencer_front_is_next(const struct sequencer *s)
{
	const struct sequencer_record *record = sequencer_front(s);

	return record && record->offset == s->next;
}

static bool sequencer_has_hole(const struct sequencer *s)
{
	return s->epoch && !s->is_paused && s->next <= s->reach && !sequencer_front_is_next(s);
}

static void sequencer_note_hole(struct sequencer *s, uint64_t now_ms)
{
	if (!sequencer_has_hole(s))
		s->hole_deadline_ms = 0;
	else if (!s->hole_deadline_ms && !s->is_filling)
		s->hole_deadline_ms = now_ms + s->rules->max_hole_ms;
}

/* A number that is missing now is not the one that was missing before: its deadline starts anew. */
static void sequencer_move_next(struct sequencer *s, uint64_t next)
{
	s->next = next;
	s->reach = MAX(s->reach, next - 1);
	s->hole_deadline_ms = 0;
}

static void sequencer_hole_is_due(struct sequencer *s, uint64_t now_ms)
{
	s->hole_deadline_ms = !s->is_filling && sequencer_has_hole(s) ? MAX(now_ms, 1) : 0;
}

static void sequencer_insert_at(struct sequencer *s, const struct sequencer_record *record, unsigned at)
{
	struct sequencer_hold *hold = s->hold;

	if (hold && hold->first > 0) {
		memmove(hold->records, &hold->records[hold->first], hold->count * sizeof(hold->records[0]));
		hold->first = 0;
	}
	if (!hold || hold->count == hold->capacity) {
		unsigned capacity = hold ? 2 * hold->capacity : SEQUENCER_FIRST_CAPACITY;

		hold = mem_resize(hold, sizeof(*hold) + capacity * sizeof(hold->records[0]));
		if (!s->hold)
			*hold = (struct sequencer_hold){ 0 };
		hold->capacity = capacity;
		s->hold = hold;
	}
	struct sequencer_record *place = &hold->records[at];
	memmove(place + 1, place, (hold->count - at) * sizeof(*place));
	*place = *record;
	hold->count++;
	hold->bytes += record->bytes;
}

/* The index of a number in the array; `is_held`: the record before that index has it. */
static unsigned sequencer_place_of(const struct sequencer *s, uint64_t offset, bool *is_held)
{
	const struct sequencer_hold *hold = s->hold;
	unsigned at = hold ? hold->count : 0;

	/* Most records have the highest number. */
	while (at > 0 && hold->records[hold->first + at - 1].offset > offset)
		at--;
	*is_held = at > 0 && hold->records[hold->first + at - 1].offset == offset;
	return at;
}

static void sequencer_forget_hold(struct sequencer *s)
{
	mem_free(s->hold);
	s->hold = NULL;
}

static void sequencer_let_go_of_all(struct sequencer *s)
{
	struct sequencer_hold *hold = s->hold;

	s->hold = NULL;
	for (unsigned i = 0; hold && i < hold->count; i++)
		s->rules->let_go(hold->records[hold->first + i].item);
	mem_free(hold);
}

static bool sequencer_is_full(const struct sequencer *s, const struct sequencer_record *record)
{
	return s->hold && (s->hold->count >= s->rules->max_held ||
	                   s->hold->bytes + (uint64_t)record->bytes > s->rules->max_held_bytes);
}

/* A record with a lower number leaves earlier: room is made by dropping records with higher numbers. */
static void sequencer_make_room(struct sequencer *s, const struct sequencer_record *record)
{
	while (sequencer_is_full(s, record)) {
		struct sequencer_hold *hold = s->hold;
		struct sequencer_record *last = &hold->records[hold->first + hold->count - 1];

		if (last->offset < record->offset)
			return;
		s->rules->let_go(last->item);
		hold->bytes -= last->bytes;
		if (--hold->count == 0)
			sequencer_forget_hold(s);
	}
}

static void sequencer_restart(struct sequencer *s, uint64_t epoch, uint64_t next)
{
	sequencer_let_go_of_all(s);
	s->old_epoch = s->epoch;
	s->old_reach = MAX(s->old_reach, s->reach);
	s->epoch = epoch;
	s->reach = 0;
	sequencer_move_next(s, next);
	s->owes_resync = true;
	s->is_paused = false;
}

/* A record that is not sent at once; the inbox is known. Holds, drops or forgets it. */
static enum sequencer_action sequencer_hold_or_not(struct sequencer *s, const struct sequencer_record *record)
{
	bool is_held;

	if (record->epoch != s->epoch) {
		if (record->epoch == s->old_epoch)
			return SEQUENCER_DROP;
		sequencer_restart(s, record->epoch, record->offset);
	}
	unsigned at = sequencer_place_of(s, record->offset, &is_held);
	if (record->offset < s->next || is_held)
		return SEQUENCER_DROP;
	s->reach = MAX(s->reach, record->offset);
	sequencer_make_room(s, record);
	if (s->is_paused || sequencer_is_full(s, record))
		return SEQUENCER_FORGET;
	sequencer_insert_at(s, record, at);
	return SEQUENCER_HOLD;
}

void sequencer_init(struct sequencer *s, const struct sequencer_rules *rules)
{
	*s = (struct sequencer){ .rules = rules };
}

void sequencer_release(struct sequencer *s)
{
	sequencer_let_go_of_all(s);
}

void sequencer_start(struct sequencer *s, uint64_t epoch, uint64_t next, uint64_t now_ms)
{
	struct sequencer_hold *early = s->hold;

	s->hold = NULL;
	s->epoch = epoch;
	sequencer_move_next(s, next);
	for (unsigned i = 0; early && i < early->count; i++) {
		const struct sequencer_record *record = &early->records[early->first + i];

		if (sequencer_hold_or_not(s, record) != SEQUENCER_HOLD)
			s->rules->let_go(record->item);
	}
	mem_free(early);
	sequencer_note_hole(s, now_ms);
}

enum sequencer_action sequencer_record(struct sequencer *s, const struct sequencer_record *record, uint64_t now_ms)
{
	if (!s->epoch) {
		if (s->owes_resync || sequencer_is_full(s, record)) {
			/* The client is told to resync at the start, and reads these records itself. */
			sequencer_let_go_of_all(s);
			s->owes_resync = true;
			return SEQUENCER_DROP;
		}
		sequencer_insert_at(s, record, s->hold ? s->hold->count : 0);
		return SEQUENCER_HOLD;
	}
	if (!record->waits && sequencer_pass(s, record->epoch, record->offset))
		return SEQUENCER_SEND;
	if (record->epoch == s->epoch && record->offset == s->next && !record->waits && !s->owes_resync && !s->is_paused &&
	    !sequencer_front_is_next(s)) {
		sequencer_move_next(s, record->offset + 1);
		if (s->next <= s->reach)
			sequencer_note_hole(s, now_ms);
		return SEQUENCER_SEND;
	}
	enum sequencer_action action = sequencer_hold_or_not(s, record);
	sequencer_note_hole(s, now_ms);
	return action;
}

void sequencer_learn(struct sequencer *s, uint64_t epoch, uint64_t head, uint64_t now_ms)
{
	if (!s->epoch) {
		sequencer_let_go_of_all(s);
		s->owes_resync = true;
		return;
	}
	if (epoch == s->epoch)
		s->reach = MAX(s->reach, head);
	else if (epoch != s->old_epoch)
		sequencer_restart(s, epoch, head + 1);
	sequencer_note_hole(s, now_ms);
}

void sequencer_begin_fill(struct sequencer *s)
{
	s->is_filling = true;
	s->hole_deadline_ms = 0;
}

void sequencer_fill_ended(struct sequencer *s, uint64_t now_ms)
{
	if (!s->is_filling)
		return;
	s->is_filling = false;
	sequencer_hole_is_due(s, now_ms);
}

void sequencer_pause(struct sequencer *s)
{
	sequencer_let_go_of_all(s);
	s->is_paused = true;
	s->hole_deadline_ms = 0;
}

void sequencer_resume(struct sequencer *s, uint64_t now_ms)
{
	s->is_paused = false;
	sequencer_hole_is_due(s, now_ms);
}

void sequencer_skip(struct sequencer *s)
{
	sequencer_let_go_of_all(s);
	sequencer_move_next(s, s->reach + 1);
	s->owes_resync = true;
	s->is_filling = false;
}

void sequencer_let_pass(struct sequencer *s, uint64_t offset)
{
	bool is_held;
	unsigned at = sequencer_place_of(s, offset, &is_held);

	if (is_held)
		s->hold->records[s->hold->first + at - 1].waits = false;
}

static void sequencer_remove_front(struct sequencer *s)
{
	struct sequencer_hold *hold = s->hold;

	hold->bytes -= sequencer_front(s)->bytes;
	hold->first++;
	if (--hold->count == 0)
		sequencer_forget_hold(s);
}

void sequencer_jump(struct sequencer *s, uint64_t next, uint64_t now_ms)
{
	if (next <= s->next)
		return;
	while (s->hold && sequencer_front(s)->offset < next) {
		s->rules->let_go(sequencer_front(s)->item);
		sequencer_remove_front(s);
	}
	sequencer_move_next(s, next);
	sequencer_note_hole(s, now_ms);
}

enum sequencer_action sequencer_take(struct sequencer *s, uint64_t now_ms, struct sequencer_effect *effect)
{
	if (!s->epoch)
		return SEQUENCER_NOTHING;
	if (s->owes_resync) {
		s->owes_resync = false;
		effect->epoch = s->epoch;
		return SEQUENCER_RESYNC;
	}
	if (s->is_paused)
		return SEQUENCER_NOTHING;
	if (sequencer_front_is_next(s)) {
		if (sequencer_front(s)->waits)
			return SEQUENCER_NOTHING;
		effect->record = *sequencer_front(s);
		sequencer_move_next(s, effect->record.offset + 1);
		sequencer_remove_front(s);
		sequencer_note_hole(s, now_ms);
		return SEQUENCER_SEND;
	}
	if (s->hole_deadline_ms && now_ms >= s->hole_deadline_ms) {
		s->hole_deadline_ms = 0;
		s->is_filling = true;
		effect->from = s->next;
		effect->to = s->hold ? sequencer_front(s)->offset - 1 : s->reach;
		return SEQUENCER_NEED_FILL;
	}
	return SEQUENCER_NOTHING;
}
