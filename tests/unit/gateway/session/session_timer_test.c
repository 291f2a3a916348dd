#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/session/session_timer.h"

#define START_MS 1000007

static void a_ping_is_never_late_and_hardly_early(void **state)
{
	static const uint64_t heartbeats_ms[] = { 100, 101, 200, 1000, 30000, 54000, 3600000 };
	(void)state;

	for (unsigned i = 0; i < sizeof(heartbeats_ms) / sizeof(heartbeats_ms[0]); i++)
		for (uint64_t now_ms = START_MS; now_ms < START_MS + 2000; now_ms++) {
			uint64_t after_ms = session_timer_next_ping(now_ms, heartbeats_ms[i]) - now_ms;

			assert_in_range(after_ms, heartbeats_ms[i] - heartbeats_ms[i] / 128, heartbeats_ms[i]);
		}
}

static void pings_of_many_connections_share_few_times(void **state)
{
	uint64_t last_ms = 0;
	unsigned times = 0;
	(void)state;

	/* A connection in each millisecond of a minute. */
	for (uint64_t now_ms = START_MS; now_ms < START_MS + 60000; now_ms++) {
		uint64_t ping_ms = session_timer_next_ping(now_ms, 54000);

		times += ping_ms != last_ms;
		last_ms = ping_ms;
	}
	assert_in_range(times, 1, 145);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ping_is_never_late_and_hardly_early),
		cmocka_unit_test(pings_of_many_connections_share_few_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
