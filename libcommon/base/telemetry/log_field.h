#ifndef SKEIN_BASE_TELEMETRY_LOG_FIELD_H
#define SKEIN_BASE_TELEMETRY_LOG_FIELD_H

#include <stdint.h>

#include "base/text/str.h"

/*
 * The parts of a log line. log.h decides which lines are written, log_line.h
 * formats them. Callers include log.h.
 */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_KEY_VALUE, LOG_JSON };

#define LOG_VALUE_MAX 1024
#define LOG_LINE_MAX 4096 /* PIPE_BUF: a pipe takes a line in one piece */

struct log_field {
	const char *key; /* NULL ends the list */
	enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_UINT } kind;
	struct str text;
	int64_t number;
	uint64_t unsigned_number;
};

#endif
