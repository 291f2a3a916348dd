/*
* More one-to-one messages between connected users than the cluster can carry. First the peak, which the whole path can
 * sustain: a fixed number of messages under way, each replaced when it has arrived or was refused. Then an open loop with 1
 * and 3 times the peak, and right after that 0.3 times, to see how soon latencies are normal again.
 *
 * A message is sent when it is due, whatever happened to earlier ones. If no connection is free then, or the tool itself is
 * late, the message is not offered but counted: to send it later would make a burst. Latencies count from the moment of
 * sending. The delay of the tool itself is a figure of its own.
 */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/http_peer.h"
#include "tests/bench/process_memory.h"

#define PATIENCE_US 10000000
#define PADDING "the quick brown fox jumps over the lazy dog, then it does so again, and again"
#define WARM_SECONDS 5
#define PEAK_SECONDS 10
#define PEAK_AT_ONCE 512 /* messages under way while the peak is measured */
#define LATE_MAX_US 50000
#define POSTS_A_TURN 32
#define SLOT_US 250000 /* the interval in which recovery is measured */
#define SLOTS_MAX 400
#define NORMAL_MS 200.0 /* of POST -> WebSocket, where nothing is overloaded */

enum refusal { REFUSED_503, REFUSED_429, REFUSED_LOST, REFUSED_OTHER, REFUSAL_COUNT };

/* The messages sent in a quarter of a second, by their outcome. */
struct slot {
	uint64_t sent, refused, slow;
};

struct phase {
	const char *title;
	double rate; /* 0: closed loop */
	double seconds;
	uint64_t start_us, end_us;
	uint64_t next; /* of the schedule */
	uint64_t sent, not_offered, accepted, refused[REFUSAL_COUNT];
	uint64_t answered_in_time, delivered_in_time; /* during this phase, of all messages */
	uint64_t delivered; /* messages of this phase, at any time */
	struct latency late, answer, refusal, delivery;
	struct slot slots[SLOTS_MAX];
	struct usage before, after;
};

struct message {
	uint64_t sent_us;
	struct phase *phase;
};

static struct run {
	struct user *users;
	unsigned user_count, partners;
	struct http_peer *peers, **idle;
	unsigned peer_count, idle_count;
	struct phase *phase; /* the one that runs */
	struct message *messages;
	uint64_t count, capacity;
	uint64_t under_way; /* neither refused nor arrived */
	struct buf body;
} run;

/* ---- a message ---- */

static unsigned sender_of(uint64_t i)
{
	return (unsigned)(i % run.user_count);
}

static unsigned recipient_of(uint64_t i)
{
	return partner_of(i, run.user_count, run.partners);
}

static struct slot *slot_of(const struct message *message)
{
	uint64_t number = (message->sent_us - message->phase->start_us) / SLOT_US;

	return &message->phase->slots[MIN(number, SLOTS_MAX - 1)];
}

static void post(struct phase *phase, uint64_t now)
{
	struct http_peer *peer = run.idle[--run.idle_count];
	uint64_t i = run.count++;

	if (i == run.capacity) {
		run.capacity = MAX(run.capacity * 2, 1 << 16);
		run.messages = mem_resize(run.messages, run.capacity * sizeof(*run.messages));
	}
	run.messages[i] = (struct message){ now, phase };
	phase->sent++;
	slot_of(&run.messages[i])->sent++;
	run.under_way++;
	buf_clear(&run.body);
	buf_append_text(&run.body, "{\"client_msg_id\":\"");
	buf_append_text(&run.body, run_name());
	buf_append_char(&run.body, '-');
	buf_append_u64(&run.body, i);
	buf_append_text(&run.body, "\",\"to\":{\"user\":\"");
	buf_append_text(&run.body, run.users[recipient_of(i)].uid);
	buf_append_text(&run.body, "\"},\"type\":\"text\",\"body\":{\"text\":\"@");
	buf_append_u64(&run.body, i);
	buf_append_text(&run.body, " " PADDING "\"}}");
	peer->tag = i;
	http_peer_post(peer, "/v1/messages", str_from(run.users[sender_of(i)].token), buf_str(&run.body));
}

static bool is_running(const struct phase *phase, uint64_t now)
{
	return phase && now < phase->end_us;
}

static void replace(uint64_t now)
{
	if (is_running(run.phase, now) && run.phase->rate <= 0 && run.idle_count)
		post(run.phase, now);
}

static enum refusal refusal_of(int status)
{
	return status == 503 ? REFUSED_503 : status == 429 ? REFUSED_429 : status == 0 ? REFUSED_LOST : REFUSED_OTHER;
}

