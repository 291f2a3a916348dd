#ifndef SKEIN_TESTS_UNIT_BASE_CONFIG_FILE_H
#define SKEIN_TESTS_UNIT_BASE_CONFIG_FILE_H

#include <stddef.h>

/* A file of the test's own, for options or a secret. Make and remove are fixtures of cmocka. */
extern char config_file_path[];

int config_file_make(void **state);
int config_file_remove(void **state);

/* In place of what the file has. */
void config_file_write(const char *content, size_t len);

#endif
