#ifndef SKEIN_GATEWAY_SESSION_SESSION_EVENTS_H
#define SKEIN_GATEWAY_SESSION_SESSION_EVENTS_H

#include "gateway/wire/shared_frame.h"

/*
 * Events: frames without a number. They join the end of the connection's queue
 * and touch neither the sequencer nor the ack window. An event is worth less than
 * a message: it is dropped, and counted, before hello and when the queue holds
 * more than the home's event_limits. Thread: the session's worker.
 */

struct session;

/* `frame`: event_frame_new(). The reference stays the caller's. */
void session_deliver_event(struct session *session, struct worker_frame *frame);

#endif
