#include "push/events/event_intake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "push/events/event_batch.h"
#include "push/events/event_record.h"

struct event_intake {
	struct event_intake_options options;
	struct kafka_consumer *consumer;
	struct event_context events;
	void (*closed)(void *arg);
	void *closed_arg;
	struct counter *taken, *unusable, *late, *push_busy, *too_many;
};

static bool event_intake_is_late(const struct kafka_record *record)
{
	uint64_t now_ms = clock_wall_ms(), made_ms = record->time_ms > 0 ? (uint64_t)record->time_ms : 0;

	return made_ms + EVENT_MAX_AGE_MS < now_ms;
}

/* Why a record cannot be taken now; NULL: it can. */
static struct counter *event_intake_refusal(const struct event_intake *intake, const struct kafka_record *record)
{
	if (event_intake_is_late(record))
		return intake->late;
	if (intake->options.is_busy(intake->options.arg))
		return intake->push_busy;
	if (intake->events.lookups >= EVENT_MAX_LOOKUPS || intake->events.bytes >= EVENT_MAX_BYTES)
		return intake->too_many;
	return NULL;
}

static void event_intake_take(struct event_intake *intake, const struct kafka_record *record)
{
	struct counter *refusal = event_intake_refusal(intake, record);
	const char *fault;

	if (refusal) {
		counter_add(refusal, 1);
		return;
	}
	Skein__V1__EventRecord *event = event_record_read(record->value, &fault);
	if (!event) {
		counter_add(intake->unusable, 1);
		log_warn("event record cannot be used", LOG_TEXT("why", fault), LOG_NUM("partition", record->partition),
		         LOG_NUM("offset", record->offset), LOG_NUM("bytes", record->value.len));
		return;
	}
	event_batch_start(&intake->events, event, record->value.len);
}

static void event_intake_on_record(void *arg, struct kafka_record *record)
{
	struct event_intake *intake = arg;

	counter_add(intake->taken, 1);
	event_intake_take(intake, record);
	kafka_store_offset(intake->consumer, record->partition, record->offset + 1);
	kafka_record_free(record);
}

static void event_intake_on_assigned(void *arg, int32_t partition, int64_t offset)
{
	(void)arg;
	log_debug("event partition taken", LOG_NUM("partition", partition), LOG_NUM("offset", offset));
}

static void event_intake_on_revoked(void *arg, int32_t partition, bool lost)
{
	(void)arg;
	log_debug("event partition given away", LOG_NUM("partition", partition), LOG_NUM("lost", lost));
}

static int64_t event_intake_read_under_way(void *arg)
{
	return (int64_t)((struct event_intake *)arg)->events.count;
}

static void event_intake_make_metrics(struct event_intake *intake)
{
	const char *name = "skein_push_events_dropped_total", *help = EVENTS_DROPPED_HELP;

	intake->taken = metrics_counter("skein_push_event_records_total", "Records of events taken from Kafka.", NULL);
	intake->unusable = metrics_counter(name, help, "reason=\"unusable\"");
	intake->late = metrics_counter(name, help, "reason=\"late\"");
	intake->push_busy = metrics_counter(name, help, "reason=\"push_busy\"");
	intake->too_many = metrics_counter(name, help, "reason=\"too_many\"");
	metrics_gauge_fn("skein_push_events_under_way", "Events whose users' routes are being looked up.", NULL,
	                 event_intake_read_under_way, intake);
}

err_t event_intake_new(struct event_intake **out, struct worker *worker, const struct event_intake_options *options)
{
	static const struct kafka_consumer_handlers handlers = {
		.record = event_intake_on_record,
		.assigned = event_intake_on_assigned,
		.revoked = event_intake_on_revoked,
	};
	struct event_intake *intake = MEM_NEW(struct event_intake);

	intake->options = *options;
	event_context_init(&intake->events, options->redis, options->gateways);
	err_t err = kafka_consumer_new(&intake->consumer, worker, &options->consumer, &handlers, intake);
	if (err) {
		mem_free(intake);
		return err;
	}
	event_intake_make_metrics(intake);
	*out = intake;
	return OK;
}

bool event_intake_has_joined(const struct event_intake *intake)
{
	return intake->consumer && kafka_consumer_has_joined(intake->consumer);
}

static void event_intake_on_closed(void *arg)
{
	struct event_intake *intake = arg;

	event_context_stop(&intake->events);
	intake->closed(intake->closed_arg);
}

void event_intake_close(struct event_intake *intake, void (*closed)(void *arg), void *arg)
{
	intake->closed = closed;
	intake->closed_arg = arg;
	kafka_consumer_close(intake->consumer, event_intake_on_closed, intake);
	intake->consumer = NULL;
}

void event_intake_free(struct event_intake *intake)
{
	mem_free(intake);
}
