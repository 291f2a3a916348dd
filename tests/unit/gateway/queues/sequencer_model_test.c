#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/macros.h"
#include "base/text/str.h"
#include "gateway/queues/ack_window.h"
#include "gateway/queues/sequencer.h"

/*
 * A model of design section 2: an inbox, one client with one connection at a time,
 * and between them the sequencer and the window, driven as session_order.c and
 * session_pages.c drive them. Every possible order of events is played:
 *
 *   a    a message is appended; if the connection is bound, its live record is sent
 *   1-4  the live record of that number comes, perhaps again
 *   b    the client connects from its position, and is bound
 *   h    the bind is answered: hello, and the inbox is read if the client is behind
 *   s    the read succeeds: its page comes
 *   f    the read fails
 *   k    the client acks all messages that it has
 *   d    the connection is lost
 *   t    more time passes than a hole may stay
 *
 * After each order all outstanding events happen, and the client must have every
 * message.
 */
#define MESSAGES 4

/* Each further event triples the time. Fewer under the slow address sanitizer. */
#ifdef __SANITIZE_ADDRESS__
#define DEPTH 10
#else
#define DEPTH 12
#endif

#define EPOCH 0xe
#define HOLE_MS 10
#define PAGE 2
#define HOLE_MAX 3

static const struct ack_limits limits = { .max_messages = 2, .max_bytes = 1000, .timeout_ms = 1000 };

static void let_go(void *item)
{
	(void)item;
}

static const struct sequencer_rules rules = {
	.max_held = 2, .max_held_bytes = 1000, .max_hole_ms = HOLE_MS, .let_go = let_go,
};

struct world {
	const char *events;
	bool reads_late; /* im reads the inbox just before it answers, not when it is asked */
	uint64_t now_ms;
	uint64_t head; /* of the inbox */
	/* the client */
	bool has[MESSAGES + 1];
	uint64_t last; /* number of the last frame */
	bool may_jump; /* it was told to read the numbers between */
	/* the connection */
	bool is_bound, is_live;
	uint64_t bound_head, from;
	bool on_its_way[MESSAGES + 1], may_repeat[MESSAGES + 1];
	struct sequencer sequencer;
	struct ack_window window;
	bool is_reading, is_catch_up;
	uint64_t after, limit, read_head;
};

static void expect(const struct world *w, bool is_true, const char *what)
{
	if (!is_true)
		fail_msg("%s: events \"%s\"%s", what, w->events, w->reads_late ? ", reading late" : "");
}

/* ---- the client ---- */

static uint64_t position(const struct world *w)
{
	uint64_t offset = 0;

	while (offset < MESSAGES && w->has[offset + 1])
		offset++;
	return offset;
}

static void client_syncs(struct world *w)
{
	for (uint64_t offset = 1; offset <= w->head; offset++)
		w->has[offset] = true;
	w->may_jump = true;
}

static void client_gets(struct world *w, uint64_t offset)
{
	expect(w, offset <= w->head, "only what was appended");
	expect(w, w->may_jump || offset == w->last + 1, "dense but for a jump that was announced");
	expect(w, offset > w->last, "in order");
	expect(w, offset <= position(w) + 1, "everything before it is there");
	w->has[offset] = true;
	w->last = offset;
	w->may_jump = false;
}

/* ---- the connection ---- */

static void obey(struct world *w);

static void send_next(struct world *w, uint64_t offset)
{
	client_gets(w, offset);
	ack_window_add(&w->window, offset, 1, w->now_ms);
	expect(w, ack_window_messages(&w->window) <= limits.max_messages, "no more in flight than allowed");
	if (ack_window_is_full(&w->window, &limits))
		sequencer_pause(&w->sequencer);
}

static void feed(struct world *w, uint64_t offset)
{
	const struct sequencer_record record = { .epoch = EPOCH, .offset = offset, .item = w, .bytes = 1 };

	if (sequencer_record(&w->sequencer, &record, w->now_ms) == SEQUENCER_SEND)
		send_next(w, offset);
	obey(w);
}