static void on_answer(struct http_peer *peer, int status, struct str body)
{
	struct message *message = &run.messages[peer->tag];
	struct phase *phase = message->phase;
	uint64_t now = now_us();

	run.idle[run.idle_count++] = peer;
	if (status == 200) {
		phase->accepted++;
		latency_add(&phase->answer, now - message->sent_us);
		if (is_running(run.phase, now))
			run.phase->answered_in_time++;
		return;
	}
	if (!phase->refused[refusal_of(status)]++)
		fprintf(stderr, "bench: first refusal of %s: %d %.*s\n", phase->title, status, STR_ARG(body));
	latency_add(&phase->refusal, now - message->sent_us);
	slot_of(message)->refused++;
	run.under_way--;
	replace(now);
}

/* Every frame of a message carries its number as "@number ". */
static bool number_of(struct str text, uint64_t *number)
{
	const char *at = memmem(text.ptr, text.len, "\"text\":\"@", 9);

	if (!at)
		return false;
	struct str rest = str_of(at + 9, text.len - (size_t)(at + 9 - text.ptr));
	return str_to_u64(str_cut(&rest, ' '), number) && *number < run.count;
}

static void on_frame(struct ws_peer *peer, struct str text)
{
	uint64_t i, now = now_us();

	if (!number_of(text, &i) || peer->index != recipient_of(i))
		return; /* the sender's own copy */
	struct message *message = &run.messages[i];
	uint64_t latency_us = now - message->sent_us;
	message->phase->delivered++;
	latency_add(&message->phase->delivery, latency_us);
	if ((double)latency_us / 1000 > NORMAL_MS)
		slot_of(message)->slow++;
	if (is_running(run.phase, now))
		run.phase->delivered_in_time++;
	run.under_way--;
	replace(now);
}

/* ---- a phase ---- */

static uint64_t due_us(const struct phase *phase, uint64_t i)
{
	return phase->start_us + (uint64_t)((double)i * 1e6 / phase->rate);
}

/* Sends messages that are due, a few at a time: the sockets are served in between. */
static uint64_t tick(void *arg)
{
	struct phase *phase = arg;
	uint64_t now = now_us();

	if (phase->rate <= 0)
		return UINT64_MAX;
	for (unsigned left = POSTS_A_TURN; left > 0 && due_us(phase, phase->next) <= now;) {
		uint64_t late_us = now - due_us(phase, phase->next);

		latency_add(&phase->late, late_us);
		phase->next++;
		if (!run.idle_count || late_us > LATE_MAX_US) {
			phase->not_offered++;
			continue;
		}
		post(phase, now);
		left--;
	}
	return due_us(phase, phase->next);
}

static bool is_never(void *arg)
{
	(void)arg;
	return false;
}

static bool is_quiet(void *arg)
{
	(void)arg;
	return run.under_way == 0;
}

static void run_phase(struct phase *phase)
{
	usage_read(&phase->before);
	phase->start_us = now_us();
	phase->end_us = phase->start_us + (uint64_t)(phase->seconds * 1e6);
	run.phase = phase;
	for (unsigned i = 0; phase->rate <= 0 && i < PEAK_AT_ONCE && run.idle_count; i++)
		post(phase, phase->start_us);
	loop_run(phase->end_us, tick, is_never, phase);
	run.phase = NULL;
	usage_read(&phase->after);
}

static void wait_for_quiet(void)
{
	loop_run(now_us() + PATIENCE_US, NULL, is_quiet, NULL);
}

/* ---- figures ---- */

static json_t *report_phase(const struct phase *phase)
{
	double answered = (double)phase->answered_in_time / phase->seconds;
	double delivered = (double)phase->delivered_in_time / phase->seconds;
	const uint64_t *refused = phase->refused;
	uint64_t otherwise = refused[REFUSED_LOST] + refused[REFUSED_OTHER];

	printf("\n%s: %.0f s, %.0f/s asked for, %.0f/s sent (%llu not offered)\n", phase->title, phase->seconds, phase->rate,
	       (double)phase->sent / phase->seconds, (unsigned long long)phase->not_offered);
	printf("  stored     %10.0f /s   refused %llu with 503, %llu with 429, %llu lost, %llu other\n", answered,
	       (unsigned long long)refused[REFUSED_503], (unsigned long long)refused[REFUSED_429],
	       (unsigned long long)refused[REFUSED_LOST], (unsigned long long)refused[REFUSED_OTHER]);
	printf("  delivered  %10.0f /s   %lld of its messages missing\n", delivered,
	       (long long)phase->accepted - (long long)phase->delivered);
	json_t *late = report_latency("tool was late", &phase->late);
	json_t *refusal = report_latency("POST -> refused", &phase->refusal);
	json_t *answer = report_latency("POST -> 200", &phase->answer);
	json_t *delivery = report_latency("POST -> WebSocket", &phase->delivery);
	return json_pack("{s:f, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "rate", phase->rate, "sent",
	                 (json_int_t)phase->sent, "not_offered", (json_int_t)phase->not_offered, "accepted",
	                 (json_int_t)phase->accepted, "stored_per_s", answered, "delivered_per_s", delivered, "refused_503",
	                 (json_int_t)refused[REFUSED_503], "refused_429", (json_int_t)refused[REFUSED_429], "refused_otherwise",
	                 (json_int_t)otherwise, "late_ms", late, "refusal_ms", refusal,
	                 "answer_ms", answer, "delivery_ms", delivery, "cpu",
	                 report_cpu(&phase->before, &phase->after, phase->delivered_in_time, phase->seconds));
}

