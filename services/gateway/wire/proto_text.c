#include "gateway/wire/proto_text.h"

#include <string.h>

#include "rpc/protobuf_wire.h"

static bool proto_text_field_is_whole(const ProtobufCFieldDescriptor *field, struct str bytes)
{
	if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
		return proto_text_is_whole(field->descriptor, bytes);
	if (field && field->type == PROTOBUF_C_TYPE_STRING)
		return !memchr(bytes.ptr, '\0', bytes.len);
	return true;
}

bool proto_text_is_whole(const ProtobufCMessageDescriptor *type, struct str message)
{
	struct wire_field field;

	while (wire_next(&message, &field))
		if (field.type == WIRE_BYTES &&
		    !proto_text_field_is_whole(protobuf_c_message_descriptor_get_field(type, field.number), field.bytes))
			return false;
	return message.len == 0;
}