static void begin_reading(struct world *w, uint64_t after, uint64_t limit, bool is_catch_up)
{
	w->is_reading = true;
	w->is_catch_up = is_catch_up;
	w->after = after;
	w->limit = limit;
	w->read_head = w->head;
}

static void skip_ahead(struct world *w)
{
	client_syncs(w);
	ack_window_restart(&w->window, sequencer_given_out(&w->sequencer));
	if (w->sequencer.is_paused)
		sequencer_resume(&w->sequencer, w->now_ms);
}

static void obey(struct world *w)
{
	struct sequencer_effect effect;
	enum sequencer_action action;

	while ((action = sequencer_take(&w->sequencer, w->now_ms, &effect)) != SEQUENCER_NOTHING) {
		if (action == SEQUENCER_SEND)
			send_next(w, effect.record.offset);
		else if (action == SEQUENCER_RESYNC)
			skip_ahead(w);
		else if (effect.to - effect.from >= HOLE_MAX)
			sequencer_skip(&w->sequencer);
		else if (!w->is_reading)
			begin_reading(w, effect.from - 1,
			              MIN(MIN(effect.to - effect.from + 1, PAGE), ack_window_room(&w->window, &limits)), false);
	}
}

static void go_live(struct world *w)
{
	w->is_live = true;
	w->last = w->from;
	ack_window_restart(&w->window, w->from);
	sequencer_start(&w->sequencer, EPOCH, w->from + 1, w->now_ms);
	if (w->from < w->bound_head) {
		sequencer_learn(&w->sequencer, EPOCH, w->bound_head, w->now_ms);
		sequencer_begin_fill(&w->sequencer);
		begin_reading(w, w->from, PAGE, true);
	}
	obey(w);
}

static void answer_comes(struct world *w)
{
	uint64_t head = w->reads_late ? w->head : w->read_head;
	uint64_t last = MIN(w->after + w->limit, head);

	w->is_reading = false;
	for (uint64_t offset = w->after + 1; offset <= last; offset++)
		feed(w, offset);
	if (w->is_catch_up && last < w->bound_head && w->sequencer.next <= w->bound_head) {
		client_syncs(w); /* sync_more: live ones go on after hello's head */
		w->last = w->bound_head;
		w->may_jump = false;
		sequencer_jump(&w->sequencer, w->bound_head + 1, w->now_ms);
		ack_window_restart(&w->window, w->bound_head);
		if (w->sequencer.is_paused)
			sequencer_resume(&w->sequencer, w->now_ms);
	}
	sequencer_fill_ended(&w->sequencer, w->now_ms);
	obey(w);
}

static void answer_fails(struct world *w)
{
	w->is_reading = false;
	if (!w->sequencer.is_paused)
		sequencer_skip(&w->sequencer);
	sequencer_fill_ended(&w->sequencer, w->now_ms);
	obey(w);
}

static void client_acks(struct world *w)
{
	uint64_t offset = MIN(position(w), sequencer_reach(&w->sequencer));

	if (ack_window_take(&w->window, offset, w->now_ms) && w->sequencer.is_paused &&
	    ack_window_has_room(&w->window, &limits))
		sequencer_resume(&w->sequencer, w->now_ms);
	obey(w);
}

static void disconnect(struct world *w)
{
	sequencer_release(&w->sequencer);
	ack_window_release(&w->window);
	w->is_bound = w->is_live = w->is_reading = w->may_jump = false;
	memset(w->on_its_way, 0, sizeof(w->on_its_way)); /* answered `gone` */
	memset(w->may_repeat, 0, sizeof(w->may_repeat));
}

/* ---- events ---- */

