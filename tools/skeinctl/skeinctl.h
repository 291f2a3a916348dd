#ifndef SKEIN_TOOLS_SKEINCTL_H
#define SKEIN_TOOLS_SKEINCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * Functions that the commands share. skeinctl is a short-lived program: an error
 * ends it with one sentence on stderr and exit code 1 (die()).
 */

_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2);

/* ---- command lines: `--name value`, `--name=value`, and the rest in order ---- */

struct args {
	int count;
	char **words;
	bool as_json;
};

/* The option's value, taken out of the words; `fallback` if it is not there. */
const char *args_option(struct args *args, const char *name, const char *fallback);
const char *args_required(struct args *args, const char *name);

/* The next word that is no option; NULL when there is none. Unknown options end the program. */
const char *args_word(struct args *args);
void args_end(struct args *args); /* nothing may be left */

/* ---- the cluster ---- */

/*
 * A variable of contract section 7 (SKEIN_HTTP ...): from the environment, else from .run/env here or in a folder above.
 * SKEIN_JWT_SECRET also comes from the file that SKEIN_AUTH_SECRET_FILE names. Ends the program if none has it.
 */
const char *setting(const char *name);

#define SECRET_SIZE_MAX 1024 /* that of auth.secret */

/* The first line of a file, for the setting `name`; ends the program if there is none. free() it. */
char *read_secret_file(const char *name, const char *path);

/* Item `index` (wrapped around) of a comma-separated setting. free() it. */
char *setting_item(const char *name, unsigned index);

/* A token for `uid` signed with the cluster's secret. free() it. */
char *make_token(const char *uid, bool is_admin, uint64_t ttl_ms);

/* ---- HTTP, over libcurl, one connection kept ---- */

struct http_answer {
	long status;
	json_t *body; /* NULL without one */
};

/* `body` is consumed; NULL for none. Ends the program if no answer comes; an error status is an answer. */
struct http_answer http_call(const char *method, const char *url, const char *token, json_t *body);

/* As above, and ends the program with the problem's sentence unless the status is 2xx. json_decref() the result. */
json_t *http_must(const char *method, const char *url, const char *token, json_t *body);

void http_end(void);

/* ---- the commands ---- */

int command_token(struct args *args);
int command_send(struct args *args);
int command_listen(struct args *args);
int command_nodes(struct args *args);
int command_demo(struct args *args);
int command_health(struct args *args);
int command_secrets(struct args *args);

/* The body of POST /v1/messages for a text. */
json_t *text_message(const char *user, const char *group, const char *text);

/* "500ms", "10s", "5m", "24h", "7d" in milliseconds; ends the program if it is none of these. */
uint64_t parse_duration(const char *text);

#endif
