#ifndef SKEIN_IM_MESSAGES_SEND_REQUEST_H
#define SKEIN_IM_MESSAGES_SEND_REQUEST_H

#include "base/text/ident.h"
#include "base/text/json.h"
#include "message/send_limits.h"
#include "proto/im.pb-c.h"

/*
 * A client's request to send, read and validated (contract sections 1 and 3) from
 * JSON or from a gateway's protobuf. Strings point into the source; the buffers
 * are its own memory. The error names the first field that is wrong.
 * Release the request in any case.
 */

/* What a `forward` is made of. */
struct send_forward {
	struct str conversation_id; /* ptr NULL: it is no forward */
	int64_t seqs[FORWARD_MAX];
	size_t count;
	struct buf sent; /* both as JSON, the same text for equal ones */
};

struct send_request {
	struct str client_msg_id;
	struct str user, group; /* one of the two has a ptr */
	struct str type;
	struct buf body; /* a JSON object, in compact form; empty for a forward, whose body is still to be made */
	struct send_forward forward;
	int64_t reply_to; /* 0: none */
	int64_t expire_s; /* 0: never */
	struct buf mentions; /* joined by commas; empty: none */
};

void send_request_from_json(struct send_request *request, const json_t *object, struct json_error *error);
void send_request_from_proto(struct send_request *request, const Skein__V1__SendRequest *message, size_t max_body,
                             struct json_error *error);
void send_request_release(struct send_request *request);

/* Writes the id of the conversation that a valid request of `sender` goes to, with a terminator; returns the length. */
size_t send_request_conversation(char out[CONVERSATION_ID_MAX + 1], const struct send_request *request, struct str sender);

#endif
