#ifndef SKEIN_GATEWAY_SESSION_SESSION_RECEIVE_H
#define SKEIN_GATEWAY_SESSION_SESSION_RECEIVE_H

#include "base/text/str.h"

/*
 * Frames from the client, of the right kind and within the limits: read, and
 * obeyed. Before hello they are kept. Thread: the session's worker.
 */

struct opening;
struct session;

void session_receive(struct session *session, struct str message);

/* Takes up what was kept, once the session is LIVE. */
void session_receive_early(struct session *session, const struct opening *opening);

#endif
