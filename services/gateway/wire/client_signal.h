#ifndef SKEIN_GATEWAY_WIRE_CLIENT_SIGNAL_H
#define SKEIN_GATEWAY_WIRE_CLIENT_SIGNAL_H

#include "base/text/json.h"
#include "gateway/wire/client_frame.h"
#include "proto/client.pb-c.h"

/*
 * The fields of `read`, `typing` and `watch` frames besides the rid, from either subprotocol. Internal to client_frame.c. The first
 * fault is kept in `error`, as in base/text/json.h; then the request of `out` means nothing.
 */
void client_read_from_json(struct client_frame *out, const json_t *root, const char *from, struct json_error *error);
void client_read_from_proto(struct client_frame *out, const Skein__V1__Read *read, const char *from, struct json_error *error);

void client_typing_from_json(struct client_frame *out, const json_t *root, const char *from, struct json_error *error);
void client_typing_from_proto(struct client_frame *out, const Skein__V1__Typing *typing, const char *from,
                              struct json_error *error);

void client_watch_from_json(struct client_frame *out, const json_t *root, struct json_error *error);
void client_watch_from_proto(struct client_frame *out, const Skein__V1__Watch *watch, struct json_error *error);

#endif
