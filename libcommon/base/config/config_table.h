#ifndef SKEIN_BASE_CONFIG_CONFIG_TABLE_H
#define SKEIN_BASE_CONFIG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rows of a configuration; config.h explains them. Services include config.h. */

enum config_type {
	CONFIG_BOOL, /* bool: true|false|on|off */
	CONFIG_INT, /* int64_t */
	CONFIG_BYTES, /* int64_t: 64, 16k, 4m, 1g */
	CONFIG_DURATION, /* int64_t milliseconds: 0, 500ms, 10s, 5m, 2h, 7d */
	CONFIG_TEXT, /* char *, owned by the configuration; never NULL; UTF-8 without control characters */
	CONFIG_CHOICE, /* int64_t: the index in `choices` */
};

struct config_option {
	const char *name; /* "pg.connections" */
	enum config_type type;
	size_t offset;
	const char *fallback; /* as it would stand in the file; NULL: must be given, unless CONFIG_HOST_NAME */
	int64_t min, max; /* numbers: the range; texts: the length, or none where the fallback is empty. Both 0: any */
	const char *choices; /* CONFIG_CHOICE: "per_device|per_platform|single" */
	unsigned flags;
	const char *help; /* one sentence */
};

#define CONFIG_RELOADABLE 1u /* takes effect on SIGHUP */
#define CONFIG_SECRET 2u /* never shown; may come from a file that the environment names */
#define CONFIG_HOST_NAME 4u /* the default is the host's name */
#define CONFIG_ADDRESS 8u /* a text of the form host:port (base/text/host_port.h) */

/* SKEIN_AUTH_SECRET_FILE is the path of a file with the value of SKEIN_AUTH_SECRET. */
#define CONFIG_FILE_SUFFIX "_FILE"

struct config_table {
	const char *program; /* "im" */
	const char *summary; /* one line for --help */
	const struct config_option *options;
	size_t option_count;
	bool can_migrate; /* knows --migrate; for others it is an unknown option */
};

#endif
