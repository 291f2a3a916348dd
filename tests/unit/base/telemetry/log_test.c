/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/macros.h"

/* The log goes into a socket that keeps the writes apart: a line in two writes would come out as two. */
static int reader, writer;
static char line[LOG_LINE_MAX + 1];
static uint64_t mono_us;

static uint64_t test_mono_us(void)
{
	return mono_us;
}

static uint64_t test_wall_ms(void)
{
	return 1795248000123; /* 2026-11-21T08:00:00.123Z */
}

static int start(void **state)
{
	static const struct clock_source clocks = { test_mono_us, test_wall_ms };
	int ends[2];
	(void)state;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
		return -1;
	reader = ends[0];
	writer = ends[1];
	log_set_fd(writer);
	log_configure("im-1", LOG_INFO, LOG_KEY_VALUE);
	clock_replace(&clocks);
	mono_us += 60000000; /* another second than the last test's */
	return 0;
}

static int stop(void **state)
{
	(void)state;
	log_set_fd(2);
	clock_replace(NULL);
	close(reader);
	close(writer);
	return 0;
}

/* The next line that was written, without its end; NULL if there is none. */
static const char *next_line(void)
{
	ssize_t len = recv(reader, line, sizeof(line), MSG_DONTWAIT);

	if (len < 0)
		return NULL;
	assert_in_range(len, 1, LOG_LINE_MAX);
	assert_int_equal(line[len - 1], '\n');
	line[len - 1] = '\0';
	assert_int_equal(strlen(line), len - 1);
	assert_null(strchr(line, '\n'));
	return line;
}

static json_t *next_json(void)
{
	json_error_t error;
	const char *text = next_line();

	assert_non_null(text);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!root)
		fail_msg("not JSON: %s: %s", error.text, text);
	return root;
}

static void a_line_has_time_level_node_event_and_fields(void **state)
{
	(void)state;
	log_warn("connect to redis failed", LOG_TEXT("address", "127.0.0.1:6379"), LOG_ERR(ERR_IO));
	assert_string_equal(next_line(), "2026-11-21T08:00:00.123Z WARN  im-1 connect to redis failed "
	                                 "address=127.0.0.1:6379 error=ERR_IO");
	log_error("stopped", LOG_NUM("low", INT64_MIN), LOG_U64("high", UINT64_MAX), LOG_STR("uid", STR("bob")));
	assert_string_equal(next_line(), "2026-11-21T08:00:00.123Z ERROR im-1 stopped "
	                                 "low=-9223372036854775808 high=18446744073709551615 uid=bob");
	log_info("ready");
	assert_string_equal(next_line(), "2026-11-21T08:00:00.123Z INFO  im-1 ready");
}

static void the_same_line_as_json(void **state)
{
	(void)state;
	log_configure("im-1", LOG_INFO, LOG_JSON);
	log_warn("connect to redis failed", LOG_TEXT("address", "127.0.0.1:6379"), LOG_NUM("tries", -3),
	         LOG_U64("id", UINT64_MAX));
	assert_string_equal(next_line(), "{\"time\":\"2026-11-21T08:00:00.123Z\",\"level\":\"warn\",\"node\":\"im-1\","
	                                 "\"event\":\"connect to redis failed\",\"address\":\"127.0.0.1:6379\","
	                                 "\"tries\":-3,\"id\":18446744073709551615}");
}

static void values_are_quoted_only_where_they_must_be(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
		{ "plain-value_1.2:3/4", "v=plain-value_1.2:3/4" },
		{ "", "v=\"\"" },
		{ "two words", "v=\"two words\"" },
		{ "a=b", "v=\"a=b\"" },
		{ "say \"hi\"", "v=\"say \\\"hi\\\"\"" },
		{ "back\\slash", "v=\"back\\\\slash\"" },
		{ "a\nb\rc\td", "v=\"a\\nb\\rc\\td\"" },
		{ "\x1b[31mred", "v=\"\\u001b[31mred\"" },
		{ "gr\xc3\xbc\xc3\x9f", "v=\"gr\xc3\xbc\xc3\x9f\"" },
		{ "bad\xff", "v=\"bad\xef\xbf\xbd\"" },
		{ "c1\xc2\x9b", "v=\"c1\\u009b\"" },
		{ "line\xe2\x80\xa8sep", "v=\"line\\u2028sep\"" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_info("event", LOG_TEXT("v", cases[i].value));
		assert_string_equal(strstr(next_line(), "v="), cases[i].written);
	}
	log_info("event", LOG_STR("v", str_of(NULL, 0)));
	assert_string_equal(strstr(next_line(), "v="), "v=\"\"");
}

static void no_value_can_break_the_json_or_forge_a_line(void **state)
{
	(void)state;
	log_configure("im \"1\"\n", LOG_INFO, LOG_JSON);
	for (int byte = 0; byte < 256; byte++) {
		char value[] = { 'a', (char)byte, '"', '\n', (char)byte };
		mono_us += 1000000;
		log_info("event", LOG_STR("v", str_of(value, sizeof(value))));
		json_t *root = next_json();
		assert_string_equal(json_string_value(json_object_get(root, "node")), "im_\"1\"_");
		const char *read = json_string_value(json_object_get(root, "v"));
		if (byte < 0x80)
			assert_memory_equal(read, value, sizeof(value));
		json_decref(root);
	}
}

static void below_the_level_nothing_is_written_or_evaluated(void **state)
{
	int evaluated = 0;
	(void)state;

	log_debug("quiet", LOG_NUM("n", ++evaluated));
	assert_null(next_line());
	assert_int_equal(evaluated, 0);
	log_set_level(LOG_DEBUG);
	log_debug("loud", LOG_NUM("n", ++evaluated));
	assert_non_null(strstr(next_line(), " DEBUG im-1 loud n=1"));
	log_set_level(LOG_ERROR);
	log_warn("quiet");
	assert_null(next_line());
}

