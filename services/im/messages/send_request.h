#ifndef SKEIN_IM_MESSAGES_SEND_REQUEST_H
#define SKEIN_IM_MESSAGES_SEND_REQUEST_H

#include "base/text/json.h"
#include "proto/im.pb-c.h"

/*
 * A client's request to send, read and validated (contract sections 1 and 3) from
 * JSON or from a gateway's protobuf. Strings point into the source; `body` and
 * `mentions` are its own memory. The error names the first field that is wrong.
 * Release the request in any case.
 */
struct send_request {
	struct str client_msg_id;
	struct str user, group; /* one of the two has a ptr */
	struct str type;
	struct buf body; /* a JSON object, in compact form */
	int64_t reply_to; /* 0: none */
	struct buf mentions; /* joined by commas; empty: none */
};

#define MENTIONS_MAX 50

void send_request_from_json(struct send_request *request, const json_t *object, struct json_error *error);
void send_request_from_proto(struct send_request *request, const Skein__V1__SendRequest *message, size_t max_body,
                             struct json_error *error);
void send_request_release(struct send_request *request);

#endif
