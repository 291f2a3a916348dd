#ifndef SKEIN_IM_TAKEOVER_TAKEOVER_H
#define SKEIN_IM_TAKEOVER_TAKEOVER_H

#include "im/takeover/id_walk.h"
#include "im/lease/lease_keeper.h"
#include "im/entries/publisher.h"

/*
 * Takes over the node numbers of processes that died, left without publishing
 * everything, or were frozen for too long. About once a second every im looks for a lease that is over
 * (fn.im_lease_take_over()). The im that finds one becomes the number's caretaker,
 * under a lease of the same length, so a caretaker that dies is replaced in the
 * same way.
 *
 * The caretaker publishes the entries above the watermark in the order of their
 * ids, page by page, each page when Kafka has the one before. The records are those
 * that the former owner would have made, with the membership as of each entry. The
 * caretaker moves the watermark on as it goes, and gives the number back. An entry
 * that the former owner or caretaker publishes as well is in Kafka twice; push
 * ignores the second one.
 *
 * One number at a time, one page in memory. Thread: the worker's.
 */

enum takeover_state {
	TAKEOVER_LOOKING, /* for a lease that is over; the statement may be under way */
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
	uint64_t held_since_ms; /* since when this im has its own lease; 0: it had none at the last tick */
	struct lease ward; /* the lease that was taken over, if it has a number */
	struct id_walk walk;
	unsigned untold; /* records of the page that Kafka has not acknowledged */
	bool has_failed; /* one of them has to be tried again */
	bool page_is_whole;
	uint64_t page_highest;
	uint64_t asked_watermark; /* the watermark that the renewal under way stores */
	uint64_t started_ms, messages; /* for the log */
	struct timer timer;
	struct counter *takeovers, *republished;
};

/* `name` is this process's; it outlives the takeover. */
void takeover_start(struct takeover *takeover, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                    struct publisher *publisher, const char *name);

/* Leaves the number to the next caretaker at once. The memory may go when PostgreSQL's pool and the producer are closed. */
void takeover_stop(struct takeover *takeover);

#endif