static void repeat(int times)
{
	for (int i = 0; i < times; i++)
		log_info("again and again", LOG_NUM("i", i));
}

static int lines_waiting(void)
{
	int count = 0;

	while (next_line())
		count++;
	return count;
}

static void one_place_writes_a_burst_a_second_and_counts_the_rest(void **state)
{
	(void)state;
	repeat(LOG_BURST + 30);
	assert_int_equal(lines_waiting(), LOG_BURST);
	log_info("another place");
	assert_int_equal(lines_waiting(), 1);
	mono_us += 1000000;
	repeat(2);
	assert_non_null(strstr(next_line(), "i=0 suppressed=30"));
	assert_null(strstr(next_line(), "suppressed"));
	repeat(LOG_BURST);
	assert_int_equal(lines_waiting(), LOG_BURST - 2);
	mono_us += 1000000;
	log_configure("im-1", LOG_INFO, LOG_JSON);
	repeat(1);
	json_t *root = next_json();
	assert_int_equal(json_integer_value(json_object_get(root, "suppressed")), 2);
	json_decref(root);
}

static void a_long_value_is_cut_between_characters(void **state)
{
	char value[3000];
	(void)state;

	/* Shifted by each length that a character can have. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(value, 'a', shift);
		for (size_t at = shift; at + 4 <= sizeof(value); at += 4)
			memcpy(value + at, "\xf0\x9f\x98\x80", 4);
		log_info("long", LOG_STR("v", str_of(value, 2900)));
		const char *written = strstr(next_line(), "v=");
		assert_in_range(strlen(written), LOG_VALUE_MAX, LOG_VALUE_MAX + 8);
		assert_null(strstr(written, "\xef\xbf\xbd"));
		assert_string_equal(written + strlen(written) - 4, "...\"");
	}
}

static void fields_that_do_not_fit_are_left_out_whole(void **state)
{
	char controls[LOG_VALUE_MAX];
	(void)state;

	memset(controls, 1, sizeof(controls));
	struct str value = str_of(controls, sizeof(controls)); /* 6 KB when escaped */
	log_info("huge", LOG_STR("a", value), LOG_TEXT("b", "small"));
	assert_non_null(strstr(next_line(), " huge b=small truncated=true"));
	log_configure("im-1", LOG_INFO, LOG_JSON);
	memset(controls, 'x', sizeof(controls));
	log_info("huge", LOG_STR("a", value), LOG_STR("b", value), LOG_STR("c", value), LOG_STR("d", value),
	         LOG_TEXT("e", "small"));
	json_t *root = next_json();
	assert_non_null(json_object_get(root, "c"));
	assert_null(json_object_get(root, "d"));
	assert_string_equal(json_string_value(json_object_get(root, "e")), "small");
	assert_true(json_is_true(json_object_get(root, "truncated")));
	json_decref(root);
}

static void errno_is_left_alone(void **state)
{
	(void)state;
	log_set_fd(-1);
	errno = ENOENT;
	log_info("to nowhere");
	assert_int_equal(errno, ENOENT);
}

#define THREADS 4
#define CALLS 500

static void *log_much(void *place)
{
	struct log_site *site = place;

	for (int i = 0; i < CALLS; i++)
		log_write(site, LOG_INFO, "from a thread",
		          (const struct log_field[]){ LOG_NUM("i", i), { .key = NULL } });
	return NULL;
}

static void debug_lines_are_all_written(void **state)
{
	(void)state;
	log_set_level(LOG_DEBUG);
	for (int i = 0; i < 2 * LOG_BURST; i++) {
		log_debug("an event", LOG_NUM("i", i));
		assert_non_null(next_line());
	}
	log_set_level(LOG_INFO);
}

static void threads_share_the_burst_and_lines_stay_whole(void **state)
{
	static struct log_site site;
	pthread_t threads[THREADS];
	int count = 0;
	(void)state;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, &site), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	unsigned told = 0;
	while (next_line()) {
		const char *suppressed = strstr(line, "suppressed=");
		unsigned number = 0;
		assert_non_null(strstr(line, " INFO  im-1 from a thread i="));
		if (suppressed)
			assert_int_equal(sscanf(suppressed, "suppressed=%u", &number), 1);
		told += number;
		count++;
	}
	assert_int_equal(count, LOG_BURST);
	assert_int_equal(told + atomic_load(&site.suppressed), THREADS * CALLS - LOG_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_time_level_node_event_and_fields, start, stop),
		cmocka_unit_test_setup_teardown(the_same_line_as_json, start, stop),
		cmocka_unit_test_setup_teardown(values_are_quoted_only_where_they_must_be, start, stop),
		cmocka_unit_test_setup_teardown(no_value_can_break_the_json_or_forge_a_line, start, stop),
		cmocka_unit_test_setup_teardown(below_the_level_nothing_is_written_or_evaluated, start, stop),
		cmocka_unit_test_setup_teardown(one_place_writes_a_burst_a_second_and_counts_the_rest, start, stop),
		cmocka_unit_test_setup_teardown(a_long_value_is_cut_between_characters, start, stop),
		cmocka_unit_test_setup_teardown(fields_that_do_not_fit_are_left_out_whole, start, stop),
		cmocka_unit_test_setup_teardown(errno_is_left_alone, start, stop),
		cmocka_unit_test_setup_teardown(debug_lines_are_all_written, start, stop),
		cmocka_unit_test_setup_teardown(threads_share_the_burst_and_lines_stay_whole, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
