/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config/config.h"
#include "base/macros.h"
#include "tests/unit/base/captured.h"
#include "tests/unit/base/config_file.h"

/* Secrets from files that the environment names; the other sources are in config_test.c. */

struct test_config {
	char *secret;
	char *motto;
};

static const struct config_option options[] = {
	{ "auth.secret", CONFIG_TEXT, offsetof(struct test_config, secret), "default-secret", 8, 32, NULL, CONFIG_SECRET,
	  "Key of the tokens." },
	{ "motto", CONFIG_TEXT, offsetof(struct test_config, motto), "", 0, 0, NULL, 0, "Any text." },
};

static const struct config_table table = { "tester", "It tests.", options, ARRAY_LEN(options), false };

static struct test_config config;
static enum config_action action;
static struct captured errors;

/* Loads with at most one argument. The output on stderr is in errors.text. */
static err_t load(char *argument)
{
	char *argv[] = { "tester", argument, NULL };

	capture_begin(&errors, 2);
	err_t err = config_load(&table, argument ? 2 : 1, argv, &config, &action);
	capture_end(&errors);
	return err;
}

static void release(void)
{
	config_release(&table, &config);
}

static void assert_refused_with(err_t err, const char *sentence)
{
	assert_int_equal(err, ERR_BAD_CONFIG);
	if (!strstr(errors.text, sentence))
		fail_msg("\"%s\" is not in: %s", sentence, errors.text);
	assert_ptr_equal(strchr(errors.text, '\n'), errors.text + strlen(errors.text) - 1);
	release();
}

/* Loads with SKEIN_AUTH_SECRET_FILE naming a file with this content. */
static err_t load_secret(const char *content, size_t len)
{
	config_file_write(content, len);
	setenv("SKEIN_AUTH_SECRET_FILE", config_file_path, 1);
	err_t err = load(NULL);
	unsetenv("SKEIN_AUTH_SECRET_FILE");
	return err;
}

static void a_secret_may_come_from_a_file_that_the_environment_names(void **state)
{
	static const char *const contents[] = { "from-a-file", "from-a-file\n", "from-a-file\r\n" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		assert_int_equal(load_secret(contents[i], strlen(contents[i])), OK);
		assert_string_equal(config.secret, "from-a-file");
		release();
	}
	setenv("SKEIN_AUTH_SECRET_FILE", config_file_path, 1);
	assert_int_equal(load("--auth.secret=command-line"), OK);
	assert_string_equal(config.secret, "command-line");
	release();
	setenv("SKEIN_AUTH_SECRET_FILE", "", 1);
	assert_int_equal(load(NULL), OK);
	assert_string_equal(config.secret, "default-secret");
	unsetenv("SKEIN_AUTH_SECRET_FILE");
	release();
}

static void only_a_secret_comes_from_a_file(void **state)
{
	(void)state;
	config_file_write("in-a-file", 9);
	setenv("SKEIN_MOTTO_FILE", config_file_path, 1);
	assert_int_equal(load(NULL), OK);
	unsetenv("SKEIN_MOTTO_FILE");
	assert_string_equal(config.motto, "");
	release();
}

static void a_secret_file_that_cannot_be_used_is_named(void **state)
{
	static char large[(1 << 20) + 1];
	(void)state;

	memset(large, 's', sizeof(large));
	assert_refused_with(load_secret("", 0), " is empty\n");
	assert_refused_with(load_secret("\n", 1), " is empty\n");
	assert_refused_with(load_secret(large, sizeof(large)), ": more than 1048576 bytes\n");
	assert_refused_with(load_secret(large, 33), ": auth.secret must be 8 to 32 bytes\n");
	assert_null(strstr(errors.text, "sss"));
	assert_refused_with(load_secret("two-li\nnes-of", 13), ": auth.secret must be ");
	assert_null(strstr(errors.text, "two-li"));
	assert_refused_with(load_secret("a-nul\0inside", 12), ": auth.secret must be ");
	setenv("SKEIN_AUTH_SECRET", "from-the-environment", 1);
	assert_refused_with(load_secret("from-a-file", 11),
	                    "SKEIN_AUTH_SECRET_FILE and the same without _FILE are both set\n");
	unsetenv("SKEIN_AUTH_SECRET");
	setenv("SKEIN_AUTH_SECRET_FILE", "/no/such/file", 1);
	assert_refused_with(load(NULL),
	                    "tester: SKEIN_AUTH_SECRET_FILE: /no/such/file: No such file or directory\n");
	setenv("SKEIN_AUTH_SECRET_FILE", "/tmp", 1);
	assert_refused_with(load(NULL), "tester: SKEIN_AUTH_SECRET_FILE: /tmp: Is a directory\n");
	unsetenv("SKEIN_AUTH_SECRET_FILE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_may_come_from_a_file_that_the_environment_names),
		cmocka_unit_test(only_a_secret_comes_from_a_file),
		cmocka_unit_test(a_secret_file_that_cannot_be_used_is_named),
	};
	return cmocka_run_group_tests(tests, config_file_make, config_file_remove);
}
