#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "gateway/queues/sequencer.h"

/*
 * These tests play every sequence of up to PLAY_LENGTH events against the sequencer, and some longer ones, and check the client's
 * view. An event is a letter:
 *   1-4  the record of that number comes, perhaps again
 *   a b  record 1 and 2 of another epoch
 *   s    the inbox is known: epoch A, empty
 *   l    the inbox is known to reach up to 4
 *   t    more time passes than a hole may stay
 *   p    the record that waits may pass
 *   z    it is paused
 *   r    it is resumed
 */
#define PLAY_LENGTH 6
#define EPOCH_A 0xa
#define EPOCH_B 0xb
#define HOLE_MS 10

struct item {
	uint64_t epoch, offset;
	int refs; /* the sequencer's */
};

struct play {
	struct sequencer sequencer;
	struct item items[2][5];
	uint64_t now_ms;
	const char *events;
	bool fills; /* holes are read; otherwise given up */
	char waiting; /* the record of this event waits when it first comes; 0: none does */
	/* the client's view */
	uint64_t epoch, last;
	bool may_jump; /* since the RESYNC of this turn */
	bool was_sent[2][5];
	unsigned step;
	unsigned fed_at[2][5]; /* the last step at which the record came; 0: never */
	unsigned learned_at; /* the last step at which it was learned that the inbox reaches 4; 0: never */
	unsigned resync_at; /* the last step with a RESYNC */
	uint64_t synced_to; /* the inbox had at least the numbers up to this then: the client has read them */
	unsigned resyncs;
};

static struct play *playing;

static void let_go(void *arg)
{
	struct item *item = arg;

	assert_true(item->refs > 0);
	item->refs--;
}

static unsigned max_held_of_rules;

static const struct sequencer_rules roomy = {
	.max_held = 8, .max_held_bytes = 1000, .max_hole_ms = HOLE_MS, .let_go = let_go,
};
static const struct sequencer_rules tight = {
	.max_held = 2, .max_held_bytes = 1000, .max_hole_ms = HOLE_MS, .let_go = let_go,
};

static void expect(bool is_true, const char *what)
{
	if (!is_true)
		fail_msg("%s: events \"%s\", step %u%s, waiting %c, held at most %u", what, playing->events, playing->step,
		         playing->fills ? ", filling" : "", playing->waiting ? playing->waiting : '-', max_held_of_rules);
}

static int row_of(uint64_t epoch)
{
	return epoch == EPOCH_A ? 0 : 1;
}

static void client_reads(struct play *p, uint64_t epoch, uint64_t offset)
{
	int row = row_of(epoch);

	expect(epoch == p->epoch, "a record of the epoch that the client was told");
	expect(offset > p->last, "in order");
	expect(offset == p->last + 1 || p->may_jump, "without a hole");
	expect(!p->was_sent[row][offset], "once");
	p->was_sent[row][offset] = true;
	p->last = offset;
}

static void feed(struct play *p, uint64_t epoch, uint64_t offset, bool waits);

static void obey(struct play *p)
{
	struct sequencer_effect effect;
	enum sequencer_action action;

	while ((action = sequencer_take(&p->sequencer, p->now_ms, &effect)) != SEQUENCER_NOTHING) {
		switch (action) {
		case SEQUENCER_SEND:
			client_reads(p, effect.record.epoch, effect.record.offset);
			let_go(effect.record.item);
			break;
		case SEQUENCER_RESYNC:
			if (effect.epoch != p->epoch)
				p->last = p->synced_to = 0;
			p->synced_to = MAX(p->synced_to, p->sequencer.reach);
			p->epoch = effect.epoch;
			p->may_jump = true;
			p->resync_at = p->step;
			p->resyncs++;
			break;
		case SEQUENCER_NEED_FILL:
			expect(effect.from > p->last && effect.from <= effect.to && effect.to <= 4, "a hole that is one");
			for (uint64_t offset = effect.from; p->fills && offset <= effect.to; offset++)
				feed(p, p->sequencer.epoch, offset, false);
			if (p->fills)
				sequencer_fill_ended(&p->sequencer, p->now_ms);
			else
				sequencer_skip(&p->sequencer);
			break;
		default:
			expect(false, "an effect of sequencer_take()");
		}
	}
	/* A jump ends with its turn, unless a record that waits follows it. */
	if (p->waiting)
		return;
	if (p->may_jump)
		p->last = MAX(p->last, sequencer_given_out(&p->sequencer));
	p->may_jump = false;
}

