#ifndef SKEIN_BASE_TELEMETRY_LOG_LINE_H
#define SKEIN_BASE_TELEMETRY_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/telemetry/log_field.h"

/*
 * Formats one line of the log into a buffer of its own; used by log.c only.
 * Call begin, event, field (any number of times), end. The end returns the
 * line; its last byte is the only line feed in it. Nothing is allocated.
 */
struct log_line {
	enum log_format format;
	bool is_full; /* the last piece did not fit */
	bool is_truncated; /* a field was left out */
	size_t len;
	char text[LOG_LINE_MAX];
};

void log_line_begin(struct log_line *line, enum log_format format, uint64_t wall_ms);
void log_line_event(struct log_line *line, enum log_level level, const char *node_name, const char *event);
void log_line_field(struct log_line *line, const struct log_field *field);
struct str log_line_end(struct log_line *line, unsigned suppressed);

#endif
