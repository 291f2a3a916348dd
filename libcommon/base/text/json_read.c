#include "base/text/json.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/macros.h"

void json_prefix(struct json_error *error, const char *prefix)
{
	snprintf(error->prefix, sizeof(error->prefix), "%s", prefix);
}

void json_fail(struct json_error *error, err_t err, const char *field, const char *format, ...)
{
	va_list args;

	if (error->err)
		return;
	error->err = err;
	if (field && *field)
		snprintf(error->field, sizeof(error->field), "%s%s", error->prefix, field);
	else
		error->field[0] = '\0';
	va_start(args, format);
	vsnprintf(error->detail, sizeof(error->detail), format, args);
	va_end(args);
}

/* Fails with a sentence about a field: "to.user must be ...". */
static void PRINTF_LIKE(3, 4) json_refuse(struct json_error *error, const char *field, const char *format, ...)
{
	char complaint[128];
	va_list args;

	va_start(args, format);
	vsnprintf(complaint, sizeof(complaint), format, args);
	va_end(args);
	json_fail(error, ERR_INVALID_ARGUMENT, field, "%s%s %s", error->prefix, field, complaint);
}

/* jansson recurses, so the depth is known before it starts. Brackets inside strings do not count. */
static bool json_is_too_deep(struct str text)
{
	bool is_in_string = false;
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (is_in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				is_in_string = false;
		} else if (c == '"') {
			is_in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_MAX_DEPTH)
				return true;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return false;
}

static size_t json_skip_back(struct str text, size_t at, const char *set)
{
	while (at > 0 && text.ptr[at - 1] && strchr(set, text.ptr[at - 1]))
		at--;
	return at;
}

/*
 * jansson reports the byte where it stopped, not the field. Returns the key that
 * ends before `at`, or the key of the number that ends there. Empty if there is
 * none, or if it is not a plain identifier and must not be shown.
 */
static struct str json_key_before(struct str text, size_t at)
{
	at = json_skip_back(text, at, "0123456789+-.eE");
	at = json_skip_back(text, at, " \t\r\n");
	if (at > 0 && text.ptr[at - 1] == ':')
		at = json_skip_back(text, at - 1, " \t\r\n");
	if (at == 0 || text.ptr[at - 1] != '"')
		return STR("");
	size_t end = at - 1, start = end;
	while (start > 0 && text.ptr[start - 1] != '"')
		start--;
	struct str key = str_of(text.ptr + start, end - start);
	return start > 0 && ident_is_valid(key) ? key : STR("");
}

static const char *json_sentence_of(enum json_error_code code)
{
	switch (code) {
	case json_error_invalid_utf8:
		return "the text is not valid UTF-8";
	case json_error_premature_end_of_input:
		return "the JSON ends too early";
	case json_error_end_of_input_expected:
		return "something follows the JSON";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a text must not hold a NUL character";
	case json_error_duplicate_key:
		return "a key is given twice";
	case json_error_numeric_overflow:
		return "a number is out of range";
	default:
		return "this is not JSON";
	}
}

static void json_explain(struct str text, const json_error_t *cause, struct json_error *error)
{
	enum json_error_code code = json_error_code(cause);
	size_t at = cause->position > 0 ? MIN((size_t)cause->position, text.len) : 0;
	struct str key = STR("");

	if (code == json_error_out_of_memory) {
		json_fail(error, ERR_NO_MEMORY, NULL, "out of memory");
		return;
	}
	if (code == json_error_duplicate_key || code == json_error_numeric_overflow)
		key = json_key_before(text, at);
	if (key.len == 0) {
		json_fail(error, ERR_INVALID_ARGUMENT, NULL, "%s (byte %zu)", json_sentence_of(code), at);
		return;
	}
	char name[sizeof(error->field)];
	snprintf(name, sizeof(name), "%.*s", STR_ARG(key));
	json_refuse(error, name, "%s (byte %zu)",
	            code == json_error_duplicate_key ? "is given twice" : "is a number out of range", at);
}

json_t *json_read(struct str text, struct json_error *error)
{
	json_error_t cause;

	if (error->err)
		return NULL;
	if (text.len == 0) {
		json_fail(error, ERR_INVALID_ARGUMENT, NULL, "a JSON object is missing");
		return NULL;
	}
	if (json_is_too_deep(text)) {
		json_fail(error, ERR_INVALID_ARGUMENT, NULL, "the JSON is nested more than %d deep", JSON_MAX_DEPTH);
		return NULL;
	}
	json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &cause);
	if (!root) {
		json_explain(text, &cause, error);
		return NULL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		json_fail(error, ERR_INVALID_ARGUMENT, NULL, "the JSON must be an object");
		return NULL;
	}
	return root;
}

