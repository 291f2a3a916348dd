#ifndef SKEIN_IM_CONVERSATIONS_CONVERSATION_SIGNALS_H
#define SKEIN_IM_CONVERSATIONS_CONVERSATION_SIGNALS_H

#include <libpq-fe.h>

#include "im/conversations/conversations.h"
#include "im/events/events.h"

/*
 * `read` and `typing` of users whom a gateway has authenticated. Each is one statement, and one event after it. Thread: the
 * worker's.
 */

struct conversation_signal {
	struct str uid, conversation_id;
	uint64_t seq; /* of a read */
	bool is_unheard; /* of typing: it is answered, and nobody is told */
	struct str traceparent; /* may be empty */
	struct routed_connection reader; /* of a read over a WebSocket: the connection */
};

/* `detail` may be NULL. */
typedef void (*conversation_signal_done)(void *arg, err_t err, const char *detail);

/* As PUT /v1/conversations/{id}/read. */
void conversation_signal_read(struct conversations *conversations, const struct conversation_signal *signal,
                              conversation_signal_done done, void *arg);

/* The others are told that the user types, if the user may send there. */
void conversation_signal_typing(struct conversations *conversations, const struct conversation_signal *signal,
                                conversation_signal_done done, void *arg);

/* The statement of a read mark: verdict, audience. */
extern const struct pg_statement conversation_read;
void conversation_read_put(struct pg_params *params, struct str uid, struct str conversation_id, int64_t seq);

/* Emits the event `read` to the users whom the result of that statement names. */
void conversation_read_tell(struct events *events, const PGresult *result, const struct conversation_signal *signal);

#endif
