#ifndef SKEIN_BASE_CONFIG_CONFIG_HELP_H
#define SKEIN_BASE_CONFIG_CONFIG_HELP_H

#include "base/config/config_table.h"

/* Print a table of options on stdout. config_load() calls them for --help and --config-markdown. */

void config_print_help(const struct config_table *table);

/* As a section of docs/operate/configuration.md. */
void config_print_markdown(const struct config_table *table);

#endif
