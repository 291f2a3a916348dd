#ifndef SKEIN_BENCH_TRAFFIC_H
#define SKEIN_BENCH_TRAFFIC_H

#include "tests/bench/bench.h"
#include "tests/bench/stages.h"

/*
 * Messages at a steady rate over HTTP, received over WebSocket. Message i is
 * due at start + i / rate, whatever the servers do; its latency counts from
 * then.
 */
struct traffic {
	struct user *users;
	unsigned user_count;
	unsigned http_connections;
	double rate, seconds;
	/* Who sends message i, and to whom; `group` (a group id) or the uid of a user. */
	unsigned (*sender)(const struct traffic *traffic, uint64_t i);
	unsigned (*recipient)(const struct traffic *traffic, uint64_t i); /* NULL: the group */
	unsigned partners; /* to how many others each user writes, in turn */
	const char *group;
	unsigned stalled; /* the last users: connected, and never read */

	/* results */
	struct latency delivery, answer;
	uint64_t sent, accepted, refused, delivered, expected;
	double took_s; /* from the first due time to the last answer or delivery */
	struct usage before, after;
	struct stages stages_before, stages_after;
};

/* Connects, sends, and waits up to 10 s for missing messages. */
void traffic_run(struct traffic *traffic);
json_t *traffic_report(const struct traffic *traffic, const char *title);

#endif
