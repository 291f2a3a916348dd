#ifndef SKEIN_BASE_TELEMETRY_LOG_H
#define SKEIN_BASE_TELEMETRY_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/telemetry/log_field.h"

/*
 * Structured log: one event a line, on stderr, as `key=value` or JSON.
 *
 *   log_warn("connect to redis failed", LOG_TEXT("address", address), LOG_ERR(err));
 *
 *   2026-11-21T08:00:00.123Z WARN  im-1 connect to redis failed address=127.0.0.1:6379 error=ERR_IO
 *
 * The event is a literal that says what happened; everything that varies is a
 * field. Never log a token, a password or a message body. Values may come from
 * anywhere: they are quoted and escaped where needed and cut at LOG_VALUE_MAX
 * bytes. Fields that do not fit in LOG_LINE_MAX are left out (`truncated=true`).
 *
 * One place in the code writes at most LOG_BURST lines a second. Further lines
 * are counted, and the next line that is written carries `suppressed=N`. Debug
 * lines are not limited.
 *
 * Thread: any. A line is one write(2). errno keeps its value.
 */

#define LOG_BURST 20

#define LOG_STR(name, value) { .key = (name), .kind = LOG_FIELD_STR, .text = (value) }
#define LOG_TEXT(name, value) { .key = (name), .kind = LOG_FIELD_STR, .text = str_from(value) }
#define LOG_NUM(name, value) { .key = (name), .kind = LOG_FIELD_INT, .number = (int64_t)(value) }
#define LOG_U64(name, value) { .key = (name), .kind = LOG_FIELD_UINT, .unsigned_number = (value) }
#define LOG_ERR(err) { .key = "error", .kind = LOG_FIELD_STR, .text = str_from(err_name(err)) }

/* One for each place in the code that logs. */
struct log_site {
	atomic_uint_fast64_t window; /* the second, and how many lines were written in it */
	atomic_uint suppressed; /* lines not written since the last one that was */
};

void log_write(struct log_site *site, enum log_level level, const char *event, const struct log_field *fields);

/* Whether lines of this level are written. One atomic load. */
bool log_is_enabled(enum log_level level);

#define LOG_AT(level, event, ...) \
	do { \
		static struct log_site log_site_; \
		if (log_is_enabled(level)) \
			log_write(&log_site_, level, event, \
			          (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) { .key = NULL } }); \
	} while (0)

#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, __VA_ARGS__)

/* At start. `node_name` stands in each line; it is copied. Until then: level info, key=value, no name. */
void log_configure(const char *node_name, enum log_level level, enum log_format format);
void log_set_level(enum log_level level);

/* The file descriptor that lines are written to; 2 (stderr) by default. For tests. */
void log_set_fd(int fd);

#endif
