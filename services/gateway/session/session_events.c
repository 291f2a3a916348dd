#include "gateway/session/session_events.h"

#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/wire/event_frame.h"

void session_deliver_event(struct session *session, struct worker_frame *frame)
{
	struct session_home *home = session->home;
	const struct out_entry entry = {
		.ref = worker_frame_ref(frame),
		.bytes = (uint32_t)event_frame_max(frame->shared, session->subprotocol),
		.kind = OUT_EVENT,
	};

	err_t err = session_queue_if_room(session, &entry, &home->event_limits);
	if (err)
		counter_add(home->metrics->events_dropped[err == ERR_FULL ? EVENT_DROPPED_QUEUE : EVENT_DROPPED_NOT_LIVE], 1);
	else
		counter_add(home->metrics->events, 1);
}
