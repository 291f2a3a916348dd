#ifndef SKEIN_BASE_CONFIG_CONFIG_HELP_H
#define SKEIN_BASE_CONFIG_CONFIG_HELP_H

#include "base/config/config_table.h"

/* A table shown to people, on stdout. config_load() calls these for --help and --config-markdown. */

void config_print_help(const struct config_table *table);

/* As a section of docs/operate/configuration.md. */
void config_print_markdown(const struct config_table *table);

#endif
