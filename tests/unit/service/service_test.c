/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/telemetry/log.h"
#include "service/service.h"

struct test_config {
	struct config_common common;
	int64_t limit;
};

/* A service that notes which callbacks it got. */
struct app {
	struct service service;
	struct test_config config;
	char calls[64]; /* a letter for each callback */
	err_t prepare_err, start_err, migrate_err;
	bool fails_at_once;
	const char *raises; /* signals, "H" or "T"; each is raised when the one before was handled */
	struct task next;
};

static struct app app;

static const struct config_option options[] = {
	CONFIG_COMMON_OPTIONS(struct test_config),
	{ "limit", CONFIG_INT, offsetof(struct test_config, limit), "5", 1, 10, NULL, CONFIG_RELOADABLE, "A limit." },
};

static const struct config_table table = { "tester", "It tests.", options, ARRAY_LEN(options), true };

static void note(char call)
{
	app.calls[strlen(app.calls)] = call;
}

static err_t prepare(void *arg)
{
	assert_ptr_equal(arg, &app);
	note('p');
	return app.prepare_err;
}

static void raise_next(struct task *task)
{
	(void)task;
	assert_int_equal(raise(*app.raises++ == 'H' ? SIGHUP : SIGTERM), 0);
}

static err_t start(void *arg)
{
	assert_ptr_equal(arg, &app);
	note('s');
	app.next.run = raise_next;
	worker_post(&app.service.worker, &app.next);
	return app.start_err;
}

static void drain(void *arg)
{
	assert_ptr_equal(arg, &app);
	note('d');
	if (app.fails_at_once)
		service_fail(&app.service);
	service_leave(&app.service);
}

static void reloaded(void *arg)
{
	assert_ptr_equal(arg, &app);
	note(app.config.limit == 7 ? 'R' : 'r');
	worker_post(&app.service.worker, &app.next);
}

static void release(void *arg)
{
	assert_ptr_equal(arg, &app);
	note('f');
}

static err_t migrate(void *arg)
{
	assert_ptr_equal(arg, &app);
	note('m');
	return app.migrate_err;
}

static void always_ready(struct readiness_run *run, void *arg)
{
	(void)arg;
	readiness_done(run, OK);
}

static const struct readiness_check checks[] = { { .name = "nothing", .start = always_ready } };

static const struct service_definition definition = {
	.config_table = &table,
	.config = &app.config,
	.common = &app.config.common,
	.app = &app,
	.checks = checks,
	.check_count = ARRAY_LEN(checks),
	.migrate = migrate,
	.prepare = prepare,
	.start = start,
	.drain = drain,
	.reloaded = reloaded,
	.release = release,
};

#define RUN(...) run((char *[]){ "tester", "--node.name=n-1", "--internal.listen=127.0.0.1:0", __VA_ARGS__ __VA_OPT__(, ) NULL })

static int run(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return service_main(&app.service, &definition, argc, argv);
}

static int reset(void **state)
{
	(void)state;
	app = (struct app){ .raises = "T" };
	log_set_fd(-1);
	return 0;
}

static void a_signal_drains_and_the_process_ends_with_0(void **state)
{
	(void)state;

	assert_int_equal(RUN(), 0);
	assert_string_equal(app.calls, "psdf");
	assert_null(app.config.common.node_name);
}

static void a_service_that_has_failed_ends_with_1(void **state)
{
	(void)state;

	app.fails_at_once = true;
	assert_int_equal(RUN(), 1);
	assert_string_equal(app.calls, "psdf");
}

static void sighup_reads_the_options_again_and_tells_the_service(void **state)
{
	(void)state;

	app.raises = "HT";
	assert_int_equal(setenv("SKEIN_LIMIT", "7", 1), 0);
	assert_int_equal(RUN("--limit=6"), 0); /* the command line overrides the file */
	assert_string_equal(app.calls, "psrdf");
	reset(NULL);
	app.raises = "HT";
	assert_int_equal(RUN(), 0);
	assert_string_equal(app.calls, "psRdf");
	unsetenv("SKEIN_LIMIT");
}

static void an_invalid_option_ends_with_2_before_anything_is_made(void **state)
{
	(void)state;

	assert_int_equal(RUN("--limit=11"), 2);
	assert_string_equal(app.calls, "");
}

static void help_ends_with_0_before_anything_is_made(void **state)
{
	(void)state;

	assert_int_equal(RUN("--help"), 0);
	assert_string_equal(app.calls, "");
}

static void a_process_that_migrates_does_nothing_else(void **state)
{
	(void)state;

	assert_int_equal(RUN("--migrate"), 0);
	app.migrate_err = ERR_UNAVAILABLE;
	assert_int_equal(RUN("--migrate"), 1);
	assert_string_equal(app.calls, "mm");
}

static void a_service_that_fails_to_prepare_is_not_started(void **state)
{
	(void)state;

	app.prepare_err = ERR_BAD_CONFIG;
	assert_int_equal(RUN(), 1);
	assert_string_equal(app.calls, "p");
	config_release(&table, &app.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_signal_drains_and_the_process_ends_with_0, reset),
		cmocka_unit_test_setup(a_service_that_has_failed_ends_with_1, reset),
		cmocka_unit_test_setup(sighup_reads_the_options_again_and_tells_the_service, reset),
		cmocka_unit_test_setup(an_invalid_option_ends_with_2_before_anything_is_made, reset),
		cmocka_unit_test_setup(help_ends_with_0_before_anything_is_made, reset),
		cmocka_unit_test_setup(a_process_that_migrates_does_nothing_else, reset),
		cmocka_unit_test_setup(a_service_that_fails_to_prepare_is_not_started, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
