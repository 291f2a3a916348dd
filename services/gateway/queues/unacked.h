#ifndef SKEIN_GATEWAY_QUEUES_UNACKED_H
#define SKEIN_GATEWAY_QUEUES_UNACKED_H

#include <stdint.h>

#include "gateway/wire/message_name.h"

/*
 * The names of the one-to-one messages from other users that a connection was sent
 * and has not acknowledged, by number. An ack takes the names that it covers, and
 * the senders are told.
 *
 * It is not part of the ack window: a `resync` or `sync_more` empties the window,
 * but a client that acks a later number has processed the earlier messages too.
 *
 * Holds at most UNACKED_MAX names; beyond that the oldest is dropped. The receipt
 * of a later message of its conversation covers it. Pure. 8 bytes, and a ring of
 * 16-byte entries while it is not empty. Thread: the connection's worker.
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
 * Takes the oldest name with a number up to `offset` out; the reference is the caller's. NULL: there is none. Another epoch
 * empties it.
 */
struct message_name *unacked_take(struct unacked *unacked, uint64_t epoch, uint64_t offset);

void unacked_clear(struct unacked *unacked);

#endif
