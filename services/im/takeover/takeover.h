#ifndef SKEIN_IM_TAKEOVER_TAKEOVER_H
#define SKEIN_IM_TAKEOVER_TAKEOVER_H

#include "im/takeover/id_walk.h"
#include "im/lease/lease_keeper.h"
#include "im/entries/publisher.h"

/*
 * Looks after the node numbers of those who died, left in haste or stood still
 * for too long. About once a second every im looks for a lease that is over
 * (fn.im_lease_take_over()): who finds one is its caretaker,
 * under a lease of the same length, so that a caretaker who dies is replaced in
 * the same way. It publishes the messages above the watermark in the order of
 * their ids, page by page, the next when Kafka has all of one; moves the
 * watermark on as it goes; and gives the number back. What the former owner or
 * caretaker publishes as well is there twice, which push sorts out.
 *
 * One number at a time. It holds one page. Thread: the worker's.
 */

enum takeover_state {
	TAKEOVER_LOOKING, /* nobody to look after; may have asked */
	TAKEOVER_READING,
	TAKEOVER_PUBLISHING,
	TAKEOVER_RESTING, /* goes on at the next tick: a page failed, or a renewal is not answered */
	TAKEOVER_GIVING_BACK,
};

struct takeover {
	struct worker *worker;
	struct pg *pg;
	struct lease_keeper *keeper;
	struct publisher *publisher;
	const char *name;
	enum takeover_state state;
	bool is_stopped;
	uint64_t held_since_ms; /* our own lease; 0: it was not, when last looked at */
	struct lease ward; /* the lease that is looked after, if it has a number */
	struct id_walk walk;
	unsigned untold; /* records of the page that Kafka has not acknowledged */
	bool has_failed; /* one of them has to be tried again */
	bool page_is_whole;
	uint64_t page_highest;
	uint64_t asked_watermark; /* what the renewal under way stores */
	uint64_t started_ms, messages; /* for the log */
	struct timer timer;
	struct counter *takeovers, *republished;
};

/* `name` is this process's; it outlives the takeover. */
void takeover_start(struct takeover *takeover, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                    struct publisher *publisher, const char *name);

/* Leaves what it is at to the next one, at once. The memory may go when PostgreSQL's pool and the producer are closed. */
void takeover_stop(struct takeover *takeover);

#endif
