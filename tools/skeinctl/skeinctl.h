#ifndef SKEIN_TOOLS_SKEINCTL_H
#define SKEIN_TOOLS_SKEINCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * Functions that the commands share. skeinctl is a short-lived program: an error
 * ends it with one sentence on stderr and exit status 1 (die()), a wrong command line
 * with 2 (die_of_usage()).
 */

#define EXIT_USAGE 2

_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2);
_Noreturn void die_of_usage(const char *format, ...) PRINTF_LIKE(1, 2);

/* "500ms", "10s", "5m", "24h", "7d" in milliseconds; ends the program if it is none of these. */
uint64_t parse_duration(const char *text);

/* ---- texts from outside, on a terminal ---- */

/*
 * Appends `text` so that a terminal shows it and does nothing else: what a terminal would obey (controls, changes of the
 * direction of writing) or not show becomes \n, \u001b or \xff. At most `columns_max` columns; a longer text ends with "…".
 * Returns its width in columns.
 */
size_t visible_append(struct buf *out, struct str text, size_t columns_max);

/* The same for a whole JSON document, which stays the same document: inside its strings \u001b is another way to write it. */
void visible_append_json(struct buf *out, struct str json);

/* Prints a value as such a document, on one line. */
void visible_print_json(const json_t *value);

#define COLUMNS_UNBOUNDED SIZE_MAX

/* ---- the cluster ---- */

/*
 * A variable of contract section 7 (SKEIN_HTTP ...): from the environment, else from .run/env here or in a folder above.
 * SKEIN_JWT_SECRET also comes from the file that SKEIN_AUTH_SECRET_FILE names, or is SKEIN_AUTH_SECRET. Ends the program if
 * none has it.
 */
const char *setting(const char *name);

#define SECRET_SIZE_MAX 1024 /* that of auth.secret */

/* The first line of a file ("-": of standard input), for the setting `name`; ends the program if there is none. free() it. */
char *read_secret_file(const char *name, const char *path);

/* Takes the first URL off a comma-separated setting, without a slash at its end: a path that begins with one follows it. */
struct str setting_cut_url(struct str *list);

/* Item `index` (wrapped around) of such a setting. free() it. */
char *setting_item(const char *name, unsigned index);

/* A token for `uid` signed with the cluster's secret. free() it. `expires_ms` gets the time of its `exp`; it may be NULL. */
char *make_token(const char *uid, bool is_admin, uint64_t ttl_ms, uint64_t *expires_ms);

/* ---- HTTP, over libcurl, one connection kept ---- */

struct http_answer {
	long status;
	struct buf text; /* at most ANSWER_SIZE_MAX bytes */
	json_t *body; /* NULL if the text is no JSON */
};

#define ANSWER_SIZE_MAX ((size_t)16 << 20)

/* `body` is consumed; NULL for none. Ends the program if no answer comes; an error status is an answer. */
struct http_answer http_call(const char *method, const char *url, const char *token, json_t *body);

/*
 * A call of im's API: `path` with its query, at the first of SKEIN_HTTP that can be connected to. Ends the program with the
 * problem's code and sentence unless the status is 2xx.
 */
struct http_answer http_api(const char *method, const char *path, const char *token, json_t *body);

void http_answer_release(struct http_answer *answer);

void http_end(void);

#endif
