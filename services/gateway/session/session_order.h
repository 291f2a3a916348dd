#ifndef SKEIN_GATEWAY_SESSION_SESSION_ORDER_H
#define SKEIN_GATEWAY_SESSION_SESSION_ORDER_H

#include "gateway/im/inbox_reader.h"
#include "gateway/queues/sequencer.h"
#include "gateway/wire/shared_frame.h"

/*
 * Messages on their way to a client: through the sequencer, which puts them in
 * the order of their numbers, into the ack window and the queue. Live messages and
 * messages read from the inbox both come this way, so either may come first.
 * Thread: the session's worker.
 */

struct session;

extern const struct sequencer_rules session_sequencer_rules;

enum verdict { VERDICT_QUEUED, VERDICT_GONE, VERDICT_LAGGING };

/* A message for this connection. `frame` NULL: the message cannot be shown, but takes up its number. */
enum verdict session_deliver(struct session *session, uint64_t epoch, uint64_t offset, struct worker_frame *frame,
                             enum viewer viewer, uint64_t now_ms);

/* Queues a second copy of a message that is in flight. Takes the reference; a full queue closes the connection. */
err_t session_queue_message(struct session *session, struct worker_frame *frame, enum viewer viewer, uint64_t offset);

/* Sends all that the sequencer lets pass. Called after each event that may let a message pass. */
void session_send_due(struct session *session, uint64_t now_ms);

/* Reads the numbers after + 1 .. to from the inbox. No other read is under way. */
void session_read_inbox(struct session *session, enum read_purpose purpose, uint64_t after, uint64_t to);

/* Puts the session's read in line: at first, after a failure, and for the next page. */
void session_queue_read(struct session *session);

/* For struct inbox_reader: a page is no larger than the room in the ack window. */
uint32_t session_page_size(const struct inbox_read *read);

#endif
