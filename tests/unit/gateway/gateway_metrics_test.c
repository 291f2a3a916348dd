#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "gateway/gateway_metrics.h"

static struct gateway_metrics metrics;

static void expect_line(const char *sample, int value)
{
	struct buf text = { 0 };
	char line[120];

	metrics_write(&text);
	snprintf(line, sizeof(line), "\n%s %d\n", sample, value);
	if (!strstr(buf_text(&text), line))
		fail_msg("no line \"%s %d\"", sample, value);
	buf_release(&text);
}

static int set_up(void **state)
{
	(void)state;
	gateway_metrics_init(&metrics);
	return 0;
}

static void a_close_counts_under_its_code_and_an_unknown_code_as_other(void **state)
{
	static const uint16_t codes[] = { 1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008,
		                          1009, 1013, 4001, 4002, 4003, 4004, 4005, 4006 };
	char sample[80];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		snprintf(sample, sizeof(sample), "skein_gateway_closes_total{code=\"%u\"}", codes[i]);
		expect_line(sample, 0);
		gateway_metrics_closed(&metrics, codes[i]);
		expect_line(sample, 1);
	}
	gateway_metrics_closed(&metrics, 4999);
	gateway_metrics_closed(&metrics, 0);
	expect_line("skein_gateway_closes_total{code=\"other\"}", 2);
}

static void each_outcome_and_reason_has_a_counter_with_its_label(void **state)
{
	(void)state;

	counter_add(metrics.handshakes[HANDSHAKE_UNAUTHENTICATED], 2);
	counter_add(metrics.handshakes[HANDSHAKE_LEFT], 3);
	counter_add(metrics.syncs[SYNC_TOO_FAR], 4);
	counter_add(metrics.events_dropped[EVENT_DROPPED_NOT_LIVE], 5);
	counter_add(metrics.receipts_dropped_full, 6);
	counter_add(metrics.receipts_dropped_im, 7);
	expect_line("skein_gateway_handshakes_total{outcome=\"ok\"}", 0);
	expect_line("skein_gateway_handshakes_total{outcome=\"unauthenticated\"}", 2);
	expect_line("skein_gateway_handshakes_total{outcome=\"left\"}", 3);
	expect_line("skein_gateway_syncs_total{outcome=\"read\"}", 0);
	expect_line("skein_gateway_syncs_total{outcome=\"too_far\"}", 4);
	expect_line("skein_gateway_events_dropped_total{reason=\"queue\"}", 0);
	expect_line("skein_gateway_events_dropped_total{reason=\"not_live\"}", 5);
	expect_line("skein_gateway_receipts_dropped_total{reason=\"full\"}", 6);
	expect_line("skein_gateway_receipts_dropped_total{reason=\"im\"}", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_close_counts_under_its_code_and_an_unknown_code_as_other),
		cmocka_unit_test(each_outcome_and_reason_has_a_counter_with_its_label),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
