#ifndef SKEIN_GATEWAY_SESSION_OPENING_H
#define SKEIN_GATEWAY_SESSION_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"

/*
 * What a connection needs until it is LIVE: where the client says it is, where
 * its inbox is, and the frames that came before hello. Freed when it goes live.
 * Pure. Thread: the connection's worker.
 */

/* What a client may send before hello. It has no reason to send much. */
#define OPENING_EARLY_BYTES_MAX (32 * 1024)
#define OPENING_EARLY_FRAMES_MAX 32

struct opening {
	uint64_t deadline_ms;
	uint64_t epoch, head; /* of the inbox, once the route is bound */
	bool knows_head; /* before it is: SABOTAGE_SYNC_FIRST */
	bool has_position; /* the client said where it is */
	uint64_t client_epoch, client_offset; /* client_epoch 0: not one of ours */
	struct buf early; /* frames, each after its length */
	unsigned early_count;
};

struct opening *opening_new(bool has_position, uint64_t client_epoch, uint64_t client_offset);
void opening_free(struct opening *opening);

/* False: the client sends too much before hello. */
bool opening_keep_frame(struct opening *opening, struct str frame);

/* Moves the next kept frame out of `rest`, which begins as all of `early`; false at the end. */
bool opening_next_frame(struct str *rest, struct str *frame);

/* The client named a position that is nowhere in this inbox. */
bool opening_is_lost(const struct opening *opening);

/* The number up to which the client has everything, or reads it itself. */
uint64_t opening_first_position(const struct opening *opening);

#endif
