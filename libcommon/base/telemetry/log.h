#ifndef SKEIN_BASE_TELEMETRY_LOG_H
#define SKEIN_BASE_TELEMETRY_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"

/*
 * Structured log: one event a line, on stderr, as `key=value` or JSON.
 *
 *   log_warn("connect to redis failed", LOG_TEXT("address", address), LOG_ERR(err));
 *
 *   2026-11-21T08:00:00.123Z WARN  im-1 connect to redis failed address=127.0.0.1:6379 error=ERR_IO
 *
 * The event is a literal that says what happened; everything that varies is a
 * field. Never a token, a password or a message body. Values may come from
 * anywhere: quoted and escaped where needed, cut at LOG_VALUE_MAX bytes; fields
 * that do not fit in LOG_LINE_MAX are left out (`truncated=true`). One place in
 * the code writes at most LOG_BURST lines a second, debug lines excepted; what is
 * over is counted, and the next line that gets through carries `suppressed=N`.
 * Thread: any. A line is one write(2). errno is left alone.
 */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_KEY_VALUE, LOG_JSON };

#define LOG_BURST 20
#define LOG_VALUE_MAX 1024
#define LOG_LINE_MAX 4096 /* what a pipe takes in one piece */

struct log_field {
	const char *key; /* NULL ends the list */
	enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_UINT } kind;
	struct str text;
	int64_t number;
	uint64_t unsigned_number;
};

#define LOG_STR(name, value) { .key = (name), .kind = LOG_FIELD_STR, .text = (value) }
#define LOG_TEXT(name, value) { .key = (name), .kind = LOG_FIELD_STR, .text = str_from(value) }
#define LOG_NUM(name, value) { .key = (name), .kind = LOG_FIELD_INT, .number = (int64_t)(value) }
#define LOG_U64(name, value) { .key = (name), .kind = LOG_FIELD_UINT, .unsigned_number = (value) }
#define LOG_ERR(err) { .key = "error", .kind = LOG_FIELD_STR, .text = str_from(err_name(err)) }

/* One per place in the code. */
struct log_site {
	atomic_uint_fast64_t window; /* the second, and how many lines were written in it */
	atomic_uint suppressed; /* since the last line that got through */
};

void log_write(struct log_site *site, enum log_level level, const char *event, const struct log_field *fields);

/* What is written at all; cheap, so that a caller need not guard its fields. */
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

/* At start: the process's name in each line (copied). Before it: level info, key=value, no name. */
void log_configure(const char *node_name, enum log_level level, enum log_format format);
void log_set_level(enum log_level level);

/* Where lines go; 2 at first. For tests. */
void log_set_fd(int fd);

#endif
