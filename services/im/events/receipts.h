#ifndef SKEIN_IM_EVENTS_RECEIPTS_H
#define SKEIN_IM_EVENTS_RECEIPTS_H

#include "im/events/events.h"
#include "proto/im.pb-c.h"

/*
 * Tells senders that their messages have arrived: a receipt of one side of a one-to-one conversation becomes a `delivered`
 * event to the other side. Gateways send receipts (Im/Delivered) when a device acknowledges. Thread: the worker's.
 */

#define RECEIPTS_MAX 256 /* in one call */

/* False when a receipt lacks a user, a one-to-one conversation of that user, or a seq; then nothing is to be emitted. */
bool receipts_are_valid(const Skein__V1__DeliveredRequest *request);

/* One of them. Nothing is emitted unless the conversation is one-to-one, with somebody else, and `uid` is on one side. */
void receipt_emit(struct events *events, struct str conversation_id, struct str uid, uint64_t seq);

void receipts_emit(struct events *events, const Skein__V1__DeliveredRequest *request);

#endif
