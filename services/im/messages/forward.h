#ifndef SKEIN_IM_MESSAGES_FORWARD_H
#define SKEIN_IM_MESSAGES_FORWARD_H

#include "im/messages/messages.h"
#include "im/messages/send_request.h"

/*
 * Makes the body of a forward by one statement (fn.forward_body), before the send is submitted. So the statement that
 * stores sends reads no messages. A repeat of a send whose messages cannot be read any more goes there without a body: it is a
 * duplicate or a conflict. Thread: the worker's.
 */

/* `entry` is the send with its body, the callee's; NULL: it was refused, and its caller was told. */
typedef void (*forward_made)(void *arg, struct entry *entry);

/* `entry` is the send without its body, and taken over. `made` is called later. */
void forward_make(struct messages *messages, const struct send_forward *forward, struct entry *entry, forward_made made, void *arg);

#endif