static void feed(struct play *p, uint64_t epoch, uint64_t offset, bool waits)
{
	int row = row_of(epoch);
	struct item *item = &p->items[row][offset];
	const struct sequencer_record record = {
		.epoch = epoch, .offset = offset, .item = item, .bytes = 10, .waits = waits,
	};

	switch (sequencer_record(&p->sequencer, &record, p->now_ms)) {
	case SEQUENCER_SEND:
		client_reads(p, epoch, offset);
		break;
	case SEQUENCER_HOLD:
		item->refs++;
		expect(item->refs == 1 || !p->sequencer.epoch, "held once");
		break;
	case SEQUENCER_DROP:
	case SEQUENCER_FORGET:
		break;
	default:
		expect(false, "a verdict of sequencer_record()");
	}
}

static void start(struct play *p)
{
	if (p->sequencer.epoch)
		return;
	p->epoch = EPOCH_A;
	sequencer_start(&p->sequencer, EPOCH_A, 1, p->now_ms);
	obey(p);
}

static void happen(struct play *p, char event)
{
	p->step++;
	if (event >= '1' && event <= '4') {
		int offset = event - '0';
		bool waits = event == p->waiting && !p->fed_at[0][offset];
		p->fed_at[0][offset] = p->step;
		feed(p, EPOCH_A, (uint64_t)offset, waits && p->sequencer.epoch);
	} else if (event == 'a' || event == 'b') {
		int offset = event - 'a' + 1;
		p->fed_at[1][offset] = p->step;
		feed(p, EPOCH_B, (uint64_t)offset, false);
	} else if (event == 's') {
		start(p);
	} else if (event == 'l') {
		p->learned_at = p->step;
		sequencer_learn(&p->sequencer, EPOCH_A, 4, p->now_ms);
	} else if (event == 't') {
		p->now_ms += HOLE_MS;
	} else if (event == 'p') {
		if (p->waiting)
			sequencer_let_pass(&p->sequencer, (uint64_t)(p->waiting - '0'));
	} else if (event == 'z') {
		if (p->sequencer.epoch)
			sequencer_pause(&p->sequencer);
	} else if (event == 'r') {
		sequencer_resume(&p->sequencer, p->now_ms);
	}
	obey(p);
}

static void nothing_was_lost(struct play *p)
{
	int row = row_of(p->epoch);

	for (int offset = 1; offset <= 4; offset++)
		if (p->fed_at[row][offset])
			expect(p->was_sent[row][offset] || p->synced_to >= (uint64_t)offset ||
			               p->resync_at >= p->fed_at[row][offset],
			       "every record was sent, or the client told to sync when it was in the inbox");
	if (p->learned_at && p->epoch == EPOCH_A)
		expect(p->last >= 4 || p->synced_to >= 4 || p->resync_at >= p->learned_at,
		       "what was learned of was sent, or the client told to sync");
	for (int i = 0; i < 2; i++)
		for (int offset = 1; offset <= 4; offset++)
			expect(p->items[i][offset].refs == 0, "no reference is left");
	expect(!p->sequencer.hold, "nothing is held when all is quiet");
	expect(sequencer_deadline(&p->sequencer) == 0, "nothing is waited for when all is quiet");
}

static void play(const char *events, const struct sequencer_rules *rules, bool fills, char waiting, struct play *p)
{
	*p = (struct play){ .events = events, .fills = fills, .waiting = waiting, .now_ms = 1000 };
	playing = p;
	max_held_of_rules = rules->max_held;
	for (int row = 0; row < 2; row++)
		for (int offset = 1; offset <= 4; offset++)
			p->items[row][offset] = (struct item){ .epoch = row ? EPOCH_B : EPOCH_A, .offset = (uint64_t)offset };
	sequencer_init(&p->sequencer, rules);
	for (const char *event = events; *event; event++)
		happen(p, *event);
	/* All outstanding events happen. */
	happen(p, 's');
	happen(p, 'p');
	happen(p, 'r');
	for (int i = 0; i < 4; i++)
		happen(p, 't');
	nothing_was_lost(p);
	sequencer_release(&p->sequencer);
}

