#ifndef SKEIN_GATEWAY_SESSION_SESSION_RECEIPTS_H
#define SKEIN_GATEWAY_SESSION_SESSION_RECEIPTS_H

#include <stdint.h>

/*
 * The senders of one-to-one messages are told when the client has acked them: of what it was sent here (unacked.h), and of
 * what it has read over HTTP (pulled.h). Thread: the session's worker.
 */

struct session;

/* The client is to read the numbers after `after` up to `up_to` of its inbox over HTTP; there may be none. */
void session_leave_to_client(struct session *session, uint64_t after, uint64_t up_to);

/* The client has processed everything up to `offset`, which is in the inbox. */
void session_tell_senders(struct session *session, uint64_t offset);

#endif
