#include "im/messages/message_body.h"

#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/text/utf8.h"

const char *const message_types[MESSAGE_TYPE_COUNT] = { "text", "image", "audio", "video", "file", "location", "custom" };

#define TEXT_MAX_CHARACTERS 20000
#define URL_MAX_BYTES 2048
#define NAME_MAX_CHARACTERS 1024
#define MIME_MAX_CHARACTERS 255
#define NUMBER_MAX ((1ll << 53) - 1) /* JSON readers that use a double are exact up to here */

enum body_form { BODY_TEXT, /* `max` characters at most; a required one has one at least */
	         BODY_URL, /* http or https */
	         BODY_COUNT, /* a whole number, not negative */
	         BODY_DEGREES }; /* a number of at most `max` on either side of 0 */

struct body_field {
	const char *name;
	enum body_form form;
	enum json_presence presence;
	int max;
};

static const struct body_field text_fields[] = { { "text", BODY_TEXT, JSON_REQUIRED, TEXT_MAX_CHARACTERS }, { .name = NULL } };

static const struct body_field media_fields[] = {
	{ "url", BODY_URL, JSON_REQUIRED, 0 },
	{ "name", BODY_TEXT, JSON_OPTIONAL, NAME_MAX_CHARACTERS },
	{ "size", BODY_COUNT, JSON_OPTIONAL, 0 },
	{ "mime", BODY_TEXT, JSON_OPTIONAL, MIME_MAX_CHARACTERS },
	{ "width", BODY_COUNT, JSON_OPTIONAL, 0 },
	{ "height", BODY_COUNT, JSON_OPTIONAL, 0 },
	{ "duration_ms", BODY_COUNT, JSON_OPTIONAL, 0 },
	{ "thumbnail", BODY_URL, JSON_OPTIONAL, 0 },
	{ .name = NULL },
};

static const struct body_field location_fields[] = {
	{ "latitude", BODY_DEGREES, JSON_REQUIRED, 90 },
	{ "longitude", BODY_DEGREES, JSON_REQUIRED, 180 },
	{ "name", BODY_TEXT, JSON_OPTIONAL, NAME_MAX_CHARACTERS },
	{ .name = NULL },
};

static const struct body_field no_fields[] = { { .name = NULL } };

/* In the order of message_types. */
static const struct body_field *const body_fields[] = {
	text_fields, media_fields, media_fields, media_fields, media_fields, location_fields, no_fields
};

_Static_assert(ARRAY_LEN(body_fields) == MESSAGE_TYPE_COUNT, "each type has its fields");

bool message_type_is_known(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(message_types); i++)
		if (str_equal(type, str_from(message_types[i])))
			return true;
	return false;
}

/* ---- one field ---- */

static void body_check_text(const json_t *body, const struct body_field *field, struct json_error *error)
{
	struct str text = json_text(body, field->name, field->presence, field->presence == JSON_REQUIRED, SIZE_MAX, error);

	if (text.ptr && utf8_length(text) > (size_t)field->max)
		json_fail(error, ERR_INVALID_ARGUMENT, field->name, "body.%s must have at most %d characters",
		          field->name, field->max);
}

/* http or https, a host, and no blanks or control characters. */
static bool body_url_is_web(struct str url)
{
	static const char *const schemes[] = { "https://", "http://" };
	size_t host = 0;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (host == 0 && url.len > strlen(schemes[i]) && strncasecmp(url.ptr, schemes[i], strlen(schemes[i])) == 0)
			host = strlen(schemes[i]);
	}
	for (size_t i = 0; i < url.len; i++) {
		if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f)
			return false;
	}
	return host > 0 && !strchr("/?#", url.ptr[host]);
}

static void body_check_url(const json_t *body, const struct body_field *field, struct json_error *error)
{
	struct str url = json_text(body, field->name, field->presence, 1, URL_MAX_BYTES, error);

	if (url.ptr && !body_url_is_web(url))
		json_fail(error, ERR_INVALID_ARGUMENT, field->name, "body.%s must be a URL of http or https", field->name);
}

static void body_check_degrees(const json_t *body, const struct body_field *field, struct json_error *error)
{
	const json_t *value = json_object_get(body, field->name);
	double degrees = json_number_value(value);

	if (!json_is_number(value) || !(degrees >= -field->max && degrees <= field->max))
		json_fail(error, ERR_INVALID_ARGUMENT, field->name, "body.%s must be a number from -%d to %d", field->name,
		          field->max, field->max);
}

static void body_check_field(const json_t *body, const struct body_field *field, struct json_error *error)
{
	switch (field->form) {
	case BODY_TEXT:
		body_check_text(body, field, error);
		break;
	case BODY_URL:
		body_check_url(body, field, error);
		break;
	case BODY_COUNT:
		(void)json_int(body, field->name, field->presence, 0, NUMBER_MAX, error);
		break;
	case BODY_DEGREES:
		body_check_degrees(body, field, error);
		break;
	}
}

/* ---- a body ---- */

static void body_check(const json_t *body, const struct body_field *fields, struct json_error *error)
{
	json_prefix(error, "body.");
	for (const struct body_field *field = fields; field->name && !error->err; field++)
		body_check_field(body, field, error);
	json_prefix(error, "");
}

void message_body_check(const json_t *body, struct str type, struct json_error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(message_types) && !error->err; i++)
		if (str_equal(type, str_from(message_types[i])))
			body_check(body, body_fields[i], error);
}

unsigned message_body_types(const json_t *body)
{
	unsigned types = 0;

	for (unsigned i = 0; i < ARRAY_LEN(message_types); i++) {
		struct json_error error = { 0 };
		body_check(body, body_fields[i], &error);
		types |= error.err ? 0 : 1u << i;
	}
	return types;
}
