#ifndef SKEIN_IM_MESSAGES_MESSAGES_H
#define SKEIN_IM_MESSAGES_MESSAGES_H

#include "im/callers/rates.h"
#include "im/entries/entry_writer.h"
#include "im/overload/overload.h"

struct call;

/* Messages, sent and read: the context of the calls in this folder and of the gRPC method Send. Thread: the worker's. */
struct messages {
	const struct im_config *config;
	struct pg *pg; /* for what is read */
	struct entry_writer *entries;
	struct overload *overload;
	struct rates *rates;
	struct counter *rate_limited;
};

void messages_init(struct messages *messages, const struct im_config *config, struct pg *pg, struct entry_writer *entries,
                   struct overload *overload, struct rates *rates);

void messages_send(struct call *call); /* POST /v1/messages */

/* The same with another sender. The body is that of POST /v1/messages. */
void messages_send_from(struct call *call, struct messages *messages, struct str uid);

/* Whether the body is right. False: it was answered, and the call is gone. The body can still be read. */
bool messages_check_send(struct call *call) MUST_CHECK;

void messages_send_batch(struct call *call); /* POST /v1/messages/batch */
void messages_history(struct call *call); /* GET /v1/conversations/{id}/messages */
void messages_recall(struct call *call); /* POST /v1/conversations/{id}/messages/{seq}/recall */
void messages_edit(struct call *call); /* POST /v1/conversations/{id}/messages/{seq}/edit */
void messages_react(struct call *call); /* POST /v1/conversations/{id}/messages/{seq}/reactions */
void messages_unreact(struct call *call); /* DELETE /v1/conversations/{id}/messages/{seq}/reactions/{emoji} */
void messages_list_readers(struct call *call); /* GET /v1/conversations/{id}/messages/{seq}/readers */
void messages_list_pins(struct call *call); /* GET /v1/conversations/{id}/pins */
void messages_pin(struct call *call); /* PUT /v1/conversations/{id}/pins/{seq} */
void messages_unpin(struct call *call); /* DELETE /v1/conversations/{id}/pins/{seq} */

#endif
