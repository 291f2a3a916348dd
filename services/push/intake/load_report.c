#include "push/intake/load_report.h"

#include "base/clock.h"
#include "base/telemetry/metrics.h"
#include "cluster/push_load.h"

static int64_t read_wait(void *arg)
{
	return ((const struct load_report *)arg)->wait_ms;
}

static void on_interval(struct timer *timer)
{
	struct load_report *report = container_of(timer, struct load_report, timer);
	size_t in_flight = conversations_in_flight(report->conversations);
	size_t untaken = (size_t)intake_untaken(report->intake);
	unsigned before_ms = report->wait_ms;

	worker_arm(report->worker, timer, clock_mono_ms() + DELIVERY_WAIT_INTERVAL_MS);
	if (!delivery_wait_end_interval(&report->wait, in_flight, untaken, &report->wait_ms))
		return;
	if (report->wait_ms || before_ms)
		push_load_write(report->redis, str_from(report->name), report->wait_ms);
}

void load_report_start(struct load_report *report, struct worker *worker, struct redis *redis, const char *name,
                       const struct intake *intake, const struct conversations *conversations)
{
	*report = (struct load_report){
		.worker = worker,
		.redis = redis,
		.name = name,
		.intake = intake,
		.conversations = conversations,
	};
	metrics_gauge_fn("skein_push_wait_milliseconds",
	                 "How long messages wait for their delivery, by the shortest of 0.1 s, in Kafka included.", NULL, read_wait,
	                 report);
	timer_init(&report->timer, on_interval);
	worker_arm(worker, &report->timer, clock_mono_ms() + DELIVERY_WAIT_INTERVAL_MS);
}

void load_report_stop(struct load_report *report)
{
	worker_cancel(report->worker, &report->timer);
}
