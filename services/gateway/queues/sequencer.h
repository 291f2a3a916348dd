#ifndef SKEIN_GATEWAY_QUEUES_SEQUENCER_H
#define SKEIN_GATEWAY_QUEUES_SEQUENCER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Puts the numbered records of one inbox in order for one connection (design
 * section 2). Several push processes, retries and takeovers may bring a record
 * late, twice or before an earlier one. Records leave here in order, without a
 * hole and without a duplicate. Where that is not possible, RESYNC tells the client
 * to read the inbox itself.
 *
 *   before the inbox is known    held, in the order in which it comes
 *   the number owed              sent
 *   a lower number               dropped: the client has it
 *   a higher number              held, until the numbers before it have come
 *   a record over the limits     forgotten: it is in the inbox, and makes a hole here
 *   a hole that stays            NEED_FILL: the driver reads it, or gives it up with sequencer_skip()
 *   another epoch                RESYNC with that epoch; numbers go on from there
 *   any record while paused      forgotten, like all held records; resuming finds the hole
 *
 * Pure: no clock, no I/O. The caller is the driver: it reports each event, then
 * calls sequencer_take() and does what that says until it says NOTHING. To fill a
 * hole it feeds the records that it read from the inbox. A record is a reference to
 * an item of the driver's. 64 bytes while nothing is held.
 */

struct sequencer_rules {
	unsigned max_held;
	uint32_t max_held_bytes;
	uint32_t max_hole_ms; /* how long a hole may stay before NEED_FILL */
	void (*let_go)(void *item); /* gives back a held item that will not be sent */
};

struct sequencer_record {
	uint64_t epoch; /* of the inbox; never 0 */
	uint64_t offset; /* 1 .. SEQUENCER_MAX_OFFSET */
	void *item;
	uint32_t bytes; /* counted while it is held */
	uint8_t tag; /* the driver's */
	bool waits; /* this record and later ones stay until sequencer_let_pass() */
};

#define SEQUENCER_MAX_OFFSET (UINT64_MAX >> 1)

enum sequencer_action {
	SEQUENCER_NOTHING,
	SEQUENCER_SEND,
	SEQUENCER_DROP,
	SEQUENCER_HOLD,
	SEQUENCER_FORGET,
	SEQUENCER_RESYNC,
	SEQUENCER_NEED_FILL,
};

struct sequencer_effect {
	struct sequencer_record record; /* SEND: the item's reference is the driver's again */
	uint64_t epoch; /* RESYNC */
	uint64_t from, to; /* NEED_FILL: the numbers that are missing */
};

struct sequencer_hold;

struct sequencer {
	const struct sequencer_rules *rules;
	struct sequencer_hold *hold; /* NULL while nothing is held */
	uint64_t epoch; /* 0 until it starts */
	uint64_t old_epoch; /* late records of it are dropped */
	uint64_t next; /* the number owed */
	uint64_t reach; /* the highest number known to be in the inbox */
	uint64_t old_reach; /* the same, the highest of all epochs before */
	/* 64 bytes in all: there is one for each connection. */
	uint64_t hole_deadline_ms : 61; /* 0: there is no hole, or it is being filled */
	bool owes_resync : 1;
	bool is_filling : 1; /* between NEED_FILL and sequencer_fill_ended() or sequencer_skip() */
	bool is_paused : 1;
};

void sequencer_init(struct sequencer *sequencer, const struct sequencer_rules *rules);

/* Gives all held items back. */
void sequencer_release(struct sequencer *sequencer);

/* The inbox is known and `next` is owed: early records are put in order. Called once. */
void sequencer_start(struct sequencer *sequencer, uint64_t epoch, uint64_t next, uint64_t now_ms);

/* The fast path of sequencer_record(). True: this record is owed, counts as sent, and nothing else is to be done. */
static inline bool sequencer_pass(struct sequencer *sequencer, uint64_t epoch, uint64_t offset)
{
	if (epoch != sequencer->epoch || offset != sequencer->next || sequencer->reach >= offset || sequencer->hold ||
	    sequencer->owes_resync || sequencer->is_paused)
		return false;
	sequencer->reach = offset;
	sequencer->next = offset + 1;
	return true;
}

/*
 * A record came. SEND: it is the one owed, and counts as sent. DROP: the client has it or reads it after a resync. HOLD: the
 * item is kept; the driver adds a reference. FORGET: it is read when its turn comes. Then sequencer_take().
 */
enum sequencer_action sequencer_record(struct sequencer *sequencer, const struct sequencer_record *record, uint64_t now_ms);

/* The inbox reaches up to `head` under this epoch, even if its records do not come. Then sequencer_take(). */
void sequencer_learn(struct sequencer *sequencer, uint64_t epoch, uint64_t head, uint64_t now_ms);

/* The driver reads the missing numbers without having been told NEED_FILL. */
void sequencer_begin_fill(struct sequencer *sequencer);

/* A read has ended and its records were fed: a number that is still missing is a hole at once. Then sequencer_take(). */
void sequencer_fill_ended(struct sequencer *sequencer, uint64_t now_ms);

/* Gives up the hole and all held records: RESYNC is owed, and numbers go on after the highest known. Then sequencer_take(). */
void sequencer_skip(struct sequencer *sequencer);

/* The client was told to read the numbers before `next` itself. Then sequencer_take(). */
void sequencer_jump(struct sequencer *sequencer, uint64_t next, uint64_t now_ms);

/* Nothing is sent and nothing is held from now on. */
void sequencer_pause(struct sequencer *sequencer);

/* The forgotten numbers are a hole at once. Then sequencer_take(). */
void sequencer_resume(struct sequencer *sequencer, uint64_t now_ms);

/* The record that waits at `offset` may go. Then sequencer_take(). */
void sequencer_let_pass(struct sequencer *sequencer, uint64_t offset);

/* What to do next: SEND, RESYNC, NEED_FILL, or NOTHING for now. */
enum sequencer_action sequencer_take(struct sequencer *sequencer, uint64_t now_ms, struct sequencer_effect *effect);

/* When sequencer_take() must be called again; 0: not before the next event. */
static inline uint64_t sequencer_deadline(const struct sequencer *sequencer)
{
	return sequencer->hole_deadline_ms;
}

/* The highest number that the client may know: it was sent, or skipped by a resync. */
static inline uint64_t sequencer_given_out(const struct sequencer *sequencer)
{
	return sequencer->epoch ? sequencer->next - 1 : 0;
}

/* The highest number that is known to be in the inbox: the client may have read it there. */
static inline uint64_t sequencer_reach(const struct sequencer *sequencer)
{
	return sequencer->epoch ? sequencer->reach : 0;
}

/*
 * The highest number of the epochs before. The client may ack it at any time later: it may have frames from before the `resync`
 * that it has not looked at, even after it has answered a ping, because a library answers pings by itself.
 */
static inline uint64_t sequencer_old_reach(const struct sequencer *sequencer)
{
	return sequencer->old_reach;
}

#endif
