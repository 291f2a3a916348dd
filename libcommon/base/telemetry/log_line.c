#include "base/telemetry/log_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/macros.h"
#include "base/text/utf8.h"

/* Reserved for `suppressed`, `truncated` and the end of the line. */
#define TAIL_SIZE 64

static const char *const level_names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
static const char *const json_level_names[] = { "debug", "info", "warn", "error" };

static void line_put(struct log_line *line, struct str piece)
{
	if (piece.len > sizeof(line->text) - TAIL_SIZE - line->len) {
		line->is_full = true;
		return;
	}
	if (piece.len)
		memcpy(line->text + line->len, piece.ptr, piece.len);
	line->len += piece.len;
}

static void line_put_text(struct log_line *line, const char *text)
{
	line_put(line, str_from(text));
}

static void PRINTF_LIKE(2, 3) line_put_format(struct log_line *line, const char *format, ...)
{
	char piece[32];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	line_put(line, str_of(piece, MIN((size_t)len, sizeof(piece) - 1)));
}

static void line_put_escape(struct log_line *line, uint32_t code_point)
{
	switch (code_point) {
	case '"':
		line_put_text(line, "\\\"");
		break;
	case '\\':
		line_put_text(line, "\\\\");
		break;
	case '\n':
		line_put_text(line, "\\n");
		break;
	case '\r':
		line_put_text(line, "\\r");
		break;
	case '\t':
		line_put_text(line, "\\t");
		break;
	default:
		line_put_format(line, "\\u%04x", code_point);
	}
}

/* Both formats escape in the same way. A byte that is not valid UTF-8 becomes U+FFFD. */
static void line_put_escaped(struct log_line *line, struct str s)
{
	uint32_t code_point;

	while (s.len && !line->is_full) {
		size_t len = utf8_first(s, &code_point);
		if (len == 0)
			line_put(line, STR("\xef\xbf\xbd"));
		else if (code_point_is_control(code_point) || code_point == '"' || code_point == '\\')
			line_put_escape(line, code_point);
		else
			line_put(line, str_of(s.ptr, len));
		len = MAX(len, 1u);
		s = str_of(s.ptr + len, s.len - len);
	}
}

static void line_put_quoted(struct log_line *line, struct str s)
{
	line_put_text(line, "\"");
	line_put_escaped(line, s);
	line_put_text(line, "\"");
}

/* Whether `s` can stand without quotes after `key=`. */
static bool line_is_bare(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || s.ptr[i] == '"' || s.ptr[i] == '\\' || s.ptr[i] == '=')
			return false;
	return s.len > 0;
}

static void line_put_value(struct log_line *line, struct str value)
{
	bool is_cut = value.len > LOG_VALUE_MAX;

	value = utf8_cut(value, LOG_VALUE_MAX);
	if (line->format == LOG_KEY_VALUE && !is_cut && line_is_bare(value)) {
		line_put(line, value);
		return;
	}
	line_put_text(line, "\"");
	line_put_escaped(line, value);
	line_put_text(line, is_cut ? "...\"" : "\"");
}

void log_line_begin(struct log_line *line, enum log_format format, uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm utc;

	line->format = format;
	line->is_full = line->is_truncated = false;
	line->len = 0;
	gmtime_r(&seconds, &utc);
	if (format == LOG_JSON)
		line_put_text(line, "{\"time\":\"");
	line_put_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
	                utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(wall_ms % 1000));
}

void log_line_event(struct log_line *line, enum log_level level, const char *node_name, const char *event)
{
	if (line->format == LOG_JSON) {
		line_put_text(line, "\",\"level\":\"");
		line_put_text(line, json_level_names[level]);
		line_put_text(line, "\",\"node\":");
		line_put_quoted(line, str_from(node_name));
		line_put_text(line, ",\"event\":");
		line_put_value(line, str_from(event));
		return;
	}
	line_put_format(line, " %-5s ", level_names[level]);
	if (*node_name) {
		line_put_text(line, node_name);
		line_put_text(line, " ");
	}
	line_put_escaped(line, str_from(event));
}

void log_line_field(struct log_line *line, const struct log_field *field)
{
	size_t len_before = line->len;

	if (line->format == LOG_JSON) {
		line_put_text(line, ",");
		line_put_quoted(line, str_from(field->key));
		line_put_text(line, ":");
	} else {
		line_put_text(line, " ");
		line_put_text(line, field->key);
		line_put_text(line, "=");
	}
	switch (field->kind) {
	case LOG_FIELD_STR:
		line_put_value(line, field->text);
		break;
	case LOG_FIELD_INT:
		line_put_format(line, "%lld", (long long)field->number);
		break;
	case LOG_FIELD_UINT:
		line_put_format(line, "%llu", (unsigned long long)field->unsigned_number);
		break;
	}
	/* A field is written completely or not at all. */
	if (line->is_full) {
		line->len = len_before;
		line->is_full = false;
		line->is_truncated = true;
	}
}

struct str log_line_end(struct log_line *line, unsigned suppressed)
{
	bool is_json = line->format == LOG_JSON;
	char *at = line->text + line->len;
	size_t room = sizeof(line->text) - line->len;
	int len = 0;

	if (line->is_truncated)
		len += snprintf(at + len, room - (size_t)len, is_json ? ",\"truncated\":true" : " truncated=true");
	if (suppressed)
		len += snprintf(at + len, room - (size_t)len, is_json ? ",\"suppressed\":%u" : " suppressed=%u",
		                suppressed);
	len += snprintf(at + len, room - (size_t)len, is_json ? "}\n" : "\n");
	line->len += (size_t)len;
	return str_of(line->text, line->len);
}