/* The value of the field. NULL if it is absent or JSON null, which is an error for a required field. */
static json_t *json_value_of(const json_t *object, const char *field, enum json_presence presence, struct json_error *error)
{
	if (error->err)
		return NULL;
	json_t *value = json_object_get(object, field);
	if (value && !json_is_null(value))
		return value;
	if (presence == JSON_REQUIRED)
		json_refuse(error, field, "is required");
	return NULL;
}

/* A string of any length; ptr NULL if there is none. */
static struct str json_string_of(const json_t *object, const char *field, enum json_presence presence,
                                 struct json_error *error)
{
	json_t *value = json_value_of(object, field, presence, error);

	if (!value)
		return str_of(NULL, 0);
	if (!json_is_string(value)) {
		json_refuse(error, field, "must be a string");
		return str_of(NULL, 0);
	}
	return str_of(json_string_value(value), json_string_length(value));
}

struct str json_text(const json_t *object, const char *field, enum json_presence presence,
                     size_t min_bytes, size_t max_bytes, struct json_error *error)
{
	struct str text = json_string_of(object, field, presence, error);

	if (text.ptr && text.len < min_bytes && max_bytes == SIZE_MAX) {
		json_refuse(error, field, "must not be empty");
		return str_of(NULL, 0);
	}
	if (text.ptr && (text.len < min_bytes || text.len > max_bytes)) {
		json_refuse(error, field, "must be %zu to %zu bytes long", min_bytes, max_bytes);
		return str_of(NULL, 0);
	}
	return text;
}

struct str json_ident(const json_t *object, const char *field, enum json_presence presence, struct json_error *error)
{
	struct str ident = json_string_of(object, field, presence, error);

	if (ident.ptr && !ident_is_valid(ident)) {
		json_refuse(error, field, "must be 1 to 64 of A-Z a-z 0-9 _ . -");
		return str_of(NULL, 0);
	}
	return ident;
}

struct str json_name(const json_t *object, const char *field, enum json_presence presence, struct json_error *error)
{
	struct str name = json_string_of(object, field, presence, error);

	if (name.ptr && !display_name_is_valid(name)) {
		json_refuse(error, field, "must be 1 to 128 characters, none of them a control character");
		return str_of(NULL, 0);
	}
	return name;
}

/* Up to 2^53 a real without a fraction is exactly the integer that was written. */
static bool json_is_whole(double real)
{
	return real >= -0x1p53 && real <= 0x1p53 && (double)(int64_t)real == real;
}

int64_t json_int(const json_t *object, const char *field, enum json_presence presence,
                 int64_t min, int64_t max, struct json_error *error)
{
	json_t *value = json_value_of(object, field, presence, error);
	int64_t number;

	if (!value)
		return 0;
	if (json_is_integer(value)) {
		number = json_integer_value(value);
	} else if (json_is_real(value) && json_is_whole(json_real_value(value))) {
		number = (int64_t)json_real_value(value);
	} else {
		json_refuse(error, field, "must be an integer");
		return 0;
	}
	if (number < min || number > max) {
		json_refuse(error, field, "must be %lld to %lld", (long long)min, (long long)max);
		return 0;
	}
	return number;
}

bool json_bool(const json_t *object, const char *field, enum json_presence presence, struct json_error *error)
{
	json_t *value = json_value_of(object, field, presence, error);

	if (value && !json_is_boolean(value))
		json_refuse(error, field, "must be true or false");
	return json_is_true(value); /* false for NULL */
}

json_t *json_object_field(const json_t *object, const char *field, enum json_presence presence,
                          struct json_error *error)
{
	json_t *value = json_value_of(object, field, presence, error);

	if (value && !json_is_object(value)) {
		json_refuse(error, field, "must be an object");
		return NULL;
	}
	return value;
}

json_t *json_array_field(const json_t *object, const char *field, enum json_presence presence,
                         size_t max_items, struct json_error *error)
{
	json_t *value = json_value_of(object, field, presence, error);

	if (value && !json_is_array(value)) {
		json_refuse(error, field, "must be an array");
		return NULL;
	}
	if (value && json_array_size(value) > max_items) {
		json_refuse(error, field, "must have at most %zu items", max_items);
		return NULL;
	}
	return value;
}
