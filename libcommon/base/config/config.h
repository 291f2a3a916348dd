#ifndef SKEIN_BASE_CONFIG_CONFIG_H
#define SKEIN_BASE_CONFIG_CONFIG_H

#include "base/config/config_table.h"
#include "base/error.h"

/*
 * Configuration is a table. Each option names a member of a service's own
 * struct; from the same row come parsing, validation, --help, the environment
 * variable and docs/operate/configuration.md.
 *
 * Sources, the later wins: the fallback, the file (--config FILE, lines of
 * `name = value`), the environment (`http.listen` is SKEIN_HTTP_LISTEN), the
 * command line (`--http.listen=VALUE` or `--http.listen VALUE`). An unknown
 * option, a value of the wrong type or out of range, or an option given twice in
 * the file is an error that names the source and the line.
 *
 * A secret must not stand where a list of processes or containers shows it. For
 * an option marked CONFIG_SECRET the environment may name a file instead
 * (SKEIN_AUTH_SECRET_FILE=/run/secrets/jwt), whose content, without one line end,
 * is the value. Both variables, or an empty file, are an error.
 *
 * In the file, `#` at the start of a line or after a blank begins a comment. A
 * value in double quotes is taken as it is, without the quotes.
 */

/* The action that the command line asks for. */
enum config_action { CONFIG_RUN, CONFIG_EXIT, CONFIG_MIGRATE };

/*
 * Fills `target`. --help, --version and --config-markdown print and give
 * CONFIG_EXIT, with no option set; `--migrate` gives CONFIG_MIGRATE. On an
 * error one sentence goes to stderr. Members that were not set are zero, so that
 * config_release() may follow in any case. The caller keeps `argv` unchanged for
 * config_reload(). Thread of all functions: the main one.
 */
err_t config_load(const struct config_table *table, int argc, char **argv,
                  void *target, enum config_action *action) MUST_CHECK;

/*
 * Reads the sources of the last config_load() again and changes those
 * reloadable options that differ, in `target`; the others are logged as needing
 * a restart. An error is logged, and nothing is changed.
 */
err_t config_reload(const struct config_table *table, void *target) MUST_CHECK;

/* Frees the texts. */
void config_release(const struct config_table *table, void *target);

/*
 * The options of every service. Embed `struct config_common common` in the service's
 * struct and CONFIG_COMMON_OPTIONS(struct im_config) in its table.
 */
struct config_common {
	char *node_name;
	char *internal_listen;
	int64_t log_level; /* enum log_level */
	int64_t log_format; /* enum log_format */
};

#define CONFIG_COMMON_OPTIONS(type) \
	{ "node.name", CONFIG_TEXT, offsetof(type, common.node_name), NULL, 1, 64, NULL, \
	  CONFIG_HOST_NAME, \
	  "Name of this process, unique in the cluster: in logs, routes and /v1/admin/nodes." }, \
	{ "internal.listen", CONFIG_TEXT, offsetof(type, common.internal_listen), NULL, 3, 128, NULL, \
	  CONFIG_ADDRESS, \
	  "Address and port of /healthz, /readyz and /metrics; keep it away from the public." }, \
	{ "log.level", CONFIG_CHOICE, offsetof(type, common.log_level), "info", 0, 0, \
	  "debug|info|warn|error", CONFIG_RELOADABLE, "The least severe level that is written." }, \
	{ "log.format", CONFIG_CHOICE, offsetof(type, common.log_format), "text", 0, 0, \
	  "text|json", 0, "One event a line, as key=value or as JSON." }

/* The version that was compiled in (git describe). */
extern const char skein_version[];

#endif