/* Calls `run` with every sequence of `length` letters of the alphabet. */
static void each_sequence(const char *alphabet, int length, void (*run)(const char *events))
{
	char events[PLAY_LENGTH + 2] = "";
	int index[PLAY_LENGTH + 2] = { 0 };
	int letters = (int)strlen(alphabet);

	for (int i = 0; i < length; i++)
		events[i] = alphabet[0];
	for (;;) {
		run(events);
		int at = length - 1;
		while (at >= 0 && ++index[at] == letters) {
			index[at] = 0;
			events[at--] = alphabet[0];
		}
		if (at < 0)
			return;
		events[at] = alphabet[index[at]];
	}
}

static void run_giving_holes_up(const char *events)
{
	struct play p;

	play(events, &roomy, false, 0, &p);
	play(events, &tight, false, 0, &p);
}

static void every_sequence_of_events_sends_in_order_once_and_loses_nothing_silently(void **state)
{
	(void)state;
	each_sequence("1234abstl", PLAY_LENGTH, run_giving_holes_up);
}

static void run_reading_holes(const char *events)
{
	struct play p;

	play(events, &roomy, true, 0, &p);
	play(events, &tight, true, 0, &p);
}

static void the_same_holds_when_holes_are_read(void **state)
{
	(void)state;
	each_sequence("1234abstl", PLAY_LENGTH - 1, run_reading_holes);
}

static void expect_no_resync(const char *events, const struct sequencer_rules *rules)
{
	struct play p;

	play(events, rules, true, 0, &p);
	if (strchr(events, 'l') && (!strchr(events, 's') || strchr(events, 'l') < strchr(events, 's')))
		return; /* a head learned before the start causes a resync */
	expect(p.resyncs == 0, "no resync");
	expect(p.last == p.sequencer.reach, "everything up to the last number was sent");
}

static void run_without_any_resync(const char *events)
{
	const char *start_at = strchr(events, 's');

	expect_no_resync(events, &roomy);
	if (start_at && start_at - events <= (int)tight.max_held) /* no record before the start was dropped */
		expect_no_resync(events, &tight);
}

static void a_hole_that_is_read_costs_no_resync(void **state)
{
	(void)state;
	each_sequence("1234stl", PLAY_LENGTH, run_without_any_resync);
}

static void pauses_only_delay(void **state)
{
	(void)state;
	each_sequence("1234szrt", PLAY_LENGTH, run_without_any_resync);
}

static void run_pausing(const char *events)
{
	struct play p;

	play(events, &roomy, false, 0, &p);
	play(events, &tight, true, 0, &p);
}

static void nothing_is_lost_over_pauses(void **state)
{
	(void)state;
	each_sequence("123azrst", PLAY_LENGTH, run_pausing);
}

static void run_with_one_that_waits(const char *events)
{
	struct play p;

	for (const char *waiting = "123"; *waiting; waiting++) {
		play(events, &roomy, false, *waiting, &p);
		play(events, &tight, false, *waiting, &p);
	}
}

static void the_same_holds_when_a_record_waits(void **state)
{
	(void)state;
	each_sequence("1234astp", PLAY_LENGTH - 1, run_with_one_that_waits);
}

static void a_waiting_record_and_later_ones_stay_until_let_pass(void **state)
{
	struct play p;
	(void)state;

	play("s12", &roomy, false, '1', &p); /* the end of the play lets it pass */
	assert_int_equal(p.last, 2);
	assert_int_equal(p.resyncs, 0);

	p = (struct play){ .events = "s12", .waiting = '1' };
	playing = &p;
	sequencer_init(&p.sequencer, &roomy);
	happen(&p, 's');
	happen(&p, '1');
	happen(&p, '2');
	happen(&p, 't'); /* not a hole: no time is over */
	assert_int_equal(p.last, 0);
	happen(&p, 'p');
	assert_int_equal(p.last, 2);
	sequencer_release(&p.sequencer);
}