static bool is_possible(const struct world *w, char event)
{
	switch (event) {
	case 'a':
		return w->head < MESSAGES;
	case 'b':
		return !w->is_bound;
	case 'h':
		return w->is_bound && !w->is_live;
	case 's':
	case 'f':
		return w->is_reading;
	case 'k':
		return w->is_live && w->window.ring;
	case 'd':
		return w->is_bound;
	case 't':
		return w->is_live && sequencer_deadline(&w->sequencer);
	default:
		return w->on_its_way[event - '0'] || w->may_repeat[event - '0'];
	}
}

static void bind_client(struct world *w)
{
	w->is_bound = true;
	w->bound_head = w->head;
	w->from = position(w);
	sequencer_init(&w->sequencer, &rules);
	w->window = (struct ack_window){ 0 };
}

static void happen(struct world *w, char event)
{
	switch (event) {
	case 'a':
		w->head++;
		w->on_its_way[w->head] = w->is_bound;
		break;
	case 'b':
		bind_client(w);
		break;
	case 'h':
		go_live(w);
		break;
	case 's':
		answer_comes(w);
		break;
	case 'f':
		answer_fails(w);
		break;
	case 'k':
		client_acks(w);
		break;
	case 'd':
		disconnect(w);
		break;
	case 't':
		w->now_ms += HOLE_MS;
		obey(w);
		break;
	default:
		w->may_repeat[event - '0'] = w->on_its_way[event - '0']; /* once */
		w->on_its_way[event - '0'] = false;
		feed(w, (uint64_t)(event - '0'));
	}
}

static void come_to_rest(struct world *w)
{
	static const char order[] = "bh4321skt";
	const char *event = order;

	memset(w->may_repeat, 0, sizeof(w->may_repeat));
	for (int steps = 0; *event; steps++) {
		expect(w, steps < 100, "it comes to rest");
		for (event = order; *event && !is_possible(w, *event); event++)
			continue;
		if (*event)
			happen(w, *event);
		memset(w->may_repeat, 0, sizeof(w->may_repeat));
	}
	expect(w, position(w) == w->head, "the client has everything");
	expect(w, !w->sequencer.hold && !w->window.ring && !w->sequencer.is_paused, "nothing is left over");
}

/* Plays the events, then these with every possible next event, up to `depth` events in all. */
static unsigned long explore(char *events, size_t length, size_t depth, bool reads_late)
{
	static const char alphabet[] = "a1234bhsfkdt";
	bool may_follow[sizeof(alphabet)] = { false };
	unsigned long plays = 1;
	struct world w = { .events = events, .reads_late = reads_late, .now_ms = 1000 };

	for (const char *event = events; *event; event++)
		happen(&w, *event);
	for (size_t i = 0; alphabet[i]; i++)
		may_follow[i] = is_possible(&w, alphabet[i]);
	come_to_rest(&w);
	disconnect(&w);
	for (size_t i = 0; length < depth && alphabet[i]; i++) {
		if (!may_follow[i])
			continue;
		events[length] = alphabet[i];
		events[length + 1] = '\0';
		plays += explore(events, length + 1, depth, reads_late);
		events[length] = '\0';
	}
	return plays;
}

static void explore_from(const char *beginning, size_t more, unsigned long at_least)
{
	char events[32];

	for (int late = 0; late <= 1; late++) {
		assert_true(str_copy(events, sizeof(events), str_from(beginning)));
		assert_true(explore(events, strlen(beginning), strlen(beginning) + more, late) >= at_least);
	}
}

static void nothing_is_lost_or_out_of_order_in_any_order_of_events(void **state)
{
	(void)state;
	explore_from("", DEPTH, 10000);
}

static void nothing_is_lost_for_a_client_that_comes_back_far_behind(void **state)
{
	(void)state;
	explore_from("aaab", 9, 100);
	explore_from("aabah", 9, 1000);
}

static void nothing_is_lost_while_the_window_is_full(void **state)
{
	(void)state;
	explore_from("bhaa12aa", 9, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_or_out_of_order_in_any_order_of_events),
		cmocka_unit_test(nothing_is_lost_for_a_client_that_comes_back_far_behind),
		cmocka_unit_test(nothing_is_lost_while_the_window_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
