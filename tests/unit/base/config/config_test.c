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
#include "base/config/config_help.h"
#include "base/telemetry/log.h"
#include "base/macros.h"
#include "tests/unit/base/captured.h"
#include "tests/unit/base/config_file.h"

struct test_config {
	struct config_common common;
	bool wants_tls;
	int64_t workers;
	int64_t body_max;
	int64_t timeout_ms;
	int64_t policy;
	char *listen;
	char *secret;
	char *motto;
};

static const struct config_option options[] = {
	CONFIG_COMMON_OPTIONS(struct test_config),
	{ "http.tls", CONFIG_BOOL, offsetof(struct test_config, wants_tls), "off", 0, 0, NULL, 0, "Speak TLS." },
	{ "http.workers", CONFIG_INT, offsetof(struct test_config, workers), "4", 1, 64, NULL, 0, "Threads." },
	{ "http.body_max", CONFIG_BYTES, offsetof(struct test_config, body_max), "64k", 1024, 1048576, NULL,
	  CONFIG_RELOADABLE, "Largest body." },
	{ "http.timeout", CONFIG_DURATION, offsetof(struct test_config, timeout_ms), "10s", 100, 3600000, NULL,
	  CONFIG_RELOADABLE, "Longest wait." },
	{ "login.policy", CONFIG_CHOICE, offsetof(struct test_config, policy), "per_device", 0, 0,
	  "per_device|per_platform|single", 0, "Who may stay." },
	{ "http.listen", CONFIG_TEXT, offsetof(struct test_config, listen), "127.0.0.1:8080", 3, 128, NULL, CONFIG_ADDRESS,
	  "Address." },
	{ "auth.secret", CONFIG_TEXT, offsetof(struct test_config, secret), "default-secret", 8, 32, NULL,
	  CONFIG_SECRET | CONFIG_RELOADABLE, "Key of the tokens." },
	{ "motto", CONFIG_TEXT, offsetof(struct test_config, motto), "", 0, 0, NULL, CONFIG_RELOADABLE, "Any text." },
};

static const struct config_table table = { "tester", "It tests.", options, ARRAY_LEN(options), true };

static struct test_config config;
static enum config_action action;
static struct captured errors;

#define REQUIRED "--node.name=n-1", "--internal.listen=127.0.0.1:9000"
#define ARGS(...) ((char *[]){ "tester", __VA_ARGS__ __VA_OPT__(,) NULL })

/* Loads. The output on stderr is in errors.text. `argv` stays valid for a reload. */
static err_t load(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	capture_begin(&errors, 2);
	err_t err = config_load(&table, argc, argv, &config, &action);
	capture_end(&errors);
	return err;
}

static err_t load_file(const char *content)
{
	static char *argv[] = { "tester", REQUIRED, "--config", config_file_path, NULL };

	config_file_write(content, strlen(content));
	return load(argv);
}

static void release(void)
{
	config_release(&table, &config);
}

static void assert_refused_with(err_t err, const char *sentence)
{
	assert_int_equal(err, ERR_BAD_CONFIG);
	assert_int_equal(action, CONFIG_EXIT);
	if (!strstr(errors.text, sentence))
		fail_msg("\"%s\" is not in: %s", sentence, errors.text);
	/* One sentence, and the texts are gone: releasing is harmless. */
	assert_ptr_equal(strchr(errors.text, '\n'), errors.text + strlen(errors.text) - 1);
	assert_null(config.listen);
	release();
}

static void without_sources_the_fallbacks_count(void **state)
{
	(void)state;
	assert_int_equal(load(ARGS(REQUIRED)), OK);
	assert_int_equal(action, CONFIG_RUN);
	assert_string_equal(errors.text, "");
	assert_string_equal(config.common.node_name, "n-1");
	assert_int_equal(config.common.log_level, LOG_INFO);
	assert_int_equal(config.common.log_format, LOG_KEY_VALUE);
	assert_false(config.wants_tls);
	assert_int_equal(config.workers, 4);
	assert_int_equal(config.body_max, 65536);
	assert_int_equal(config.timeout_ms, 10000);
	assert_int_equal(config.policy, 0);
	assert_string_equal(config.listen, "127.0.0.1:8080");
	assert_string_equal(config.motto, "");
	release();
	assert_null(config.listen);
}

