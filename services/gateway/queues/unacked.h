#ifndef SKEIN_GATEWAY_QUEUES_UNACKED_H
#define SKEIN_GATEWAY_QUEUES_UNACKED_H

#include <stdint.h>

#include "gateway/wire/message_name.h"

/*
 * Which one-to-one messages of others a connection was sent and has not
 * acknowledged: their names, by number. An ack takes those that it covers, and
 * their senders are told.
 *
 * It is apart from the ack window: a `resync` or `sync_more` empties the window,
 * but a client that acks a later number has processed the earlier messages too.
 *
 * Holds at most UNACKED_MAX names; the oldest gives way, and a later message of
 * its conversation stands for it. Pure. 8 bytes, and a ring of 16-byte entries
 * while something is in it. Thread: the connection's worker.
 */

#define UNACKED_MAX 512

struct unacked_ring;

struct unacked {
	struct unacked_ring *ring; /* NULL while empty */
};

/*
 * A message was sent under this number of the inbox's epoch. Takes the reference. Numbers of one epoch rise; another epoch
 * empties it first.
 */
void unacked_add(struct unacked *unacked, uint64_t epoch, uint64_t offset, struct message_name *name);

/*
 * The oldest one with a number up to `offset`, which is the caller's then; NULL: none is left. Under another epoch than its
 * own it is emptied.
 */
struct message_name *unacked_take(struct unacked *unacked, uint64_t epoch, uint64_t offset);

void unacked_clear(struct unacked *unacked);

#endif
