#ifndef SKEIN_GATEWAY_SESSION_SESSION_SUBMIT_H
#define SKEIN_GATEWAY_SESSION_SESSION_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * Sends of clients that im has not answered. The message of a send may come from
 * push before im's answer does: it is held until the client has its `ack`.
 *
 * Sends of one connection to one recipient are stored in the order of their frames:
 * each waits for the answer to the one before, because its call may go to another
 * im. While im does not serve the one before, those behind it are refused with it.
 * Thread: the session's worker.
 */

struct client_frame;
struct session;

/* Unanswered sends of all sessions of the process. Bounds the load on im, and the memory for them. */
#define GATEWAY_SENDS_MAX 20000

/*
 * Passes a `send` frame on to im. After im's answer was written to the client, `answered` is called with the number at which
 * its message is held (0: none).
 */
void session_submit(struct session *session, const struct client_frame *frame,
                    void (*answered)(struct session *session, uint64_t held_offset));

/* Whether this message is of a send that im has not answered: it must not overtake the answer. Remembers its offset. */
bool session_awaits(struct session *session, struct str client_msg_id, uint64_t offset);

#endif
