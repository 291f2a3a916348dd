#ifndef SKEIN_BENCH_TRICKLE_H
#define SKEIN_BENCH_TRICKLE_H

#include "tests/bench/movers.h"

/*
* Messages at a steady rate to some movers in turn. The senders behave as clients should: a message that was not stored is
 * sent again with the same client_msg_id, at another im if the first one is away. It records which messages came.
 */
struct trickle {
	struct movers *movers;
	double rate;
	struct latency *delivery; /* where latencies are counted now; NULL: nowhere */
	struct latency answers; /* from the time when a message was due until it was answered 200 */
	/* private */
	struct user *senders;
	struct http_peer *peers;
	uint64_t start_us, next, capacity;
	uint64_t *again; /* numbers to be sent again */
	unsigned again_count;
	unsigned char *came; /* by number */
	bool *is_stored;
	bool is_over;
	struct buf body;
	/* figures */
	uint64_t stored, delivered, retries, visible_errors, repeats;
};

void trickle_begin(struct trickle *trickle, double rate, struct movers *movers);
uint64_t trickle_tick(struct trickle *trickle);

/* Sends no new messages from now on. */
void trickle_end(struct trickle *trickle);

/* True when every message has its answer and every stored message came. */
bool trickle_is_complete(const struct trickle *trickle);

json_t *trickle_report(const struct trickle *trickle);
void trickle_release(struct trickle *trickle);

#endif
