#include "tests/unit/base/config_file.h"

/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char config_file_path[] = "/tmp/skein-config-test-XXXXXX";

int config_file_make(void **state)
{
	(void)state;
	int fd = mkstemp(config_file_path);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

int config_file_remove(void **state)
{
	(void)state;
	return unlink(config_file_path);
}

void config_file_write(const char *content, size_t len)
{
	FILE *file = fopen(config_file_path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, len, file), len);
	fclose(file);
}
