#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "inbox_rig.h"

/*
 * Plays sequences of events between a server in memory and the machine, and watches what an application
 * would see. An event is a letter:
 *   a b  a message is stored in conversation A or B and comes into the inbox
 *   h    one is stored in the hot group H: it goes out live, without an offset, or not at all
 *   l    the gateway sends the next entry of the inbox
 *   d    it sends the last one again
 *   x    the connection breaks, or a new one is made
 *   s    the gateway skips what it has not sent: `resync`
 *   f    the server loses the inbox: another epoch, and `resync` if there is a connection
 *   p    what was asked over HTTP is answered
 *   t    the application takes what it has
 *   r    the program is killed, and starts again from what was stored
 */
#define LETTERS "abhldxsfptr"
#define PLAY_LENGTH 5
#define LONG_PLAYS 20000
#define LONG_LENGTH 60
#define MAX_MESSAGES 128
#define PAGE 2 /* messages of a page */
#define FOLLOWING 2 /* messages after hello; more: sync_more */

struct mode {
	const char *name;
	bool is_tight; /* little may be held */
	bool takes_late; /* only at t */
	bool reads_early; /* an HTTP answer holds what was there when it was asked for */
	bool has_hot; /* the client knows the hot group */
};

static const struct mode modes[] = {
	{ "plain", false, false, false, false },
	{ "takes late", false, true, true, false },
	{ "holds little", true, false, true, true },
	{ "all at once", true, true, false, true },
};

struct entry {
	int conversation;
	uint64_t seq;
};

struct play {
	const struct mode *mode;
	const char *events;
	unsigned step;
	struct inbox inbox;
	uint64_t now_ms;
	/* the server */
	uint64_t last_seq[CONVERSATIONS];
	unsigned epoch;
	struct entry log[MAX_MESSAGES];
	uint64_t head;
	bool is_connected;
	uint64_t sent; /* on this connection, up to this offset */
	/* what is asked */
	enum inbox_action asked;
	struct inbox_effect question;
	int question_conversation;
	uint64_t asked_head, asked_seq[CONVERSATIONS]; /* what was there */
	unsigned asked_epoch;
	/* the application */
	uint64_t handed[CONVERSATIONS];
	uint64_t deliveries;
};

static struct play *playing;

static void expect(bool is_true, const char *what)
{
	if (!is_true)
		fail_msg("%s: events \"%s\", step %u, %s", what, playing->events, playing->step, playing->mode->name);
}

static const struct inbox_rules tight = {
	.max_held = 1, .max_held_bytes = 10000, .max_untaken = 2, .max_conversations = 10,
	.settle_every = 1, .settle_after_ms = 10, .let_go = let_go,
};

static int conversation_of(struct str id)
{
	for (int i = 0; i < CONVERSATIONS; i++)
		if (str_equal(id, str_from(conversation_names[i])))
			return i;
	fail_msg("a conversation that is none");
	return 0;
}

static void epoch_text(char out[16], unsigned epoch)
{
	snprintf(out, 16, "e%u", epoch);
}

/* ---- the application ---- */

static void take_over(struct play *p, const struct inbox_effect *effect)
{
	int conversation = conversation_of(effect->item->conversation);

	expect(effect->item->seq > p->handed[conversation], "once");
	expect(effect->item->seq == p->handed[conversation] + 1, "without a gap");
	p->handed[conversation] = effect->item->seq;
	expect(effect->delivery == ++p->deliveries, "numbered");
	let_go(effect->item);
	if (!p->mode->takes_late)
		inbox_taken(&p->inbox, effect->delivery);
}

static void remember_question(struct play *p, enum inbox_action action, const struct inbox_effect *effect)
{
	expect(p->asked == INBOX_NOTHING, "one question at a time");
	expect(p->is_connected, "questions only while there is a connection");
	p->asked = action;
	p->question = *effect;
	if (action == INBOX_PULL)
		p->question_conversation = conversation_of(effect->conversation);
	p->asked_head = p->head;
	p->asked_epoch = p->epoch;
	memcpy(p->asked_seq, p->last_seq, sizeof(p->asked_seq));
}

static void obey(struct play *p)
{
	struct inbox_effect effect;
	enum inbox_action action;
	unsigned turns = 0;

	while ((action = inbox_take(&p->inbox, p->now_ms, &effect)) != INBOX_NOTHING) {
		expect(++turns < 1000, "an end of what is to be done");
		if (action == INBOX_HAND_OVER)
			take_over(p, &effect);
		else if (action == INBOX_SETTLE)
			expect(effect.offset <= p->sent, "acks of what was given out only");
		else
			remember_question(p, action, &effect);
	}
}

