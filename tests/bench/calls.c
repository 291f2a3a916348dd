/*
 * The calls of a user, each for some seconds at a rate, by users of tests/bench/seed about the conversations that they have there.
 * The latency of a call counts from when it was due.
 */

#include <stdio.h>

#include "base/macros.h"
#include "base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/http_peer.h"

#define PEERS 32
#define PATIENCE_US 10000000

/*
 * In path and body: $me and $peer (the next user), $direct (their conversation), $gid (the group that the user owns),
 * $member (one of it), $seq (1 to 10), $n (another number each time).
 */
static const struct call_case {
	const char *method, *path, *body;
} cases[] = {
	{ "POST", "/v1/messages",
	  "{\"client_msg_id\":\"$n\",\"to\":{\"user\":\"$peer\"},\"type\":\"text\",\"body\":{\"text\":\"hello\"}}" },
	{ "POST", "/v1/messages",
	  "{\"client_msg_id\":\"$n\",\"to\":{\"group\":\"$gid\"},\"type\":\"text\",\"body\":{\"text\":\"hello\"}}" },
	{ "GET", "/v1/conversations/$direct/messages", NULL },
	{ "GET", "/v1/conversations/g:$gid/messages?limit=100", NULL },
	{ "GET", "/v1/conversations", NULL },
	{ "PUT", "/v1/conversations/$direct/read", "{\"seq\":$seq}" },
	{ "PUT", "/v1/conversations/g:$gid/read", "{\"seq\":$seq}" },
	{ "PATCH", "/v1/conversations/$direct", "{\"muted\":true}" },
	{ "DELETE", "/v1/conversations/$direct/messages?up_to_seq=1", NULL },
	{ "PUT", "/v1/conversations/g:$gid/pins/$seq", NULL },
	{ "GET", "/v1/conversations/g:$gid/pins", NULL },
	{ "POST", "/v1/conversations/$direct/messages/$seq/reactions", "{\"emoji\":\"+$seq\"}" },
	{ "GET", "/v1/sync", NULL },
	{ "GET", "/v1/users/$peer", NULL },
	{ "PATCH", "/v1/users/me", "{\"name\":\"Seed $n\"}" },
	{ "GET", "/v1/presence?uids=$peer,$member", NULL },
	{ "POST", "/v1/friends/requests", "{\"to\":\"$member\",\"note\":\"hi\"}" },
	{ "GET", "/v1/friends/requests", NULL },
	{ "GET", "/v1/friends", NULL },
	{ "PUT", "/v1/blocks/$member", NULL },
	{ "GET", "/v1/blocks", NULL },
	{ "DELETE", "/v1/blocks/$member", NULL },
	{ "POST", "/v1/groups", "{\"name\":\"group $n\",\"members\":[\"$peer\"]}" },
	{ "GET", "/v1/groups/$gid", NULL },
	{ "GET", "/v1/groups/$gid/members", NULL },
	{ "PATCH", "/v1/groups/$gid", "{\"announcement\":\"number $n\"}" },
	{ "PUT", "/v1/groups/$gid/members/$member/mute", "{\"until\":1}" },
	{ "GET", "/v1/endpoints", NULL },
};

struct calls {
	const struct call_case *it;
	struct user *users;
	unsigned user_count;
	struct http_peer peers[PEERS];
	double rate;
	uint64_t start_us, next, most, answered, refused, total;
	struct latency latency;
	struct buf path, body;
};

static void expand(struct buf *out, const char *pattern, const struct calls *calls, uint64_t number)
{
	/* User 0 owns no group, see seed.sql. */
	unsigned owner = 1 + (unsigned)(number % (calls->user_count - 2));
	const char *me = calls->users[owner].uid, *peer = calls->users[owner + 1].uid;

	buf_clear(out);
	for (const char *at = pattern; *at; at++) {
		if (*at != '$') {
			buf_append_char(out, *at);
			continue;
		}
		struct str name = str_from(at + 1);
		if (str_starts_with(name, STR("direct")))
			buf_printf(out, "u:%s:%s", me, peer);
		else if (str_starts_with(name, STR("member")))
			buf_printf(out, "seed%08u", owner + 2 + (unsigned)(number / calls->user_count % 15));
		else if (str_starts_with(name, STR("peer")))
			buf_append_text(out, peer);
		else if (str_starts_with(name, STR("seq")))
			buf_append_u64(out, 1 + number % 10);
		else if (str_starts_with(name, STR("gid")))
			buf_printf(out, "seed%u", owner);
		else if (str_starts_with(name, STR("me")))
			buf_append_text(out, me);
		else
			buf_printf(out, "%s-%llu", run_name(), (unsigned long long)calls->total + (unsigned long long)number);
		while (at[1] >= 'a' && at[1] <= 'z')
			at++;
	}
}

