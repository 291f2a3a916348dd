#ifndef SKEIN_GATEWAY_QUEUES_PULLED_H
#define SKEIN_GATEWAY_QUEUES_PULLED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The numbers of an inbox that are left to a client to read over GET /v1/sync: those before its connection, after `sync_more`
 * and after `resync`. The gateway does not know what they are, so when the client acks them, by a frame or by the position that
 * it connects with, im looks them up and tells the senders.
 *
 * One range of one epoch, which is that of the latest call. What is added later is merged with what is left, and the
 * numbers between count too: a receipt for a message that was acked before does no harm. Pure. 24 bytes. Thread: the
 * connection's worker.
 */
struct pulled {
	uint64_t epoch;
	uint64_t after, up_to; /* the numbers after + 1 to up_to; none if they are equal */
};

/* The client is to read these numbers itself; there may be none. Another epoch than before replaces what was left. */
void pulled_add(struct pulled *pulled, uint64_t epoch, uint64_t after, uint64_t up_to);

/* Takes the part up to `offset`, which was acked. False: there is none. Another epoch empties it. */
bool pulled_take(struct pulled *pulled, uint64_t epoch, uint64_t offset, struct pulled *part);

#endif
