#include "base/config/config_value.h"

#include <assert.h>

#include "base/mem.h"
#include "base/text/host_port.h"
#include "base/text/utf8.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* The smallest unit comes first: it can show every value. */
static const struct unit byte_units[] = { { "", 1 }, { "k", 1 << 10 }, { "m", 1 << 20 }, { "g", 1 << 30 } };
static const struct unit duration_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 }, { "d", 24 * 60 * 60 * 1000 },
};

static bool value_has_range(const struct config_option *option)
{
	return option->min != 0 || option->max != 0;
}

/* A text that is empty unless it is given may also be given as empty, whatever its range is. */
static bool value_may_be_empty(const struct config_option *option)
{
	return option->type == CONFIG_TEXT && option->fallback && !*option->fallback;
}

static void value_write_in_units(struct buf *out, int64_t number, const struct unit *units, size_t count)
{
	size_t best = 0;

	for (size_t i = 1; i < count && number != 0; i++)
		if (number % units[i].factor == 0)
			best = i;
	buf_append_i64(out, number / units[best].factor);
	buf_append_text(out, number ? units[best].name : "");
}

static void value_write_number(struct buf *out, enum config_type type, int64_t number)
{
	if (type == CONFIG_BYTES)
		value_write_in_units(out, number, byte_units, ARRAY_LEN(byte_units));
	else if (type == CONFIG_DURATION)
		value_write_in_units(out, number, duration_units, ARRAY_LEN(duration_units));
	else
		buf_append_i64(out, number);
}

void config_write_range(struct buf *out, const struct config_option *option)
{
	if (!value_has_range(option))
		return;
	value_write_number(out, option->type, option->min);
	buf_append_text(out, " to ");
	value_write_number(out, option->type, option->max);
	if (option->type == CONFIG_TEXT)
		buf_append_text(out, " bytes");
}

void config_write_type(struct buf *out, const struct config_option *option)
{
	static const char *const names[] = {
		[CONFIG_BOOL] = "on|off", [CONFIG_INT] = "number", [CONFIG_BYTES] = "size",
		[CONFIG_DURATION] = "duration", [CONFIG_TEXT] = "text",
	};

	buf_append_text(out, option->type == CONFIG_CHOICE ? option->choices : names[option->type]);
}

void config_write_environment_name(struct buf *out, const struct config_option *option)
{
	buf_append_text(out, "SKEIN_");
	for (const char *c = option->name; *c; c++) {
		if (*c >= 'a' && *c <= 'z')
			buf_append_char(out, (char)(*c - 'a' + 'A'));
		else
			buf_append_char(out, *c == '.' || *c == '-' ? '_' : *c);
	}
}

/* A whole number and one of the units right behind it. */
static bool value_parse_units(struct str text, const struct unit *units, size_t count, int64_t *out)
{
	size_t digits = 0;
	int64_t number;

	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	if (!str_to_i64(str_of(text.ptr, digits), &number))
		return false;
	struct str unit = str_of(text.ptr + digits, text.len - digits);
	for (size_t i = 0; i < count; i++)
		if (str_equal(unit, str_from(units[i].name)))
			return !__builtin_mul_overflow(number, units[i].factor, out);
	*out = 0;
	return number == 0 && unit.len == 0;
}

static bool value_is_plain_text(struct str text)
{
	uint32_t code_point;

	while (text.len) {
		size_t len = utf8_first(text, &code_point);
		if (len == 0 || code_point_is_control(code_point))
			return false;
		text = str_of(text.ptr + len, text.len - len);
	}
	return true;
}

