/* All users come back at the same moment with messages waiting: how long until all of them have all messages. */

#include <stdio.h>

#include "base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/http_peer.h"

#define WAITING 10 /* for each */
#define BATCH 100
#define SENDERS 10
#define PATIENCE_US 120000000

struct run {
	struct user *users, *senders;
	unsigned user_count;
	uint64_t posted, answered, total; /* messages */
	unsigned *got; /* by user */
	unsigned complete; /* users */
	uint64_t started_us;
	struct latency latency;
	struct buf body;
};

/* ---- the position of each user, by its first hello ---- */

static struct str text_field(struct str text, const char *name)
{
	char pattern[32];
	int len = snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	const char *at = memmem(text.ptr, text.len, pattern, (size_t)len);

	if (!at)
		fail("a hello without %s: %.*s", name, STR_ARG(text));
	struct str rest = str_of(at + len, text.len - (size_t)(at + len - text.ptr));
	return str_cut(&rest, '"');
}

static void note_position(struct ws_peer *peer, struct str text)
{
	struct run *run = peer->arg;
	struct user *user = &run->users[peer->index];

	if (!*user->position)
		snprintf(user->position, sizeof(user->position), "&epoch=%.*s&offset=%.*s", STR_ARG(text_field(text, "epoch")),
		         STR_ARG(text_field(text, "head")));
}

/* ---- while they are away ---- */

static void post(struct http_peer *peer, struct run *run)
{
	const struct user *sender = &run->senders[run->posted / BATCH % SENDERS];

	buf_clear(&run->body);
	buf_append_text(&run->body, "{\"messages\":[");
	for (unsigned i = 0; i < BATCH && run->posted < run->total; i++, run->posted++)
		buf_printf(&run->body,
		           "%s{\"client_msg_id\":\"%s-%llu\",\"to\":{\"user\":\"%s\"},\"type\":\"text\",\"body\":{\"text\":\"the "
		           "quick brown fox jumps over the lazy dog, then it does so again, and again\"}}",
		           i ? "," : "", run_name(), (unsigned long long)run->posted,
		           run->users[run->posted % run->user_count].uid);
	buf_append_text(&run->body, "]}");
	http_peer_post(peer, "/v1/messages/batch", str_from(sender->token), buf_str(&run->body));
}

static void on_answer(struct http_peer *peer, int status, struct str body)
{
	struct run *run = peer->arg;

	if (status != 200 || memmem(body.ptr, body.len, "\"error\"", 7))
		fail("POST /v1/messages/batch: %d %.*s", status, (int)MIN(body.len, 300), body.ptr);
	run->answered += BATCH;
	if (run->posted < run->total)
		post(peer, run);
}

static bool all_are_stored(void *arg)
{
	const struct run *run = arg;

	return run->answered >= run->total;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void leave_messages(struct run *run)
{
	struct http_peer peers[4] = { 0 };
	struct address addresses[ARRAY_LEN(peers)];

	for (unsigned i = 0; i < ARRAY_LEN(peers); i++) {
		addresses[i] = im_address(i);
		peers[i] = (struct http_peer){ .answered = on_answer, .arg = run };
		http_peer_open(&peers[i], addresses[i].host, addresses[i].port);
		post(&peers[i], run);
	}
	loop_run(now_us() + PATIENCE_US, NULL, all_are_stored, run);
	if (!all_are_stored(run))
		fail("%llu of %llu messages stored", (unsigned long long)run->answered, (unsigned long long)run->total);
	for (unsigned i = 0; i < ARRAY_LEN(peers); i++)
		http_peer_close(&peers[i]);
	/* push has finished them when it has been idle for a while. */
	loop_run(now_us() + 5000000, NULL, never, NULL);
}

/* ---- and back ---- */

static void on_frame(struct ws_peer *peer, struct str text)
{
	struct run *run = peer->arg;

	if (!memmem(text.ptr, MIN(text.len, 64), "\"type\":\"message\"", 16))
		return;
	if (++run->got[peer->index] == WAITING) {
		run->complete++;
		latency_add(&run->latency, now_us() - run->started_us);
	}
}

static bool all_have_all(void *arg)
{
	const struct run *run = arg;

	return run->complete == run->user_count;
}

static void come_back(struct run *run)
{
	struct address gateways[16];

	for (unsigned i = 0; i < ARRAY_LEN(gateways); i++)
		gateways[i] = gateway_address(i);
	run->started_us = now_us();
	for (unsigned i = 0; i < run->user_count; i++) {
		struct user *user = &run->users[i];
		const struct address *gateway = &gateways[i % ARRAY_LEN(gateways)];

		user->peer = (struct ws_peer){ .frame = on_frame, .arg = run, .index = i };
		ws_peer_open(&user->peer, gateway->host, gateway->port, 1 + i / 3000, str_from(user->token), "bench",
		             user->position);
	}
	loop_run(run->started_us + PATIENCE_US, NULL, all_have_all, run);
}

static json_t *report(const struct run *run, const struct usage *before, const struct usage *after)
{
	double took_s = (double)run->latency.max_us / 1e6;

	printf("\nreconnect: %u users at once, %u messages waiting for each\n  complete   %10u users, %u connections lost\n"
	       "  took       %10.2f s\n",
	       run->user_count, WAITING, run->complete, ws_peers_lost, took_s);
	json_t *latency = report_latency("back -> all messages", &run->latency);
	return json_pack("{s:i, s:i, s:i, s:i, s:f, s:o, s:o}", "users", (int)run->user_count, "waiting", WAITING, "complete",
	                 (int)run->complete, "lost", (int)ws_peers_lost, "took_s", took_s, "complete_ms", latency, "cpu",
	                 report_cpu(before, after, run->total, took_s));
}

json_t *scenario_reconnect(const struct options *options)
{
	struct run run = { .user_count = options->users ? options->users : 5000 };
	struct usage before, after;

	run.total = (uint64_t)run.user_count * WAITING;
	run.users = users_make(run.user_count, "back");
	run.senders = users_make(SENDERS, "sender");
	run.got = mem_zalloc(run.user_count * sizeof(*run.got));
	users_introduce(run.users, run.user_count, note_position, &run);
	users_introduce(run.senders, SENDERS, NULL, NULL);
	leave_messages(&run);
	usage_read(&before);
	come_back(&run);
	usage_read(&after);
	users_free(run.users, run.user_count);
	users_free(run.senders, SENDERS);
	mem_free(run.got);
	buf_release(&run.body);
	return report(&run, &before, &after);
}
