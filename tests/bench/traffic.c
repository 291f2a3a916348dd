#include "tests/bench/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/bench/http_peer.h"

#define PATIENCE_US 10000000
#define PADDING "the quick brown fox jumps over the lazy dog, then it does so again, and again"

struct run {
	struct traffic *traffic;
	struct http_peer *peers, **idle;
	unsigned idle_count;
	uint64_t total, next, answered;
	uint64_t start_us, last_us;
	bool *was_accepted;
	struct buf body;
};

static struct run run; /* frames come without it */

static uint64_t due_us(uint64_t i)
{
	return run.start_us + (uint64_t)((double)i * 1e6 / run.traffic->rate);
}

/* Every frame of a message carries its number as "@number ". */
static bool number_of(struct str text, uint64_t *number)
{
	const char *at = memmem(text.ptr, text.len, "\"text\":\"@", 9);

	if (!at)
		return false;
	struct str rest = str_of(at + 9, text.len - (size_t)(at + 9 - text.ptr));
	return str_to_u64(str_cut(&rest, ' '), number) && *number < run.total;
}

static void on_frame(struct ws_peer *peer, struct str text)
{
	const struct traffic *traffic = run.traffic;
	uint64_t i;

	if (!run.total || !number_of(text, &i))
		return;
	if (traffic->recipient ? peer->index != traffic->recipient(traffic, i) : peer->index == traffic->sender(traffic, i))
		return; /* the sender's own copy */
	run.last_us = now_us();
	run.traffic->delivered++;
	latency_add(&run.traffic->delivery, run.last_us - due_us(i));
}

static void post(struct http_peer *peer, uint64_t i)
{
	const struct traffic *traffic = run.traffic;
	bool is_group = !traffic->recipient;

	buf_clear(&run.body);
	buf_append_text(&run.body, "{\"client_msg_id\":\"");
	buf_append_text(&run.body, run_name());
	buf_append_char(&run.body, '-');
	buf_append_u64(&run.body, i);
	buf_append_text(&run.body, is_group ? "\",\"to\":{\"group\":\"" : "\",\"to\":{\"user\":\"");
	buf_append_text(&run.body, is_group ? traffic->group : traffic->users[traffic->recipient(traffic, i)].uid);
	buf_append_text(&run.body, "\"},\"type\":\"text\",\"body\":{\"text\":\"@");
	buf_append_u64(&run.body, i);
	buf_append_text(&run.body, " " PADDING "\"}}");
	peer->tag = i;
	http_peer_post(peer, "/v1/messages", str_from(traffic->users[traffic->sender(traffic, i)].token), buf_str(&run.body));
}

static void on_answer(struct http_peer *peer, int status, struct str body)
{
	struct traffic *traffic = run.traffic;

	run.answered++;
	run.last_us = now_us();
	latency_add(&traffic->answer, run.last_us - due_us(peer->tag));
	if (status == 200) {
		traffic->accepted++;
	} else {
		if (!traffic->refused++)
			fprintf(stderr, "bench: first refusal: %d %.*s\n", status, STR_ARG(body));
	}
	run.idle[run.idle_count++] = peer;
}

static uint64_t tick(void *arg)
{
	(void)arg;
	while (run.next < run.total && run.idle_count && due_us(run.next) <= now_us())
		post(run.idle[--run.idle_count], run.next++);
	return run.next < run.total && run.idle_count ? due_us(run.next) : UINT64_MAX;
}

static bool is_done(void *arg)
{
	struct traffic *traffic = arg;
	uint64_t each = traffic->recipient ? 1 : traffic->user_count - traffic->stalled - 1;

	traffic->expected = traffic->accepted * each;
	return run.answered == run.total && traffic->delivered >= traffic->expected;
}

void traffic_run(struct traffic *traffic)
{
	run = (struct run){ .traffic = traffic };
	run.peers = mem_zalloc(traffic->http_connections * sizeof(*run.peers));
	run.idle = mem_zalloc(traffic->http_connections * sizeof(struct http_peer *));
	struct address addresses[16];
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++)
		addresses[i] = im_address(i);
	for (unsigned i = 0; i < traffic->http_connections; i++) {
		struct address *address = &addresses[i % ARRAY_LEN(addresses)];

		run.peers[i].answered = on_answer;
		http_peer_open(&run.peers[i], address->host, address->port);
		run.idle[run.idle_count++] = &run.peers[i];
	}
	users_connect(traffic->users, traffic->user_count, on_frame, traffic);
	for (unsigned i = 0; i < traffic->stalled; i++)
		loop_ignore(&traffic->users[traffic->user_count - 1 - i].peer.watch);
	stages_read(&traffic->stages_before);
	usage_read(&traffic->before);
	run.total = (uint64_t)(traffic->rate * traffic->seconds);
	traffic->sent = run.total;
	run.start_us = run.last_us = now_us();
	loop_run(run.start_us + (uint64_t)(traffic->seconds * 1e6) + PATIENCE_US, tick, is_done, traffic);
	traffic->took_s = (double)(run.last_us - run.start_us) / 1e6;
	usage_read(&traffic->after);
	stages_read(&traffic->stages_after);
	for (unsigned i = 0; i < traffic->http_connections; i++)
		http_peer_close(&run.peers[i]);
	mem_free(run.peers);
	mem_free(run.idle);
	buf_release(&run.body);
	run.total = 0;
}

json_t *traffic_report(const struct traffic *traffic, const char *title)
{
	double stored = (double)traffic->accepted / traffic->took_s, delivered = (double)traffic->delivered / traffic->took_s;
	long long missing = (long long)traffic->expected - (long long)traffic->delivered;

	printf("\n%s: %u users, %.0f messages/s asked for, %.1f s\n", title, traffic->user_count, traffic->rate, traffic->took_s);
	printf("  stored     %10.0f /s   (%llu, %llu refused)\n", stored, (unsigned long long)traffic->accepted,
	       (unsigned long long)traffic->refused);
	printf("  delivered  %10.0f /s   (%llu, %lld missing)\n", delivered, (unsigned long long)traffic->delivered, missing);
	json_t *answer = report_latency("POST -> 200", &traffic->answer);
	json_t *delivery = report_latency("POST -> WebSocket", &traffic->delivery);
	json_t *stages = stages_report(&traffic->stages_before, &traffic->stages_after);
	return json_pack("{s:i, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "users", (int)traffic->user_count,
	                 "rate", traffic->rate, "seconds", traffic->took_s, "stored_per_s", stored, "delivered_per_s",
	                 delivered, "accepted", (json_int_t)traffic->accepted, "refused", (json_int_t)traffic->refused,
	                 "delivered", (json_int_t)traffic->delivered, "missing", (json_int_t)missing, "answer_ms", answer,
	                 "delivery_ms", delivery, "stages_ms", stages, "cpu",
	                 report_cpu(&traffic->before, &traffic->after, traffic->delivered, traffic->took_s));
}
