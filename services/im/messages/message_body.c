#include "im/messages/message_body.h"

#include "base/macros.h"

const char *const message_types[MESSAGE_TYPE_COUNT] = { "text", "image", "audio", "video", "file", "location", "custom" };

bool message_type_is_known(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(message_types); i++)
		if (str_equal(type, str_from(message_types[i])))
			return true;
	return false;
}

void message_body_check(const json_t *body, struct str type, struct json_error *error)
{
	if (!error->err && str_equal(type, STR("text"))) {
		json_prefix(error, "body.");
		(void)json_text(body, "text", JSON_REQUIRED, 1, SIZE_MAX, error);
		json_prefix(error, "");
	}
}

unsigned message_body_types(const json_t *body)
{
	unsigned types = 0;

	for (unsigned i = 0; i < ARRAY_LEN(message_types); i++) {
		struct json_error error = { 0 };
		message_body_check(body, str_from(message_types[i]), &error);
		types |= error.err ? 0 : 1u << i;
	}
	return types;
}
