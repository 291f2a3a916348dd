#include "gateway/wire/shared_frame.h"

#include <string.h>

#include "base/mem.h"
#include "gateway/wire/message_name.h"

struct shared_frame *shared_frame_new(struct str bytes, const struct shared_frame_ends *ends)
{
	struct shared_frame *frame = mem_alloc(sizeof(*frame) + bytes.len);
	size_t start = 0;

	atomic_init(&frame->refs, 1);
	frame->name = NULL;
	memcpy(frame->bytes, bytes.ptr, bytes.len);
	for (int viewer = 0; viewer < VIEWER_COUNT; viewer++)
		for (int subprotocol = 0; subprotocol < SUBPROTOCOL_COUNT; subprotocol++) {
			size_t end = ends->tails[viewer][subprotocol];

			frame->tails[viewer][subprotocol] = str_of(frame->bytes + start, end - start);
			start = end;
		}
	frame->client_msg_id = str_of(frame->bytes + start, ends->client_msg_id - start);
	return frame;
}

struct shared_frame *shared_frame_ref(struct shared_frame *frame)
{
	atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
	return frame;
}

void shared_frame_unref(struct shared_frame *frame)
{
	if (atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (frame->name)
		message_name_unref(frame->name);
	mem_free(frame);
}

struct worker_frame *worker_frame_new(struct shared_frame *shared)
{
	struct worker_frame *frame = mem_alloc(sizeof(*frame));

	frame->shared = shared_frame_ref(shared);
	frame->refs = 1;
	return frame;
}

void worker_frame_free(struct worker_frame *frame)
{
	shared_frame_unref(frame->shared);
	mem_free(frame);
}