static bool is_normal(const struct slot *slot)
{
	return slot->refused * 100 <= slot->sent && slot->slow * 100 <= slot->sent;
}

/* The time until latencies were normal for a second, or the length of the phase if they never were. */
static double recovered_after_s(const struct phase *phase)
{
	unsigned count = (unsigned)(phase->seconds * 1e6 / SLOT_US), normal = 0;

	for (unsigned i = 0; i < count && i < SLOTS_MAX; i++) {
		normal = is_normal(&phase->slots[i]) ? normal + 1 : 0;
		if (normal == 4)
			return (double)(i + 1 - normal) * SLOT_US / 1e6;
	}
	return phase->seconds;
}

/* ---- the scenario ---- */

static void connect_all(const struct options *options)
{
	struct address addresses[16];

	run.user_count = options->users ? options->users : 500;
	run.partners = options->partners;
	run.peer_count = options->connections ? options->connections : 2000;
	if (run.user_count < 2)
		fail("overload wants at least 2 users");
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++)
		addresses[i] = im_address(i);
	run.peers = mem_zalloc(run.peer_count * sizeof(*run.peers));
	run.idle = mem_zalloc(run.peer_count * sizeof(struct http_peer *));
	for (unsigned i = 0; i < run.peer_count; i++) {
		const struct address *address = &addresses[i % ARRAY_LEN(addresses)];

		run.peers[i].answered = on_answer;
		http_peer_open(&run.peers[i], address->host, address->port);
		run.idle[run.idle_count++] = &run.peers[i];
	}
	run.users = users_make(run.user_count, "overload");
	users_connect(run.users, run.user_count, on_frame, NULL);
}

static void close_all(void)
{
	for (unsigned i = 0; i < run.peer_count; i++)
		http_peer_close(&run.peers[i]);
	users_free(run.users, run.user_count);
	mem_free(run.peers);
	mem_free(run.idle);
	mem_free(run.messages);
	buf_release(&run.body);
}

json_t *scenario_overload(const struct options *options)
{
	static struct phase warm = { .title = "warming up", .seconds = WARM_SECONDS };
	static struct phase peak = { .title = "peak", .seconds = PEAK_SECONDS }, once = { .title = "1 times the peak" },
			    thrice = { .title = "3 times the peak" }, after = { .title = "0.3 times, at once" };
	double seconds = options->seconds > 0 ? options->seconds : 20;
	struct process_memory before, overloaded;

	connect_all(options);
	run_phase(&warm);
	wait_for_quiet();
	run_phase(&peak);
	wait_for_quiet();
	double rate = options->rate > 0 ? options->rate : (double)peak.delivered_in_time / peak.seconds;
	once.rate = rate;
	thrice.rate = 3 * rate;
	after.rate = 0.3 * rate;
	once.seconds = thrice.seconds = seconds;
	after.seconds = MAX(seconds / 2, 8);
	run_phase(&once);
	wait_for_quiet();
	process_memory_read(&before);
	process_memory_forget();
	run_phase(&thrice);
	run_phase(&after);
	wait_for_quiet();
	process_memory_read(&overloaded);

	json_t *figures[] = { report_phase(&peak), report_phase(&once), report_phase(&thrice), report_phase(&after) };
	json_t *memory = process_memory_report(&before, &overloaded);
	double kept = (double)thrice.delivered_in_time / thrice.seconds / rate, recovered_s = recovered_after_s(&after);
	printf("  delivered at 3 times the peak, of the peak: %.0f %%; all is normal again after %.2f s\n", 100 * kept,
	       recovered_s);
	close_all();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:f}", "peak", figures[0], "once", figures[1], "thrice", figures[2],
	                 "after", figures[3], "memory", memory, "kept", kept, "recovered_s", recovered_s);
}
