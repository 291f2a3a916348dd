#ifndef SKEIN_GATEWAY_SESSION_OPENING_H
#define SKEIN_GATEWAY_SESSION_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/buf.h"

/*
 * State of a connection that is not LIVE yet: the position that the client named,
 * epoch and head of its inbox, and the frames that came before hello. Freed when
 * the connection is LIVE. Pure. Thread: the connection's worker.
 */

/* Most that a client may send before hello. */
#define OPENING_EARLY_BYTES_MAX (32 * 1024)
#define OPENING_EARLY_FRAMES_MAX 32

struct opening {
	uint64_t deadline_ms; /* counted from when im was asked */
	bool is_answered; /* im has answered `admission` before the upgrade */
	err_t admission;
	uint64_t stood_ms; /* the worker's, at the beginning */
	uint64_t epoch, head; /* of the inbox, once the route is bound */
	bool knows_head; /* epoch and head were read before: SABOTAGE_SYNC_FIRST */
	bool has_position; /* the client named a position */
	uint64_t client_epoch, client_offset; /* client_epoch 0: not an epoch of any inbox */
	struct buf early; /* frames before hello, each after its length */
	unsigned early_count;
};

struct opening *opening_new(bool has_position, uint64_t client_epoch, uint64_t client_offset);
void opening_free(struct opening *opening);

/* False: the client sends too much before hello. */
bool opening_keep_frame(struct opening *opening, struct str frame);

/* Moves the next kept frame out of `rest`, which begins as all of `early`; false at the end. */
bool opening_next_frame(struct str *rest, struct str *frame);

/* The client named a position that this inbox does not have. */
bool opening_is_lost(const struct opening *opening);

/* The number up to which the client has all messages, or reads them over HTTP. */
uint64_t opening_first_position(const struct opening *opening);

#endif
