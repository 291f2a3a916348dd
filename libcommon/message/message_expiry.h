#ifndef SKEIN_MESSAGE_MESSAGE_EXPIRY_H
#define SKEIN_MESSAGE_MESSAGE_EXPIRY_H

#include <stdbool.h>

#include "proto/client.pb-c.h"

/*
 * Messages that expire (contract section 1): from `expires_at` on nobody is shown the body. Whoever encodes a message for a
 * user asks here, at the moment in which it does so: im for history, lists and sync, push for a delivery, the gateway for a frame.
 * What was encoded before that moment may leave a little later.
 */

/*
 * When the time has come: clears the body and the reactions, and sets `expired`. An edit of such a message has the message's
 * expires_at; it loses the body only. The memory stays its owner's: unpacked messages are given as a copy of the struct. True if it
 * has expired.
 */
bool message_expire(Skein__V1__Message *message, uint64_t now_ms);

#endif