static uint64_t due_us(const struct calls *calls, uint64_t number)
{
	return calls->start_us + (uint64_t)((double)number * 1e6 / calls->rate);
}

static void on_answer(struct http_peer *peer, int status, struct str body)
{
	struct calls *calls = peer->arg;

	latency_add(&calls->latency, now_us() - due_us(calls, peer->tag));
	calls->answered++;
	if (status / 100 != 2 && !calls->refused++)
		fprintf(stderr, "bench: first refusal of %s %s: %d %.*s\n", calls->it->method, calls->it->path, status,
		        STR_ARG(body));
}

static struct http_peer *idle_peer(struct calls *calls)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (!calls->peers[i].is_busy)
			return &calls->peers[i];
	return NULL;
}

static uint64_t tick(void *arg)
{
	struct calls *calls = arg;
	struct http_peer *peer = NULL;

	while (calls->next < calls->most && due_us(calls, calls->next) <= now_us() && (peer = idle_peer(calls))) {
		uint64_t number = calls->next++;
		struct str token = str_from(calls->users[1 + number % (calls->user_count - 2)].token);

		expand(&calls->path, calls->it->path, calls, number);
		expand(&calls->body, calls->it->body ? calls->it->body : "", calls, number);
		peer->tag = number;
		http_peer_call(peer, calls->it->method, buf_text(&calls->path), token, buf_str(&calls->body));
	}
	return calls->next < calls->most ? due_us(calls, calls->next) : UINT64_MAX;
}

static bool is_over(void *arg)
{
	struct calls *calls = arg;

	return calls->answered == calls->most;
}

static json_t *run_case(struct calls *calls, const struct call_case *it, double seconds)
{
	struct buf name = { 0 };

	calls->it = it;
	calls->next = calls->answered = calls->refused = 0;
	calls->most = (uint64_t)(calls->rate * seconds);
	calls->latency = (struct latency){ 0 };
	calls->start_us = now_us();
	loop_run(now_us() + (uint64_t)(seconds * 1e6) + PATIENCE_US, tick, is_over, calls);
	calls->total += calls->most;
	buf_printf(&name, "%s %s", it->method, it->path);
	printf("  %-58s p50 %7.2f   p99 %8.2f ms   %llu refused, %llu without an answer\n", buf_text(&name),
	       latency_ms(&calls->latency, 0.5), latency_ms(&calls->latency, 0.99), (unsigned long long)calls->refused,
	       (unsigned long long)(calls->most - calls->answered));
	json_t *result =
		json_pack("{s:s, s:f, s:f, s:I, s:I}", "call", buf_text(&name), "p50", latency_ms(&calls->latency, 0.5),
	                  "p99", latency_ms(&calls->latency, 0.99), "refused", (json_int_t)calls->refused, "unanswered",
	                  (json_int_t)(calls->most - calls->answered));
	buf_release(&name);
	return result;
}

json_t *scenario_calls(const struct options *options)
{
	double seconds = options->seconds > 0 ? options->seconds : 3;
	struct calls calls = { .user_count = options->users ? options->users : 1000,
		               .rate = options->rate > 0 ? options->rate : 500 };
	struct address addresses[PEERS];
	json_t *results = json_array();

	calls.users = users_make(calls.user_count, "calls");
	if (!str_starts_with(str_from(calls.users[0].uid), STR("seed")))
		fail("calls wants --seeded: its paths name conversations of tests/bench/seed");
	for (unsigned i = 0; i < PEERS; i++) {
		addresses[i] = im_address(i);
		calls.peers[i].answered = on_answer;
		calls.peers[i].arg = &calls;
		http_peer_open(&calls.peers[i], addresses[i].host, addresses[i].port);
	}
	printf("\ncalls: %.0f/s, %.0f s each\n", calls.rate, seconds);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		json_array_append_new(results, run_case(&calls, &cases[i], seconds));
	for (unsigned i = 0; i < PEERS; i++)
		http_peer_close(&calls.peers[i]);
	users_free(calls.users, calls.user_count);
	buf_release(&calls.path);
	buf_release(&calls.body);
	return json_pack("{s:f, s:o}", "rate", calls.rate, "calls", results);
}
