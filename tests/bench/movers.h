#ifndef SKEIN_BENCH_MOVERS_H
#define SKEIN_BENCH_MOVERS_H

#include "tests/bench/bench.h"

/*
* Users that come back as docs/build/client.md says. Told to move, they open a connection to the named gateway at the named
 * time, and keep the old one until the new one has its hello. After a close or a lost connection they wait a random time and
 * try the gateways, their last one first. They go on from their position. Messages that come a second time are counted and
 * dropped.
 */

enum mover_state { MOVER_UP, MOVER_MOVING /* UP, and another one is opened */, MOVER_AWAY, MOVER_OPENING };

struct mover {
	struct ws_peer peers[2]; /* the one that is up or opened, and the one beside it */
	unsigned at; /* index of the present one in peers */
	enum mover_state state;
	uint64_t due_us; /* when to leave (UP) or to try (AWAY); 0: not at all */
	uint64_t left_us; /* without a connection since then */
	unsigned tries;
	unsigned gateway; /* the gateway where it is, was, or tries to connect */
	unsigned asked; /* gateways, in this try */
	bool has_target; /* a gateway that it was told */
	struct address target;
	char epoch[16];
	char offset[21];
};

struct movers {
	struct user *users;
	struct mover *all;
	unsigned count, up;
	uint64_t next_due_us;
	void (*message)(void *arg, unsigned user, struct str frame); /* each first copy */
	void *arg;
	/* figures */
	struct latency gap; /* time without a connection */
	uint64_t lost_us; /* when the first one was lost */
	struct latency back; /* from then until each was back */
	unsigned told, told_where, told_nowhere, closed, cut, refused; /* connections */
	unsigned repeats; /* messages that came twice on the wire */
	unsigned resyncs;
};

/* Connects all movers to this gateway and waits for their hellos. */
void movers_connect(struct movers *movers, unsigned gateway);

/* For loop_run(): does what is due, and returns when something is due next. */
uint64_t movers_tick(struct movers *movers);

void movers_release(struct movers *movers);

/* Prints and returns their figures. */
json_t *movers_report(const struct movers *movers);

#endif
