#ifndef SKEIN_GATEWAY_SESSION_SESSION_ACKS_H
#define SKEIN_GATEWAY_SESSION_SESSION_ACKS_H

#include <stdint.h>

/*
 * What a client's acks do, and what their absence does: the window gets room,
 * senders are told that their messages arrived, and a client that does not ack
 * is pinged, sent everything again, and closed (ack_window.h). Thread: the
 * session's worker.
 */

struct session;

/* The client has processed everything up to `offset`, which is in the inbox. */
void session_acked(struct session *session, uint64_t offset);

/* The next step against a client that does not ack, if it is due. */
void session_watch_acks(struct session *session, uint64_t now_ms);

/* A read has ended: begins to send again what is in flight, if that had to wait for the read. */
void session_resend_if_owed(struct session *session);

#endif