/* ---- the server ---- */

static void store(struct play *p, int conversation)
{
	if (p->last_seq[conversation] == MAX_MESSAGES / 4)
		return;
	p->last_seq[conversation]++;
	if (conversation != H) {
		p->log[p->head++] = (struct entry){ conversation, p->last_seq[conversation] };
		return;
	}
	if (p->is_connected)
		inbox_live(&p->inbox, new_item(H, p->last_seq[H], 0));
}

static void send_entry(struct play *p, uint64_t offset)
{
	const struct entry *entry = &p->log[offset - 1];

	inbox_live(&p->inbox, new_item(entry->conversation, entry->seq, offset));
}

static void send_next(struct play *p)
{
	if (!p->is_connected || p->sent >= p->head)
		return;
	send_entry(p, ++p->sent);
}

static void send_again(struct play *p)
{
	if (p->is_connected && p->sent && p->sent <= p->head)
		send_entry(p, p->sent);
}

static void resync(struct play *p)
{
	char epoch[16];

	epoch_text(epoch, p->epoch);
	p->sent = p->head;
	inbox_resync(&p->inbox, str_from(epoch));
}

static void connect_client(struct play *p)
{
	struct inbox_position at = p->inbox.at;
	char epoch[16];

	epoch_text(epoch, p->epoch);
	p->is_connected = true;
	inbox_connected(&p->inbox, str_from(epoch), p->head);
	p->sent = p->head;
	if (!*at.epoch)
		return;
	if (strcmp(at.epoch, epoch) != 0) {
		inbox_resync(&p->inbox, str_from(epoch));
		return;
	}
	uint64_t end = MIN(p->head, at.offset + FOLLOWING);
	for (uint64_t offset = at.offset + 1; offset <= end; offset++)
		send_entry(p, offset);
	if (end < p->head)
		inbox_sync_more(&p->inbox);
}

static void disconnect_client(struct play *p)
{
	p->is_connected = false;
	p->asked = INBOX_NOTHING;
	inbox_disconnected(&p->inbox);
}

static void answer_sync(struct play *p)
{
	bool is_early = p->mode->reads_early;
	const uint64_t *seqs = is_early ? p->asked_seq : p->last_seq;
	uint64_t head = is_early ? p->asked_head : p->head, offset = p->question.from.offset;
	unsigned epoch_now = is_early ? p->asked_epoch : p->epoch;
	struct inbox_mark marks[CONVERSATIONS];
	struct inbox_page page = { .marks = marks };

	list_init(&page.items);
	epoch_text(page.end.epoch, epoch_now);
	page.is_reset = strcmp(page.end.epoch, p->question.from.epoch) != 0;
	expect(page.is_reset || offset <= head, "a position that can be");
	if (is_early && epoch_now != p->epoch) {
		head = 0; /* the log is gone; what it was would be right, too */
		page.is_reset = true;
	}
	for (int i = page.is_reset ? A : H; i <= (page.is_reset || p->mode->has_hot ? H : A - 1); i++)
		marks[page.mark_count++] = (struct inbox_mark){ str_from(conversation_names[i]), seqs[i] };
	page.end.offset = page.is_reset ? head : MIN(head, offset + PAGE);
	page.has_more = !page.is_reset && page.end.offset < head;
	for (uint64_t i = offset + 1; !page.is_reset && i <= page.end.offset; i++)
		list_push_back(&page.items, &new_item(p->log[i - 1].conversation, p->log[i - 1].seq, i)->link);
	inbox_synced(&p->inbox, &page);
}

static void answer_pull(struct play *p)
{
	int conversation = p->question_conversation;
	uint64_t last = p->mode->reads_early ? p->asked_seq[conversation] : p->last_seq[conversation];
	uint64_t end = MIN(last, p->question.after_seq + PAGE);
	struct list items;

	list_init(&items);
	for (uint64_t seq = p->question.after_seq + 1; seq <= end; seq++)
		list_push_back(&items, &new_item(conversation, seq, 0)->link);
	inbox_pulled(&p->inbox, &items, end == last);
}

static void answer(struct play *p)
{
	enum inbox_action asked = p->asked;

	p->asked = INBOX_NOTHING;
	if (asked == INBOX_SYNC)
		answer_sync(p);
	else if (asked == INBOX_PULL)
		answer_pull(p);
}

/* ---- a program that is killed ---- */

struct stored {
	struct inbox_position at;
	uint64_t seqs[CONVERSATIONS];
};

static void store_conversation(void *arg, struct str conversation, uint64_t seq)
{
	struct stored *stored = arg;

	stored->seqs[conversation_of(conversation)] = seq;
}

