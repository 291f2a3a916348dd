#ifndef SKEIN_GATEWAY_WIRE_CLIENT_FRAME_H
#define SKEIN_GATEWAY_WIRE_CLIENT_FRAME_H

#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "gateway/wire/server_frame.h"

/*
 * Frames of clients, read strictly from either subprotocol. The form of each field
 * is checked here; im checks the content of a message (its type, its body, the
 * sender's right to send it).
 */

#define CLIENT_RID_MAX 64
#define CLIENT_MSG_ID_MAX 64

enum client_frame_kind {
	CLIENT_PING,
	CLIENT_SEND,
	CLIENT_ACK,
	CLIENT_READ,
	CLIENT_TYPING,
	CLIENT_WATCH,
};

struct client_frame {
	enum client_frame_kind kind;
	char rid[CLIENT_RID_MAX + 1]; /* empty: the frame has none */
	uint64_t offset; /* of ACK */
	char client_msg_id[CLIENT_MSG_ID_MAX + 1]; /* of SEND */
	uint64_t conversation; /* of SEND: a hash of the recipient; of TYPING: of the conversation's id */
	/*
	 * A serialized SendRequest, ReadRequest or TypingRequest in the name of `from`. Of WATCH: the uids, each with its
	 * terminator, and their number.
	 */
	struct buf request;
	size_t uid_count;
	char detail[200]; /* of an error: a sentence for the client */
};

/*
 *   OK                       `out` is the request
 *   ERR_INVALID_ARGUMENT     a known type with a bad field, which `detail` names
 *   ERR_FAILED_PRECONDITION  a type of the contract that this version does not serve
 *   ERR_PROTOCOL             not a frame: the connection must be closed
 * `rid` is set in all cases if the frame has a valid one. Release `out` in any case.
 */
err_t client_frame_read(struct client_frame *out, enum subprotocol subprotocol, struct str bytes, const char *from) MUST_CHECK;
void client_frame_release(struct client_frame *frame);

#endif
