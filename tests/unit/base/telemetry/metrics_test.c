/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/telemetry/metrics.h"

/* The registry as text; each call forgets the last one's. */
static const char *all_text(void)
{
	static char text[65536];
	struct buf out = { 0 };

	metrics_write(&out);
	assert_true(out.len < sizeof(text));
	assert_true(str_copy(text, sizeof(text), buf_str(&out)));
	buf_release(&out);
	return text;
}

static int count_of(const char *text, const char *what)
{
	int count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

/* The value behind a sample's name and labels. */
static double value_of(const char *sample)
{
	char start[200];

	snprintf(start, sizeof(start), "\n%s ", sample);
	const char *at = strstr(all_text(), start);
	if (!at)
		fail_msg("no sample %s", sample);
	return strtod(at + strlen(start), NULL);
}

static void counters_and_gauges_are_written_with_help_and_type(void **state)
{
	struct counter *counter = metrics_counter("test_sends_total", "Messages accepted.", NULL);
	struct gauge *gauge = metrics_gauge("test_open", "Open things.", NULL);
	(void)state;

	counter_add(counter, 40);
	counter_add(counter, 2);
	gauge_set(gauge, 5);
	gauge_add(gauge, -8);
	assert_true(counter_value(counter) == 42);
	assert_true(gauge_value(gauge) == -3);
	assert_non_null(strstr(all_text(), "# HELP test_sends_total Messages accepted.\n"
	                                   "# TYPE test_sends_total counter\ntest_sends_total 42\n"));
	assert_non_null(strstr(all_text(), "# HELP test_open Open things.\n# TYPE test_open gauge\ntest_open -3\n"));
}

static void metrics_of_one_name_stand_together_under_one_head(void **state)
{
	struct counter *blocked = metrics_counter("test_refused_total", "Refused.", "code=\"blocked\"");
	metrics_counter("test_between_total", "Something else.", NULL);
	struct counter *muted = metrics_counter("test_refused_total", "Refused.", "code=\"muted\"");
	(void)state;

	assert_ptr_not_equal(blocked, muted);
	counter_add(blocked, 1);
	counter_add(muted, 2);
	assert_non_null(strstr(all_text(), "# TYPE test_refused_total counter\n"
	                                   "test_refused_total{code=\"blocked\"} 1\n"
	                                   "test_refused_total{code=\"muted\"} 2\n"));
	assert_int_equal(count_of(all_text(), "# HELP test_refused_total "), 1);
}

static void asking_again_gives_the_same_metric(void **state)
{
	char labels[] = "a=\"1\"";
	struct counter *counter = metrics_counter("test_same_total", "Same.", labels);
	(void)state;

	labels[0] = 'b'; /* it has its own copy */
	assert_ptr_equal(metrics_counter("test_same_total", "Same.", "a=\"1\""), counter);
	assert_ptr_equal(metrics_gauge("test_same", "Same.", NULL), metrics_gauge("test_same", "Same.", NULL));
	assert_ptr_equal(metrics_histogram("test_same_seconds", "Same.", NULL),
	                 metrics_histogram("test_same_seconds", "Same.", NULL));
	assert_int_equal(count_of(all_text(), "\ntest_same_total{"), 1);
}

static int64_t read_number(void *arg)
{
	return *(int64_t *)arg;
}

static void a_gauge_can_be_asked_when_it_is_read(void **state)
{
	static int64_t number = 7;
	(void)state;

	metrics_gauge_fn("test_asked", "Asked.", "of=\"x\"", read_number, &number);
	assert_true(value_of("test_asked{of=\"x\"}") == 7);
	number = -9;
	assert_true(value_of("test_asked{of=\"x\"}") == -9);
	assert_non_null(strstr(all_text(), "# TYPE test_asked gauge\n"));
}

static void a_histogram_counts_up_to_each_bound_in_seconds(void **state)
{
	struct histogram *histogram = metrics_histogram("test_took_seconds", "Took.", "call=\"send\"");
	static const uint64_t durations_us[] = { 0, 100, 101, 1000, 2500, 29999999, 30000000, 30000001, 3600000000 };
	(void)state;

	for (size_t i = 0; i < sizeof(durations_us) / sizeof(durations_us[0]); i++)
		histogram_observe(histogram, durations_us[i]);
	assert_non_null(strstr(all_text(), "# TYPE test_took_seconds histogram\n"
	                                   "test_took_seconds_bucket{call=\"send\",le=\"0.0001\"} 2\n"
	                                   "test_took_seconds_bucket{call=\"send\",le=\"0.00025\"} 3\n"
	                                   "test_took_seconds_bucket{call=\"send\",le=\"0.0005\"} 3\n"
	                                   "test_took_seconds_bucket{call=\"send\",le=\"0.001\"} 4\n"
	                                   "test_took_seconds_bucket{call=\"send\",le=\"0.0025\"} 5\n"));
	assert_true(value_of("test_took_seconds_bucket{call=\"send\",le=\"10\"}") == 5);
	assert_true(value_of("test_took_seconds_bucket{call=\"send\",le=\"30\"}") == 7);
	assert_true(value_of("test_took_seconds_bucket{call=\"send\",le=\"+Inf\"}") == 9);
	assert_true(value_of("test_took_seconds_count{call=\"send\"}") == 9);
	assert_non_null(strstr(all_text(), "test_took_seconds_sum{call=\"send\"} 3690.003701\n"));
}

static void a_histogram_without_labels_has_only_the_bound_in_braces(void **state)
{
	(void)state;
	histogram_observe(metrics_histogram("test_bare_seconds", "Bare.", NULL), 2000000);
	assert_true(value_of("test_bare_seconds_bucket{le=\"1\"}") == 0);
	assert_true(value_of("test_bare_seconds_bucket{le=\"2.5\"}") == 1);
	assert_true(value_of("test_bare_seconds_sum") == 2);
}

static void a_help_text_cannot_break_its_line(void **state)
{
	(void)state;
	metrics_counter("test_help_total", "One\\two\nthree.", NULL);
	assert_non_null(strstr(all_text(), "# HELP test_help_total One\\\\two\\nthree.\n"));
}

static void the_process_tells_about_itself(void **state)
{
	(void)state;
	assert_true(value_of("process_resident_memory_bytes") > 500000);
	/* Some CPU time has to be used before it shows. */
	while (value_of("process_cpu_seconds_total") < 0.001)
		;
	double started = value_of("process_start_time_seconds"), now = (double)time(NULL);
	assert_true(started > now - 3600 && started <= now + 2);
	double open_before = value_of("process_open_fds");
	int fd = open("/dev/null", O_RDONLY);
	assert_true(fd >= 0);
	assert_true(value_of("process_open_fds") == open_before + 1);
	close(fd);
}

/* A line that a scraper's parser would refuse: neither a comment nor `name{labels} number`. */
static void every_line_is_a_comment_or_a_sample(void **state)
{
	struct str rest = str_from(all_text());
	(void)state;

	assert_int_equal(rest.ptr[rest.len - 1], '\n');
	while (rest.len) {
		char text[300];
		assert_true(str_copy(text, sizeof(text), str_cut(&rest, '\n')));
		if (strncmp(text, "# HELP ", 7) == 0 || strncmp(text, "# TYPE ", 7) == 0)
			continue;
		size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
		if (name == 0)
			fail_msg("no sample: %s", text);
		const char *at = text + name;
		if (*at == '{')
			at = strchr(at, '}') + 1;
		assert_int_equal(*at, ' ');
		char *end;
		strtod(at + 1, &end);
		assert_true(end > at + 1 && *end == '\0');
	}
}

#define THREADS 4
#define STEPS 20000

static void *count_much(void *arg)
{
	struct counter *counter = metrics_counter("test_threads_total", "Threads.", NULL);
	struct histogram *histogram = metrics_histogram("test_threads_seconds", "Threads.", NULL);
	struct gauge *gauge = metrics_gauge("test_threads", "Threads.", NULL);
	(void)arg;

	for (uint64_t i = 0; i < STEPS; i++) {
		counter_add(counter, 1);
		gauge_add(gauge, i % 2 ? -1 : 1);
		histogram_observe(histogram, i);
	}
	return NULL;
}

static void threads_make_count_and_read_together(void **state)
{
	pthread_t threads[THREADS];
	(void)state;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
	for (int i = 0; i < 20; i++)
		assert_non_null(all_text());
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(value_of("test_threads_total") == THREADS * STEPS);
	assert_true(value_of("test_threads") == 0);
	assert_true(value_of("test_threads_seconds_count") == THREADS * STEPS);
	assert_true(value_of("test_threads_seconds_bucket{le=\"0.01\"}") == THREADS * 10001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_and_gauges_are_written_with_help_and_type),
		cmocka_unit_test(metrics_of_one_name_stand_together_under_one_head),
		cmocka_unit_test(asking_again_gives_the_same_metric),
		cmocka_unit_test(a_gauge_can_be_asked_when_it_is_read),
		cmocka_unit_test(a_histogram_counts_up_to_each_bound_in_seconds),
		cmocka_unit_test(a_histogram_without_labels_has_only_the_bound_in_braces),
		cmocka_unit_test(a_help_text_cannot_break_its_line),
		cmocka_unit_test(the_process_tells_about_itself),
		cmocka_unit_test(threads_make_count_and_read_together),
		cmocka_unit_test(every_line_is_a_comment_or_a_sample),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
