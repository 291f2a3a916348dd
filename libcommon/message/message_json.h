#ifndef SKEIN_MESSAGE_MESSAGE_JSON_H
#define SKEIN_MESSAGE_MESSAGE_JSON_H

#include <stdbool.h>

#include "base/text/buf.h"
#include "proto/client.pb-c.h"

/*
 * The one JSON shape of a message (contract section 1), for history, sync,
 * WebSocket frames and webhooks alike. `client_msg_id` is written when the
 * message has one: a caller that writes for anybody but the sender clears it first.
 */
void message_json(struct buf *out, const Skein__V1__Message *message);

#endif
