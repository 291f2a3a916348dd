#ifndef SKEIN_GATEWAY_WIRE_SHARED_FRAME_H
#define SKEIN_GATEWAY_WIRE_SHARED_FRAME_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/text/str.h"
#include "gateway/wire/server_frame.h"

/*
 * A frame that many connections get, encoded once for each subprotocol: a
 * message (message_frame.h) or an event (event_frame.h).
 *
 * One thread makes it, all workers read it. Its reference count is atomic. To avoid
 * an atomic operation for each connection, a worker holds one reference in a
 * worker_frame, which has a count of its own.
 */

/* Largest server frame: contract section 1. */
#define SHARED_FRAME_MAX (256 * 1024)

/* The viewers of a message: only connections of its sender get the client_msg_id. */
enum viewer { VIEWER_OTHER, VIEWER_SENDER, VIEWER_COUNT };

struct message_name; /* message_name.h */

struct shared_frame {
	atomic_uint refs;
	struct str tails[VIEWER_COUNT][SUBPROTOCOL_COUNT]; /* into `bytes`; the part after the head */
	struct str client_msg_id; /* into `bytes` */
	struct message_name *name; /* of a one-to-one message; NULL: its ack is not told */
	char bytes[];
};

/* The end of each tail in the bytes of the frame. A tail may be empty. */
struct shared_frame_ends {
	size_t tails[VIEWER_COUNT][SUBPROTOCOL_COUNT]; /* one after the other, in this order */
	size_t client_msg_id;
};

/* Copies `bytes`. One reference. */
struct shared_frame *shared_frame_new(struct str bytes, const struct shared_frame_ends *ends);

struct shared_frame *shared_frame_ref(struct shared_frame *frame);
void shared_frame_unref(struct shared_frame *frame);

/* One worker's references to a frame. Thread: the worker's. */
struct worker_frame {
	struct shared_frame *shared;
	unsigned refs;
};

/* Takes a reference to `shared`; the caller has one to the result. */
struct worker_frame *worker_frame_new(struct shared_frame *shared);

static inline struct worker_frame *worker_frame_ref(struct worker_frame *frame)
{
	frame->refs++;
	return frame;
}

void worker_frame_free(struct worker_frame *frame);

static inline void worker_frame_unref(struct worker_frame *frame)
{
	if (--frame->refs == 0)
		worker_frame_free(frame);
}

#endif