static void restart(struct play *p)
{
	bool knows_hot = p->inbox.knows_hot;
	struct stored stored = { 0 };

	stored.at = *inbox_stored(&p->inbox, store_conversation, &stored);
	p->is_connected = false;
	p->asked = INBOX_NOTHING;
	p->deliveries = 0;
	inbox_release(&p->inbox);
	inbox_init(&p->inbox, p->mode->is_tight ? &tight : &roomy_rules);
	inbox_restore(&p->inbox, &stored.at, knows_hot);
	for (int i = 0; i < CONVERSATIONS; i++) {
		expect(stored.seqs[i] <= p->handed[i], "stored is what was handed over");
		if (stored.seqs[i])
			inbox_restore_conversation(&p->inbox, str_from(conversation_names[i]), stored.seqs[i]);
		p->handed[i] = stored.seqs[i]; /* what came after may come again, and must */
	}
}

/* ---- plays ---- */

static void happen(struct play *p, char event)
{
	switch (event) {
	case 'a':
		store(p, A);
		break;
	case 'b':
		store(p, B);
		break;
	case 'h':
		if (p->mode->has_hot)
			store(p, H);
		break;
	case 'l':
		send_next(p);
		break;
	case 'd':
		send_again(p);
		break;
	case 'x':
		if (p->is_connected)
			disconnect_client(p);
		else
			connect_client(p);
		break;
	case 's':
		if (p->is_connected)
			resync(p);
		break;
	case 'f':
		p->epoch++;
		p->head = p->sent = 0;
		if (p->is_connected)
			resync(p);
		break;
	case 'p':
		answer(p);
		break;
	case 't':
		inbox_taken(&p->inbox, p->deliveries);
		break;
	case 'r':
		restart(p);
		break;
	default:
		break;
	}
	p->now_ms += 6;
	obey(p);
}

/* What is on its way arrives, and what is asked is answered. */
static void become_quiet(struct play *p)
{
	if (!p->is_connected)
		happen(p, 'x');
	for (int i = 0; i < 4 * MAX_MESSAGES; i++) {
		if (p->asked == INBOX_NOTHING && p->sent >= p->head && p->inbox.untaken_count == 0)
			break;
		happen(p, 'l');
		happen(p, 'p');
		happen(p, 't');
	}
	expect(p->asked == INBOX_NOTHING, "an end of the questions");
	for (int i = 0; i < CONVERSATIONS; i++)
		expect(p->handed[i] == p->last_seq[i], "everything was handed over");
}

static void play(const struct mode *mode, const char *events)
{
	struct play p = { .mode = mode, .events = events };

	playing = &p;
	inbox_init(&p.inbox, mode->is_tight ? &tight : &roomy_rules);
	connect_client(&p);
	obey(&p);
	if (mode->has_hot)
		happen(&p, 'h');
	for (const char *event = events; *event; event++) {
		p.step++;
		happen(&p, *event);
	}
	p.step++;
	become_quiet(&p);
	inbox_release(&p.inbox);
	expect(items_alive == 0, "all that was given is given back");
}

static void every_short_sequence_of_events_hands_each_message_over_once_in_order_and_without_a_gap(void **state)
{
	const unsigned letters = sizeof(LETTERS) - 1;
	char events[PLAY_LENGTH + 1] = { 0 };
	unsigned long count = 1;

	(void)state;
	for (int i = 0; i < PLAY_LENGTH; i++)
		count *= letters;
	for (unsigned long n = 0; n < count; n++) {
		unsigned long rest = n;

		for (int i = 0; i < PLAY_LENGTH; i++, rest /= letters)
			events[i] = LETTERS[rest % letters];
		for (size_t mode = 0; mode < ARRAY_LEN(modes); mode++)
			play(&modes[mode], events);
	}
}

/* The same numbers each time. */
static uint32_t next_number(uint32_t *number)
{
	*number = *number * 1664525u + 1013904223u;
	return *number >> 16;
}

static void long_sequences_do_too(void **state)
{
	static const char letters[] = "aaaabbbhhlllllldxxsfppppttr";
	char events[LONG_LENGTH + 1] = { 0 };
	uint32_t number = 7;

	(void)state;
	for (int n = 0; n < LONG_PLAYS; n++) {
		for (int i = 0; i < LONG_LENGTH; i++)
			events[i] = letters[next_number(&number) % (sizeof(letters) - 1)];
		play(&modes[n % ARRAY_LEN(modes)], events);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_sequence_of_events_hands_each_message_over_once_in_order_and_without_a_gap),
		cmocka_unit_test(long_sequences_do_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
