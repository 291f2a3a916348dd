#ifndef SKEIN_IM_CONVERSATIONS_CONVERSATIONS_H
#define SKEIN_IM_CONVERSATIONS_CONVERSATIONS_H

#include "im/conversations/rest_walk.h"
#include "im/http/call.h"

struct events;
struct im_config;
struct pg;

/* A user's list of conversations, and what the user does to one for itself: the context of the calls in this folder.
 * Thread: the worker's. */
struct conversations {
	const struct im_config *config;
	struct events *events;
	struct pg *pg; /* for what gateways ask (conversation_signals.h) */
	struct rest_walks rest_walks;
};

void conversations_list(struct call *call); /* GET /v1/conversations */
void conversations_read(struct call *call); /* PUT /v1/conversations/{id}/read */
void conversations_clear(struct call *call); /* DELETE /v1/conversations/{id}/messages */
void conversations_choose(struct call *call); /* PATCH /v1/conversations/{id} */
void conversations_hide(struct call *call); /* DELETE /v1/conversations/{id} */

#endif
