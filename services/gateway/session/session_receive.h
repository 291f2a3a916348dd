#ifndef SKEIN_GATEWAY_SESSION_SESSION_RECEIVE_H
#define SKEIN_GATEWAY_SESSION_SESSION_RECEIVE_H

#include "base/text/str.h"

/*
 * Reads and executes the frames of a client. The caller has checked that they are
 * text or binary as the subprotocol needs, and the rate limit. Frames before hello are kept. Thread: the session's worker.
 */

struct opening;
struct session;

void session_receive(struct session *session, struct str message);

/* The session is LIVE: executes the frames that were kept. */
void session_receive_early(struct session *session, const struct opening *opening);

#endif
