#ifndef SKEIN_GATEWAY_WIRE_PROTO_TEXT_H
#define SKEIN_GATEWAY_WIRE_PROTO_TEXT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/text/str.h"

/*
 * Whether protobuf-c shows every text of `message` to its end. Its strings end at a NUL, so a text with one inside would be
 * taken for a shorter one. Looks at the string fields of `type` and of the messages inside it; other fields may hold any byte.
 * Also false for bytes that protobuf_wire.h refuses and protobuf-c accepts (a field number over 2^29): what follows them is not
 * looked at.
 */
bool proto_text_is_whole(const ProtobufCMessageDescriptor *type, struct str message);

#endif
