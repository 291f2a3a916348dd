#include "push/intake/load_report.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "cluster/push_load.h"
#include "loop/worker.h"
#include "push/intake/intake.h"
#include "push/order/conversations.h"
#include "push/order/delivery_wait.h"

struct load_report {
	struct worker *worker;
	struct redis *redis;
	const char *name;
	const struct intake *intake;
	const struct conversations *conversations;
	struct delivery_wait wait;
	unsigned wait_ms; /* as of the last interval in which something was delivered */
	struct timer timer;
};

static int64_t load_report_read_wait(void *arg)
{
	return ((const struct load_report *)arg)->wait_ms;
}

static void load_report_on_interval(struct timer *timer)
{
	struct load_report *report = container_of(timer, struct load_report, timer);
	size_t in_flight = conversations_in_flight(report->conversations);
	size_t untaken = (size_t)intake_untaken(report->intake);
	unsigned before_ms = report->wait_ms;

	worker_arm_in(report->worker, timer, DELIVERY_WAIT_INTERVAL_MS);
	bool is_known = delivery_wait_end_interval(&report->wait, in_flight, untaken, &report->wait_ms);
	if (is_known && (report->wait_ms || before_ms))
		push_load_write(report->redis, str_from(report->name), report->wait_ms);
}

struct load_report *load_report_new(struct worker *worker, struct redis *redis, const char *name, const struct intake *intake)
{
	struct load_report *report = MEM_NEW(struct load_report);

	report->worker = worker;
	report->redis = redis;
	report->name = name;
	report->intake = intake;
	metrics_gauge_fn("skein_push_wait_milliseconds",
	                 "How long messages wait for their delivery, by the shortest of 0.1 s, in Kafka included.", NULL,
	                 load_report_read_wait, report);
	timer_init(&report->timer, load_report_on_interval);
	return report;
}

void load_report_start(struct load_report *report, const struct conversations *conversations)
{
	report->conversations = conversations;
	worker_arm_in(report->worker, &report->timer, DELIVERY_WAIT_INTERVAL_MS);
}

void load_report_stop(struct load_report *report)
{
	worker_cancel(report->worker, &report->timer);
}

void load_report_free(struct load_report *report)
{
	mem_free(report);
}

struct delivery_wait *load_report_wait(struct load_report *report)
{
	return &report->wait;
}
