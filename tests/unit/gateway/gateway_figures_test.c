#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/telemetry/metrics.h"
#include "gateway/app.h"
#include "gateway/gateway_figures.h"
#include "gateway/router/registration.h"
#include "gateway/router/route_link.h"
#include "gateway/worker/ws_worker.h"
#include "net/ws/ws_budget.h"

static struct ws_worker workers[2];
static struct registration registration;
static struct route_link routes;
static struct ws_budget handshakes;
static struct stalled_bytes stalled_bytes;
static struct app app = {
	.handshakes = &handshakes,
	.stalled_bytes = &stalled_bytes,
	.workers = workers,
	.worker_count = ARRAY_LEN(workers),
	.registration = &registration,
	.routes = &routes,
};

static void expect_gauge(const char *name, int value)
{
	struct buf text = { 0 };
	char line[100];

	metrics_write(&text);
	snprintf(line, sizeof(line), "\n%s %d\n", name, value);
	if (!strstr(buf_text(&text), line))
		fail_msg("no line \"%s %d\" in %s", name, value, buf_text(&text));
	buf_release(&text);
}

static void the_node_has_the_figures_of_all_workers_and_the_longest_turn(void **state)
{
	struct node_figures figures;
	(void)state;

	atomic_store(&app.connections, 7);
	atomic_store(&workers[0].shown_queue_bytes, 100);
	atomic_store(&workers[1].shown_queue_bytes, 23);
	atomic_store(&workers[0].longest_turn_us, 9000);
	atomic_store(&workers[1].longest_turn_us, 41999);
	gateway_figures_of_node(&figures, &app);
	assert_int_equal(figures.connections, 7);
	assert_int_equal(figures.queue_bytes, 123);
	assert_int_equal(figures.lag_ms, 41);
}

static void the_longest_turn_counts_from_the_last_time_that_it_was_read(void **state)
{
	struct node_figures figures;
	(void)state;

	atomic_store(&workers[0].longest_turn_us, 5000);
	gateway_figures_of_node(&figures, &app);
	gateway_figures_of_node(&figures, &app);
	assert_int_equal(figures.lag_ms, 0);
	atomic_store(&workers[0].longest_turn_us, 2000);
	gateway_figures_of_node(&figures, &app);
	assert_int_equal(figures.lag_ms, 2);
}

static void each_gauge_shows_its_figure_of_the_moment(void **state)
{
	(void)state;

	gateway_figures_add(&app);
	for (int i = 1; i <= 2; i++) {
		atomic_store(&app.connections, (unsigned)i);
		atomic_store(&workers[0].shown_queue_bytes, (uint64_t)(10 * i));
		atomic_store(&workers[1].shown_queue_bytes, 1000);
		atomic_store(&workers[0].shown_reads, 3);
		atomic_store(&workers[1].shown_reads, (unsigned)i);
		atomic_store(&registration.lag_ms, (uint64_t)(50 + i));
		routes.by_id.len = (size_t)(60 + i);
		atomic_store(&handshakes.handshakes, (unsigned)(70 + i));
		atomic_store(&handshakes.bytes, (size_t)(80 + i));
		atomic_store(&stalled_bytes.now, (size_t)(90 + i));
		expect_gauge("skein_gateway_handshakes_under_way", 70 + i);
		expect_gauge("skein_gateway_handshake_bytes", 80 + i);
		expect_gauge("skein_gateway_stalled_bytes", 90 + i);
		expect_gauge("skein_gateway_connections", i);
		expect_gauge("skein_gateway_queue_bytes", 1000 + 10 * i);
		expect_gauge("skein_gateway_reads_under_way", 3 + i);
		expect_gauge("skein_gateway_lag_ms", 50 + i);
		expect_gauge("skein_gateway_route_changes", 60 + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_node_has_the_figures_of_all_workers_and_the_longest_turn),
		cmocka_unit_test(the_longest_turn_counts_from_the_last_time_that_it_was_read),
		cmocka_unit_test(each_gauge_shows_its_figure_of_the_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