static void the_file_the_environment_and_the_command_line_win_in_this_order(void **state)
{
	char *argv[] = { "tester", "--http.workers", "7", REQUIRED, "--config", config_file_path, NULL };
	const char content[] = "http.workers = 5\nhttp.listen = file:1\nhttp.timeout = 5m\n";
	(void)state;

	config_file_write(content, strlen(content));
	setenv("SKEIN_HTTP_WORKERS", "6", 1);
	setenv("SKEIN_HTTP_LISTEN", "env:1", 1);
	assert_int_equal(load(argv), OK);
	unsetenv("SKEIN_HTTP_WORKERS");
	unsetenv("SKEIN_HTTP_LISTEN");
	assert_int_equal(config.workers, 7);
	assert_string_equal(config.listen, "env:1");
	assert_int_equal(config.timeout_ms, 300000);
	assert_int_equal(config.body_max, 65536);
	release();
}

static void every_type_is_read_in_its_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t number;
	} sizes[] = { { "1024", 1024 }, { "16k", 16384 }, { "1m", 1048576 } },
	  durations[] = { { "500ms", 500 }, { "10s", 10000 }, { "5m", 300000 }, { "1h", 3600000 } };
	char argument[64];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(argument, sizeof(argument), "--http.body_max=%s", sizes[i].text);
		assert_int_equal(load(ARGS(REQUIRED, argument)), OK);
		assert_int_equal(config.body_max, sizes[i].number);
		release();
	}
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		snprintf(argument, sizeof(argument), "--http.timeout=%s", durations[i].text);
		assert_int_equal(load(ARGS(REQUIRED, argument)), OK);
		assert_int_equal(config.timeout_ms, durations[i].number);
		release();
	}
	assert_int_equal(load(ARGS(REQUIRED, "--http.tls=on", "--login.policy=single", "--log.level", "error")), OK);
	assert_true(config.wants_tls);
	assert_int_equal(config.policy, 2);
	assert_int_equal(config.common.log_level, LOG_ERROR);
	release();
	assert_int_equal(load(ARGS(REQUIRED, "--http.tls=true", "--http.tls=false")), OK);
	assert_false(config.wants_tls);
	release();
}

