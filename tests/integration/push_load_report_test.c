/* The report of push's load, which im reads from a real Redis. The test plays the intake and the conversations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text/buf.h"
#include "base/clock.h"
#include "base/telemetry/metrics.h"
#include "push/intake/load_report.h"
#include "push/order/delivery_wait.h"
#include "push/intake/intake.h"
#include "push/order/conversations.h"
#include "redis_fixture.h"

#define LOAD_KEY "im:push:load"

/* 100 messages end in an interval, one each millisecond, after 10 ms each. */
#define ENDED 100
#define TOOK_US 10000

/* The estimate (delivery_wait.c): 100 in flight wait 3 * 10 + 50 ms, 1,000 in Kafka wait 1,000 ms. */
#define IN_FLIGHT 100
#define UNTAKEN 1000
#define WAIT_MS 1080

static struct real_server server = { .kind = REAL_REDIS };
static struct redis_fixture fixture;
static struct load_report *report;
static size_t in_flight;
static int64_t untaken;

size_t conversations_in_flight(const struct conversations *conversations)
{
	(void)conversations;
	return in_flight;
}

int64_t intake_untaken(const struct intake *intake)
{
	(void)intake;
	return untaken;
}

static void set_load(size_t now_in_flight, int64_t now_untaken)
{
	in_flight = now_in_flight;
	untaken = now_untaken;
}

static int open_push(void **state)
{
	redis_fixture_open(&fixture, &server, 100);
	redis_fixture_await_up(&fixture);
	redis_fixture_number(&fixture, "DEL", LOAD_KEY);
	set_load(0, 0);
	report = load_report_new(&fixture.worker, fixture.redis, "push-1", NULL);
	load_report_start(report, NULL);
	*state = &fixture;
	return 0;
}

static int close_push(void **state)
{
	load_report_stop(report);
	redis_fixture_close(*state);
	load_report_free(report);
	return 0;
}

static bool is_interval_over(void *arg)
{
	const struct delivery_wait *wait = arg;

	return wait->ended == 0;
}

static void get_on_for_an_interval(struct redis_fixture *f)
{
	for (int i = 0; i < ENDED; i++)
		delivery_wait_ended(load_report_wait(report), TOOK_US);
	turn_until(&f->worker, is_interval_over, load_report_wait(report));
}

/* Several times: the machine may freeze for longer than a report lives, and a new script runs late. */
static void get_on_until_redis_has(struct redis_fixture *f, unsigned wait_ms)
{
	uint64_t start_ms = clock_mono_ms();

	do {
		assert_true(clock_mono_ms() < start_ms + STORE_PATIENCE_MS);
		get_on_for_an_interval(f);
	} while (redis_fixture_push_load(f) != wait_ms);
}

static void fall_behind(struct redis_fixture *f)
{
	set_load(IN_FLIGHT, UNTAKEN);
	get_on_until_redis_has(f, WAIT_MS);
}

static void assert_metric(const char *line)
{
	struct buf text = { 0 };

	metrics_write(&text);
	buf_append_char(&text, '\0');
	assert_non_null(strstr(text.ptr, line));
	buf_release(&text);
}

static void a_push_that_is_behind_keeps_reporting_how_far_in_redis_and_in_its_metrics(void **state)
{
	struct redis_fixture *f = *state;

	fall_behind(f);
	assert_metric("\nskein_push_wait_milliseconds 1080\n");
	assert_int_equal(redis_fixture_number(f, "DEL", LOAD_KEY), 1);
	get_on_until_redis_has(f, WAIT_MS);
	set_load(IN_FLIGHT, 2 * UNTAKEN);
	get_on_until_redis_has(f, WAIT_MS + UNTAKEN);
	assert_metric("\nskein_push_wait_milliseconds 2080\n");
}

static void a_push_that_has_caught_up_says_so_once_and_then_nothing_until_it_is_behind_again(void **state)
{
	struct redis_fixture *f = *state;

	fall_behind(f);
	set_load(0, 0);
	get_on_for_an_interval(f);
	assert_int_equal(redis_fixture_push_load(f), 0); /* before the report is old */
	assert_metric("\nskein_push_wait_milliseconds 0\n");
	assert_int_equal(redis_fixture_number(f, "DEL", LOAD_KEY), 1);
	for (int i = 0; i < 3; i++)
		get_on_for_an_interval(f);
	assert_int_equal(redis_fixture_number(f, "EXISTS", LOAD_KEY), 0);
	set_load(IN_FLIGHT, UNTAKEN);
	get_on_for_an_interval(f);
	assert_int_equal(redis_fixture_number(f, "EXISTS", LOAD_KEY), 1);
}

static void a_push_that_was_never_behind_writes_nothing(void **state)
{
	struct redis_fixture *f = *state;

	set_load(DELIVERY_QUEUE_MIN - 1, 0);
	for (int i = 0; i < 3; i++)
		get_on_for_an_interval(f);
	assert_int_equal(redis_fixture_number(f, "EXISTS", LOAD_KEY), 0);
}

static void the_report_of_a_push_that_makes_no_progress_expires(void **state)
{
	struct redis_fixture *f = *state;
	uint64_t start_ms = clock_mono_ms();

	fall_behind(f);
	while (redis_fixture_push_load(f)) /* all messages still wait, but none ends */
		assert_true(clock_mono_ms() < start_ms + STORE_PATIENCE_MS);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	return 0;
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	return 0;
}

#define LOAD_TEST(name) cmocka_unit_test_setup_teardown(name, open_push, close_push)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOAD_TEST(a_push_that_is_behind_keeps_reporting_how_far_in_redis_and_in_its_metrics),
		LOAD_TEST(a_push_that_has_caught_up_says_so_once_and_then_nothing_until_it_is_behind_again),
		LOAD_TEST(a_push_that_was_never_behind_writes_nothing),
		LOAD_TEST(the_report_of_a_push_that_makes_no_progress_expires),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
