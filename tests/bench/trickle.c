#include "tests/bench/trickle.h"

#include <stdio.h>

#include "base/mem.h"
#include "tests/bench/http_peer.h"

#define SENDERS 10
#define PEERS 32
#define MOST_SECONDS 600
#define RETRY_US 50000

static uint64_t due_us(const struct trickle *trickle, uint64_t number)
{
	return trickle->start_us + (uint64_t)((double)number * 1e6 / trickle->rate);
}

/* ---- what comes ---- */

static void on_message(void *arg, unsigned user, struct str frame)
{
	struct trickle *trickle = arg;
	const char *at = memmem(frame.ptr, frame.len, "\"text\":\"@", 9);
	uint64_t number;
	(void)user;

	if (!at)
		return;
	struct str rest = str_of(at + 9, frame.len - (size_t)(at + 9 - frame.ptr));
	if (!str_to_u64(str_cut(&rest, ' '), &number) || number >= trickle->next)
		return;
	if (trickle->came[number]++) {
		trickle->repeats++; /* at another offset: the message is in the inbox twice */
		return;
	}
	trickle->delivered++;
	if (trickle->delivery)
		latency_add(trickle->delivery, now_us() - due_us(trickle, number));
}

/* ---- what goes ---- */

static void post(struct trickle *trickle, struct http_peer *peer, uint64_t number)
{
	const struct movers *movers = trickle->movers;

	buf_clear(&trickle->body);
	buf_printf(&trickle->body,
	           "{\"client_msg_id\":\"%s-%llu\",\"to\":{\"user\":\"%s\"},\"type\":\"text\",\"body\":{\"text\":\"@%llu the quick "
	           "brown fox jumps over the lazy dog, then it does so again, and again\"}}",
	           run_name(), (unsigned long long)number, movers->users[number % movers->count].uid,
	           (unsigned long long)number);
	peer->tag = number;
	http_peer_post(peer, "/v1/messages", str_from(trickle->senders[number % SENDERS].token), buf_str(&trickle->body));
}

static void on_answer(struct http_peer *peer, int status, struct str body)
{
	struct trickle *trickle = peer->arg;

	if (status == 200) {
		if (!trickle->is_stored[peer->tag])
			latency_add(&trickle->answers, now_us() - due_us(trickle, peer->tag));
		trickle->stored += !trickle->is_stored[peer->tag];
		trickle->is_stored[peer->tag] = true;
	} else if (status == 0 || status == 503 || status == 429) {
		trickle->retries++;
		trickle->again[trickle->again_count++] = peer->tag;
	} else if (!trickle->visible_errors++) {
		fprintf(stderr, "bench: first error that a user would see: %d %.*s\n", status, STR_ARG(body));
	}
}

/* A free connection, or NULL. If its im is gone, it is opened to the next im. */
static struct http_peer *free_peer(struct trickle *trickle)
{
	static struct address addresses[PEERS];
	static unsigned turn;

	for (unsigned i = 0; i < PEERS; i++) {
		unsigned at = turn++ % PEERS;
		struct http_peer *peer = &trickle->peers[at];

		if (peer->is_busy)
			continue;
		if (peer->answered && http_peer_is_open(peer))
			return peer;
		addresses[at] = im_address(turn);
		peer->survives = true;
		peer->answered = on_answer;
		peer->arg = trickle;
		http_peer_open(peer, addresses[at].host, addresses[at].port);
		if (http_peer_is_open(peer))
			return peer;
	}
	return NULL;
}

void trickle_begin(struct trickle *trickle, double rate, struct movers *movers)
{
	*trickle = (struct trickle){ .movers = movers, .rate = rate, .capacity = (uint64_t)(rate * MOST_SECONDS) };
	trickle->senders = users_make(SENDERS, "sender");
	users_introduce(trickle->senders, SENDERS, NULL, NULL);
	trickle->peers = mem_zalloc(PEERS * sizeof(*trickle->peers));
	trickle->again = mem_alloc(trickle->capacity * sizeof(*trickle->again));
	trickle->came = mem_zalloc(trickle->capacity);
	trickle->is_stored = mem_zalloc(trickle->capacity * sizeof(bool));
	movers->message = on_message;
	movers->arg = trickle;
	trickle->start_us = now_us();
}

uint64_t trickle_tick(struct trickle *trickle)
{
	struct http_peer *peer = NULL;

	while (trickle->again_count && (peer = free_peer(trickle)))
		post(trickle, peer, trickle->again[--trickle->again_count]);
	while (!trickle->is_over && trickle->next < trickle->capacity && due_us(trickle, trickle->next) <= now_us()) {
		peer = free_peer(trickle);
		if (!peer)
			break;
		post(trickle, peer, trickle->next++);
	}
	uint64_t due = trickle->is_over ? UINT64_MAX : due_us(trickle, trickle->next);
	return trickle->again_count || due <= now_us() ? now_us() + RETRY_US : due;
}

void trickle_end(struct trickle *trickle)
{
	trickle->is_over = true;
}

bool trickle_is_complete(const struct trickle *trickle)
{
	return trickle->is_over && trickle->stored + trickle->visible_errors >= trickle->next &&
	       trickle->delivered >= trickle->stored;
}

json_t *trickle_report(const struct trickle *trickle)
{
	long long lost = (long long)trickle->stored - (long long)trickle->delivered;

	printf("  messages   %10llu stored, %lld lost, %llu twice in an inbox, %llu tried again, %llu errors for users\n",
	       (unsigned long long)trickle->stored, lost, (unsigned long long)trickle->repeats,
	       (unsigned long long)trickle->retries, (unsigned long long)trickle->visible_errors);
	json_t *answers = report_latency("due -> answered", &trickle->answers);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "stored", (json_int_t)trickle->stored, "lost", (json_int_t)lost,
	                 "repeats", (json_int_t)trickle->repeats, "retries", (json_int_t)trickle->retries, "visible_errors",
	                 (json_int_t)trickle->visible_errors, "answers", answers);
}

void trickle_release(struct trickle *trickle)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (trickle->peers[i].answered)
			http_peer_close(&trickle->peers[i]);
	users_free(trickle->senders, SENDERS);
	mem_free(trickle->peers);
	mem_free(trickle->again);
	mem_free(trickle->came);
	mem_free(trickle->is_stored);
	buf_release(&trickle->body);
}