static bool value_parse(const struct config_option *option, struct str text, int64_t *number)
{
	struct str choices = str_from(option->choices);

	switch (option->type) {
	case CONFIG_BOOL:
		*number = str_equal(text, STR("true")) || str_equal(text, STR("on"));
		return *number || str_equal(text, STR("false")) || str_equal(text, STR("off"));
	case CONFIG_INT:
		return str_to_i64(text, number);
	case CONFIG_BYTES:
		return value_parse_units(text, byte_units, ARRAY_LEN(byte_units), number);
	case CONFIG_DURATION:
		return value_parse_units(text, duration_units, ARRAY_LEN(duration_units), number);
	case CONFIG_CHOICE: /* on and off have other words, as those of CONFIG_BOOL */
		text = str_equal(text, STR("true")) ? STR("on") : str_equal(text, STR("false")) ? STR("off") : text;
		for (*number = 0; choices.ptr; ++*number)
			if (str_equal(str_cut(&choices, '|'), text))
				return true;
		return false;
	case CONFIG_TEXT:
		break;
	}
	*number = (int64_t)text.len;
	return value_is_plain_text(text);
}

/* Shows the value, unless it is a secret, long, or has control characters. */
static err_t value_refuse(struct buf *reason, const struct config_option *option, struct str text)
{
	if (!(option->flags & CONFIG_SECRET) && text.len <= 200 && value_is_plain_text(text))
		buf_printf(reason, ", not \"%.*s\"", STR_ARG(text));
	return ERR_BAD_CONFIG;
}

err_t config_value_parse(const struct config_option *option, struct str text,
                         struct config_value *out, struct buf *reason)
{
	static const char *const forms[] = {
		[CONFIG_BOOL] = "on or off", [CONFIG_INT] = "a whole number",
		[CONFIG_BYTES] = "a size as 64, 16k, 4m or 1g",
		[CONFIG_DURATION] = "a duration as 500ms, 10s, 5m, 2h or 7d",
		[CONFIG_TEXT] = "UTF-8 text without control characters", [CONFIG_CHOICE] = "one of ",
	};
	struct host_port parts;
	int64_t number;

	if (!value_parse(option, text, &number)) {
		buf_printf(reason, "must be %s", forms[option->type]);
		if (option->type == CONFIG_CHOICE)
			buf_append_text(reason, option->choices);
		return value_refuse(reason, option, text);
	}
	if (option->type != CONFIG_BOOL && option->type != CONFIG_CHOICE && value_has_range(option) &&
	    (number < option->min || number > option->max) && !(number == 0 && value_may_be_empty(option))) {
		buf_append_text(reason, "must be ");
		config_write_range(reason, option);
		return value_refuse(reason, option, text);
	}
	if (option->flags & CONFIG_ADDRESS && !host_port_parse(text, &parts)) {
		buf_append_text(reason, "must be host:port or [IPv6]:port");
		return value_refuse(reason, option, text);
	}
	*out = (struct config_value){
		.is_set = true,
		.number = option->type == CONFIG_TEXT ? 0 : number,
		.text = option->type == CONFIG_TEXT ? str_dup(text) : NULL,
	};
	return OK;
}

void config_value_release(struct config_value *value)
{
	mem_free(value->text);
	*value = (struct config_value){ 0 };
}

bool config_value_equal(const struct config_value *a, const struct config_value *b)
{
	return a->number == b->number && str_equal(str_from(a->text), str_from(b->text));
}

void config_value_store(const struct config_option *option, struct config_value *value, void *target)
{
	char *member = (char *)target + option->offset;

	switch (option->type) {
	case CONFIG_BOOL:
		*(bool *)member = value->number != 0;
		break;
	case CONFIG_TEXT:
		mem_free(*(char **)member);
		*(char **)member = value->text;
		value->text = NULL;
		break;
	default:
		*(int64_t *)member = value->number;
	}
}

void config_value_forget(const struct config_option *option, void *target)
{
	char *member = (char *)target + option->offset;

	switch (option->type) {
	case CONFIG_BOOL:
		*(bool *)member = false;
		break;
	case CONFIG_TEXT:
		*(char **)member = NULL;
		break;
	default:
		*(int64_t *)member = 0;
	}
}

struct config_value config_value_load(const struct config_option *option, const void *target)
{
	const char *member = (const char *)target + option->offset;
	struct config_value value = { .is_set = true };

	switch (option->type) {
	case CONFIG_BOOL:
		value.number = *(const bool *)member;
		break;
	case CONFIG_TEXT:
		value.text = *(char *const *)member;
		break;
	default:
		value.number = *(const int64_t *)member;
	}
	return value;
}
