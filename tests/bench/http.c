/* Durable sends over keep-alive connections. Each connection sends the next message when it has its answer. */

#include <stdio.h>

#include "base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/http_peer.h"

struct run {
	struct user *users;
	unsigned user_count, partners;
	uint64_t next, answered, accepted, started_us, until_us;
	unsigned under_way;
	struct latency latency;
	struct buf body;
};

static void post(struct http_peer *peer, struct run *run)
{
	uint64_t i = run->next++;

	buf_clear(&run->body);
	buf_printf(&run->body,
	           "{\"client_msg_id\":\"%s-%llu\",\"to\":{\"user\":\"%s\"},\"type\":\"text\",\"body\":{\"text\":\"one of many, "
	           "a hundred bytes or so of text, as people write them when they chat with each other\"}}",
	           run_name(), (unsigned long long)i, run->users[partner_of(i, run->user_count, run->partners)].uid);
	run->under_way++;
	peer->tag = now_us();
	http_peer_post(peer, "/v1/messages", str_from(run->users[i % run->user_count].token), buf_str(&run->body));
}

static void on_answer(struct http_peer *peer, int status, struct str body)
{
	struct run *run = peer->arg;
	uint64_t now = now_us();

	run->under_way--;
	run->answered++;
	latency_add(&run->latency, now - peer->tag);
	if (status == 200)
		run->accepted++;
	else if (run->answered - run->accepted == 1)
		fprintf(stderr, "bench: first refusal: %d %.*s\n", status, STR_ARG(body));
	if (now < run->until_us)
		post(peer, run);
}

static bool is_over(void *arg)
{
	struct run *run = arg;

	return run->under_way == 0;
}

json_t *scenario_http(const struct options *options)
{
	unsigned connections = options->connections ? options->connections : 64;
	double seconds = options->seconds > 0 ? options->seconds : 10;
	struct run run = { .user_count = options->users ? options->users : 1000, .partners = options->partners };
	struct http_peer *peers = mem_zalloc(connections * sizeof(*peers));
	struct address addresses[16];
	struct usage before, after;

	run.users = users_make(run.user_count, "http");
	users_introduce(run.users, run.user_count, NULL, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++)
		addresses[i] = im_address(i);
	usage_read(&before);
	run.started_us = now_us();
	run.until_us = run.started_us + (uint64_t)(seconds * 1e6);
	for (unsigned i = 0; i < connections; i++) {
		const struct address *address = &addresses[i % ARRAY_LEN(addresses)];

		peers[i].answered = on_answer;
		peers[i].arg = &run;
		http_peer_open(&peers[i], address->host, address->port);
		post(&peers[i], &run);
	}
	loop_run(run.until_us + 10000000, NULL, is_over, &run);
	double took_s = (double)(now_us() - run.started_us) / 1e6, per_s = (double)run.accepted / took_s;
	usage_read(&after);
	printf("\nhttp: %u connections, %.1f s\n  stored     %10.0f /s   (%llu, %llu refused)\n", connections, took_s, per_s,
	       (unsigned long long)run.accepted, (unsigned long long)(run.answered - run.accepted));
	json_t *latency = report_latency("POST -> 200", &run.latency);
	json_t *cpu = report_cpu(&before, &after, run.accepted, took_s);
	for (unsigned i = 0; i < connections; i++)
		http_peer_close(&peers[i]);
	mem_free(peers);
	users_free(run.users, run.user_count);
	buf_release(&run.body);
	return json_pack("{s:i, s:f, s:f, s:I, s:I, s:o, s:o}", "connections", (int)connections, "seconds", took_s,
	                 "stored_per_s", per_s, "accepted", (json_int_t)run.accepted, "refused",
	                 (json_int_t)(run.answered - run.accepted), "answer_ms", latency, "cpu", cpu);
}