static void a_wrong_value_is_refused_with_what_it_must_be(void **state)
{
	static const struct {
		char *argument;
		const char *sentence;
	} cases[] = {
		{ "--http.tls=yes", "http.tls must be on or off, not \"yes\"" },
		{ "--http.tls=", "http.tls must be on or off" },
		{ "--http.workers=four", "http.workers must be a whole number, not \"four\"" },
		{ "--http.workers=4.5", "must be a whole number" },
		{ "--http.workers=99999999999999999999", "must be a whole number" },
		{ "--http.workers=0", "http.workers must be 1 to 64, not \"0\"" },
		{ "--http.workers=65", "must be 1 to 64" },
		{ "--http.workers=-1", "must be 1 to 64" },
		{ "--http.body_max=2m", "http.body_max must be 1k to 1m, not \"2m\"" },
		{ "--http.body_max=2t", "must be a size as 64, 16k, 4m or 1g" },
		{ "--http.body_max=99999999999g", "must be a size" },
		{ "--http.body_max=k", "must be a size" },
		{ "--http.body_max=-1k", "must be a size" },
		{ "--http.timeout=10", "http.timeout must be a duration as 500ms, 10s, 5m, 2h or 7d, not \"10\"" },
		{ "--http.timeout=10 s", "must be a duration" },
		{ "--http.timeout=2h", "http.timeout must be 100ms to 1h" },
		{ "--http.timeout=0", "http.timeout must be 100ms to 1h" },
		{ "--login.policy=none", "login.policy must be one of per_device|per_platform|single, not \"none\"" },
		{ "--login.policy=per_device|single", "must be one of" },
		{ "--http.listen=ab", "http.listen must be 3 to 128 bytes, not \"ab\"" },
		{ "--http.listen=banana", "http.listen must be host:port or [IPv6]:port, not \"banana\"" },
		{ "--http.listen=::1:80", "http.listen must be host:port or [IPv6]:port, not \"::1:80\"" },
		{ "--http.listen=bad\xff", "http.listen must be UTF-8 text without control characters" },
		{ "--motto=a\nb", "motto must be UTF-8 text without control characters" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_refused_with(load(ARGS(REQUIRED, cases[i].argument)), cases[i].sentence);
		assert_non_null(strstr(errors.text, "tester: the command line: "));
	}
}

static void a_wrong_line_of_the_file_is_named_by_its_number(void **state)
{
	static const struct {
		const char *content, *sentence;
	} cases[] = {
		{ "\n# a comment\nhttp.workers = x\n", ":3: http.workers must be a whole number" },
		{ "http.lissten = a:1\n", ":1: there is no option \"http.lissten\"" },
		{ "http.workers 5\n", ":1: a line must be `name = value`" },
		{ "= 5\n", ":1: there is no option \"\"" },
		{ "http.workers = 5\n\nhttp.workers = 5\n", ":3: http.workers is given in line 1 already" },
		{ "motto = \"open\n", ":1: the quotes of motto are not closed" },
		{ "motto = \"a\" b\n", ":1: the quotes of motto are not closed" },
		{ "HTTP.WORKERS = 5\n", ":1: there is no option" },
		{ "config = other.conf\n", ":1: there is no option" },
		{ "motto = last line without an end\nhttp.tls = maybe", ":2: http.tls must be" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_refused_with(load_file(cases[i].content), cases[i].sentence);
		assert_non_null(strstr(errors.text, config_file_path));
	}
}

static void the_file_knows_comments_blanks_and_quotes(void **state)
{
	static const char *const content =
		"\t# comment\r\n\r\n  http.workers=9   # nine\r\n"
		"motto = \" two # words = \" # really\nhttp.listen = a#b:1\n#motto = no\n";
	(void)state;
	assert_int_equal(load_file(content), OK);
	assert_int_equal(config.workers, 9);
	assert_string_equal(config.motto, " two # words = ");
	assert_string_equal(config.listen, "a#b:1");
	release();
	assert_int_equal(load_file("motto =\n"), OK);
	assert_string_equal(config.motto, "");
	release();
	assert_int_equal(load_file(""), OK);
	release();
}

static void hostile_files_are_refused(void **state)
{
	static char *argv[] = { "tester", REQUIRED, "--config", config_file_path, NULL };
	size_t size = 2 << 20;
	char *big = malloc(size);
	(void)state;

	assert_non_null(big);
	memset(big, '#', size);
	config_file_write(big, size);
	assert_refused_with(load(argv), "more than 1048576 bytes");
	free(big);
	config_file_write("motto = a\0b\n", 12);
	assert_refused_with(load(argv), ":1: motto must be UTF-8 text");
	config_file_write("\0\n", 2);
	assert_refused_with(load(argv), ":1: ");
	assert_refused_with(load(ARGS(REQUIRED, "--config=/nonexistent/file")), "/nonexistent/file: No such file");
	assert_refused_with(load(ARGS(REQUIRED, "--config=/tmp")), "/tmp: Is a directory");
}

static void a_wrong_command_line_is_refused(void **state)
{
	static const struct {
		char *arguments[2];
		const char *sentence;
	} cases[] = {
		{ { "--no.such=1" }, "there is no option \"--no.such\"" },
		{ { "--http.workers" }, "--http.workers needs a value" },
		{ { "--http.workers", "--http.tls=on" }, "--http.workers needs a value" },
		{ { "--config" }, "--config needs a value" },
		{ { "stray" }, "\"stray\" is not an option" },
		{ { "-h" }, "\"-h\" is not an option" },
		{ { "--" }, "there is no option \"--\"" },
		{ { "--http.workers=1", "stray" }, "\"stray\" is not an option" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused_with(load(ARGS(REQUIRED, cases[i].arguments[0], cases[i].arguments[1])),
		                    cases[i].sentence);
}

static void an_option_without_a_fallback_must_be_given(void **state)
{
	(void)state;
	assert_refused_with(load(ARGS("--node.name=n-1")),
	                    "internal.listen must be given (--internal.listen=VALUE, SKEIN_INTERNAL_LISTEN or in the file)");
	setenv("SKEIN_INTERNAL_LISTEN", "env:1", 1);
	assert_int_equal(load(ARGS("--node.name=n-1")), OK);
	unsetenv("SKEIN_INTERNAL_LISTEN");
	assert_string_equal(config.common.internal_listen, "env:1");
	release();
}

static void a_process_without_a_name_has_the_hosts(void **state)
{
	char host[65] = "";
	(void)state;

	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_int_equal(load(ARGS("--internal.listen=a:1")), OK);
	assert_string_equal(config.common.node_name, host);
	release();
}

static void a_wrong_environment_variable_is_named_and_strange_ones_are_ignored(void **state)
{
	(void)state;
	setenv("SKEIN_NO_SUCH", "1", 1);
	setenv("SKEIN_HTTP_TIMEOUT", "soon", 1);
	assert_refused_with(load(ARGS(REQUIRED)), "SKEIN_HTTP_TIMEOUT: http.timeout must be a duration");
	unsetenv("SKEIN_HTTP_TIMEOUT");
	assert_int_equal(load(ARGS(REQUIRED)), OK);
	unsetenv("SKEIN_NO_SUCH");
	release();
}

static void a_secret_is_never_shown(void **state)
{
	struct captured output;
	(void)state;

	assert_refused_with(load(ARGS(REQUIRED, "--auth.secret=hunter2")), "auth.secret must be 8 to 32 bytes\n");
	assert_null(strstr(errors.text, "hunter2"));
	assert_refused_with(load_file("auth.secret = hunter2"), ":1: auth.secret must be 8 to 32 bytes\n");
	assert_refused_with(load_file("auth.secret hunter2"), ":1: a line must be");
	assert_null(strstr(errors.text, "hunter2"));
	capture_begin(&output, 1);
	assert_int_equal(load(ARGS("--help")), OK);
	config_print_markdown(&table);
	capture_end(&output);
	assert_null(strstr(output.text, "default-secret"));
	assert_int_equal(action, CONFIG_EXIT);
}

static void help_is_a_table_of_all_options_in_columns(void **state)
{
	struct captured output;
	size_t column = 0;
	(void)state;

	capture_begin(&output, 1);
	assert_int_equal(load(ARGS("--help")), OK); /* though nothing that is required was given */
	capture_end(&output);
	assert_int_equal(action, CONFIG_EXIT);
	assert_non_null(strstr(output.text, "tester - It tests."));
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char name[64];
		snprintf(name, sizeof(name), "\n  --%s ", options[i].name);
		const char *row = strstr(output.text, name);
		assert_non_null(row);
		const char *help = strstr(row, options[i].help);
		assert_non_null(help);
		assert_null(memchr(row + 1, '\n', (size_t)(help - row - 1)));
		column = column ? column : (size_t)(help - row);
		assert_int_equal(help - row, column);
	}
	assert_non_null(strstr(output.text, "duration, 100ms to 1h"));
	assert_non_null(strstr(output.text, "Longest wait. *\n"));
	assert_non_null(strstr(output.text, "--migrate"));
}

static void version_and_markdown_are_printed(void **state)
{
	struct captured output;
	char expected[128];
	(void)state;

	capture_begin(&output, 1);
	assert_int_equal(load(ARGS("--version")), OK);
	capture_end(&output);
	snprintf(expected, sizeof(expected), "tester %s\n", skein_version);
	assert_string_equal(output.text, expected);
	assert_true(strlen(skein_version) > 0);
	capture_begin(&output, 1);
	assert_int_equal(load(ARGS("--config-markdown")), OK);
	capture_end(&output);
	assert_int_equal(action, CONFIG_EXIT);
	assert_non_null(strstr(output.text, "## tester\n\nIt tests.\n\n| option | environment |"));
	assert_non_null(strstr(output.text, "| `http.timeout` | `SKEIN_HTTP_TIMEOUT` | duration, 100ms to 1h | 10s | "
	                                    "yes | Longest wait. |\n"));
	assert_non_null(strstr(output.text, "| per_device\\|per_platform\\|single | per_device | no | "));
	assert_non_null(strstr(output.text, "| `node.name` | `SKEIN_NODE_NAME` | text, 1 to 64 bytes | the host's name | "));
	assert_non_null(strstr(output.text, "| `internal.listen` | `SKEIN_INTERNAL_LISTEN` | text, 3 to 128 bytes | required | "));
	assert_non_null(strstr(output.text, "| `auth.secret` | `SKEIN_AUTH_SECRET`, `_FILE` | "));
}

static void migrate_is_a_word_of_programs_with_migrations_only(void **state)
{
	static const struct config_table other = { "other", "It does not.", options, ARRAY_LEN(options), false };
	(void)state;

	assert_int_equal(load(ARGS("--migrate", REQUIRED, "--http.workers=3")), OK);
	assert_int_equal(action, CONFIG_MIGRATE);
	assert_int_equal(config.workers, 3);
	release();
	capture_begin(&errors, 2);
	err_t err = config_load(&other, 4, ARGS("--migrate", REQUIRED), &config, &action);
	capture_end(&errors);
	assert_refused_with(err, "there is no option \"--migrate\"");
}

static void a_reload_changes_reloadable_options_and_logs_the_others(void **state)
{
	struct captured log;
	(void)state;

	assert_int_equal(load_file("http.timeout = 5s\nhttp.workers = 5\nauth.secret = first-secret\n"), OK);
	const char content[] =
		"http.timeout = 7s\nhttp.workers = 6\nauth.secret = second-secret\nlog.level = warn\n"
		"motto = new\n";
	config_file_write(content, strlen(content));
	capture_begin(&log, 2);
	assert_int_equal(config_reload(&table, &config), OK);
	capture_end(&log);
	assert_int_equal(config.timeout_ms, 7000);
	assert_int_equal(config.common.log_level, LOG_WARN);
	assert_string_equal(config.motto, "new");
	assert_string_equal(config.secret, "second-secret");
	assert_int_equal(config.workers, 5);
	assert_non_null(strstr(log.text, "option changed option=http.timeout"));
	assert_non_null(strstr(log.text, "only after a restart option=http.workers"));
	assert_non_null(strstr(log.text, "option=auth.secret"));
	assert_null(strstr(log.text, "second-secret"));
	assert_null(strstr(log.text, "http.listen"));
	release();
}

static void a_reload_that_fails_changes_nothing(void **state)
{
	struct captured log;
	(void)state;

	assert_int_equal(load_file("http.timeout = 5s\n"), OK);
	const char content[] = "http.timeout = 7s\nmotto = new\nhttp.body_max = huge\n";
	config_file_write(content, strlen(content));
	capture_begin(&log, 2);
	assert_int_equal(config_reload(&table, &config), ERR_BAD_CONFIG);
	capture_end(&log);
	assert_int_equal(config.timeout_ms, 5000);
	assert_string_equal(config.motto, "");
	assert_non_null(strstr(log.text, "configuration was not reloaded"));
	assert_non_null(strstr(log.text, ":3: http.body_max must be a size"));
	release();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_sources_the_fallbacks_count),
		cmocka_unit_test(the_file_the_environment_and_the_command_line_win_in_this_order),
		cmocka_unit_test(every_type_is_read_in_its_forms),
		cmocka_unit_test(a_wrong_value_is_refused_with_what_it_must_be),
		cmocka_unit_test(a_wrong_line_of_the_file_is_named_by_its_number),
		cmocka_unit_test(the_file_knows_comments_blanks_and_quotes),
		cmocka_unit_test(hostile_files_are_refused),
		cmocka_unit_test(a_wrong_command_line_is_refused),
		cmocka_unit_test(an_option_without_a_fallback_must_be_given),
		cmocka_unit_test(a_process_without_a_name_has_the_hosts),
		cmocka_unit_test(a_wrong_environment_variable_is_named_and_strange_ones_are_ignored),
		cmocka_unit_test(a_secret_is_never_shown),
		cmocka_unit_test(help_is_a_table_of_all_options_in_columns),
		cmocka_unit_test(version_and_markdown_are_printed),
		cmocka_unit_test(migrate_is_a_word_of_programs_with_migrations_only),
		cmocka_unit_test(a_reload_changes_reloadable_options_and_logs_the_others),
		cmocka_unit_test(a_reload_that_fails_changes_nothing),
	};
	return cmocka_run_group_tests(tests, config_file_make, config_file_remove);
}