static void records_that_overtake_the_bind_are_sent_after_it(void **state)
{
	struct play p;
	(void)state;

	play("21s", &roomy, false, 0, &p);
	assert_int_equal(p.last, 2);
	assert_int_equal(p.resyncs, 0);
}

static void a_late_record_of_the_old_epoch_is_dropped(void **state)
{
	struct play p;
	(void)state;

	play("s1a2b", &roomy, false, 0, &p);
	assert_int_equal(p.epoch, EPOCH_B);
	assert_int_equal(p.last, 2);
	assert_int_equal(p.resyncs, 1);
}

static void each_hole_has_its_own_deadline(void **state)
{
	struct play p = { .events = "by hand", .now_ms = 1000 };
	(void)state;

	playing = &p;
	sequencer_init(&p.sequencer, &roomy);
	happen(&p, 's');
	happen(&p, '2');
	assert_int_equal(sequencer_deadline(&p.sequencer), 1000 + HOLE_MS);
	happen(&p, '4');
	p.now_ms += HOLE_MS - 1;
	happen(&p, '1');
	assert_int_equal(p.last, 2);
	assert_int_equal(sequencer_deadline(&p.sequencer), p.now_ms + HOLE_MS);
	p.now_ms += HOLE_MS - 1;
	obey(&p);
	assert_int_equal(p.resyncs, 0);
	p.now_ms++;
	obey(&p);
	assert_int_equal(p.resyncs, 1);
	assert_int_equal(p.last, 4);
	sequencer_release(&p.sequencer);
}

static void one_resync_covers_all_missing_records(void **state)
{
	struct play p;
	(void)state;

	play("sl2t", &roomy, false, 0, &p); /* 1, 3 and 4 never come */
	assert_int_equal(p.resyncs, 1);
	assert_int_equal(sequencer_given_out(&p.sequencer), 4);
}

static void no_record_overtakes_a_resync_that_is_owed(void **state)
{
	struct play p = { .events = "by hand" };
	struct sequencer_effect effect;
	(void)state;

	playing = &p;
	sequencer_init(&p.sequencer, &roomy);
	sequencer_learn(&p.sequencer, EPOCH_A, 4, 0);
	sequencer_start(&p.sequencer, EPOCH_A, 1, 0);
	p.items[0][1].refs = 1;
	assert_int_equal(sequencer_record(&p.sequencer,
	                                  &(struct sequencer_record){ EPOCH_A, 1, &p.items[0][1], 10, 0, false }, 0),
	                 SEQUENCER_HOLD);
	assert_int_equal(sequencer_take(&p.sequencer, 0, &effect), SEQUENCER_RESYNC);
	assert_int_equal(sequencer_take(&p.sequencer, 0, &effect), SEQUENCER_SEND);
	assert_int_equal(sequencer_take(&p.sequencer, 0, &effect), SEQUENCER_NOTHING);
	sequencer_release(&p.sequencer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_of_events_sends_in_order_once_and_loses_nothing_silently),
		cmocka_unit_test(the_same_holds_when_holes_are_read),
		cmocka_unit_test(a_hole_that_is_read_costs_no_resync),
		cmocka_unit_test(pauses_only_delay),
		cmocka_unit_test(nothing_is_lost_over_pauses),
		cmocka_unit_test(the_same_holds_when_a_record_waits),
		cmocka_unit_test(a_waiting_record_and_later_ones_stay_until_let_pass),
		cmocka_unit_test(records_that_overtake_the_bind_are_sent_after_it),
		cmocka_unit_test(a_late_record_of_the_old_epoch_is_dropped),
		cmocka_unit_test(each_hole_has_its_own_deadline),
		cmocka_unit_test(one_resync_covers_all_missing_records),
		cmocka_unit_test(no_record_overtakes_a_resync_that_is_owed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
