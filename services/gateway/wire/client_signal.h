#ifndef SKEIN_GATEWAY_WIRE_CLIENT_SIGNAL_H
#define SKEIN_GATEWAY_WIRE_CLIENT_SIGNAL_H

#include "base/text/buf.h"
#include "base/text/json.h"
#include "proto/client.pb-c.h"

#define CLIENT_WATCH_MAX 200 /* users of a `watch` frame */

/* What a `read`, `typing` or `watch` frame asks for. */
struct client_signal {
	/* A ReadRequest or TypingRequest in the name of `from`, serialized. Of watch: the uids, each with its terminator. */
	struct buf *request;
	size_t uid_count; /* of watch */
	uint64_t conversation; /* of typing: a hash of the conversation's id */
};

/*
 * The fields of such frames besides the rid, from either subprotocol. Internal to client_frame.c. The first fault is kept in
 * `error`, as in base/text/json.h; then `out` means nothing.
 */
void client_read_from_json(struct client_signal *out, const json_t *root, const char *from, struct json_error *error);
void client_read_from_proto(struct client_signal *out, const Skein__V1__Read *read, const char *from, struct json_error *error);

void client_typing_from_json(struct client_signal *out, const json_t *root, const char *from, struct json_error *error);
void client_typing_from_proto(struct client_signal *out, const Skein__V1__Typing *typing, const char *from,
                              struct json_error *error);

void client_watch_from_json(struct client_signal *out, const json_t *root, struct json_error *error);
void client_watch_from_proto(struct client_signal *out, const Skein__V1__Watch *watch, struct json_error *error);

#endif
