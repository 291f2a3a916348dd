#ifndef SKEIN_GATEWAY_SESSION_SESSION_EVENTS_H
#define SKEIN_GATEWAY_SESSION_SESSION_EVENTS_H

#include "gateway/wire/shared_frame.h"

/*
 * Events: frames without a number. They are appended to the connection's queue and
 * bypass sequencer and ack window. Events may be lost: before hello, and while the
 * queue exceeds the home's event_limits, an event is dropped and counted. Thread:
 * the session's worker.
 */

struct session;

/* `frame`: event_frame_new(). The reference stays the caller's. */
void session_deliver_event(struct session *session, struct worker_frame *frame);

#endif
