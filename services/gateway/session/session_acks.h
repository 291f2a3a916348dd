#ifndef SKEIN_GATEWAY_SESSION_SESSION_ACKS_H
#define SKEIN_GATEWAY_SESSION_SESSION_ACKS_H

#include <stdint.h>

/*
 * A client's acks: an ack frees the ack window, and the senders of the messages are
 * told. A client that does not ack is pinged, then sent all messages in flight
 * again, then closed (ack_window.h). Thread: the session's worker.
 */

struct session;

/* The client has processed everything up to `offset`, which is in the inbox. */
void session_acked(struct session *session, uint64_t offset);

/* Takes the next step against a client that does not ack, if it is due. */
void session_watch_acks(struct session *session, uint64_t now_ms);

/* A read has ended: if messages in flight are owed a second time, the read for that begins now. */
void session_resend_if_owed(struct session *session);

#endif
