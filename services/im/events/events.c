#include "im/events/events.h"

#include <assert.h>

#include "base/mem.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"

#define RECORD_VERSION 1

static const char events_dropped[] = "skein_im_events_dropped_total";
static const char events_dropped_help[] = "Event records that were dropped, by reason.";

void events_init(struct events *events, struct kafka_producer *producer)
{
	*events = (struct events){
		.producer = producer,
		.emitted = metrics_counter("skein_im_events_total", "Event records given to Kafka.", NULL),
		.dropped_full = metrics_counter(events_dropped, events_dropped_help, "reason=\"full\""),
		.dropped_kafka = metrics_counter(events_dropped, events_dropped_help, "reason=\"kafka\""),
	};
}

void events_stop(struct events *events)
{
	events->producer = NULL;
	buf_release(&events->scratch);
}

static void events_on_produced(void *arg, err_t err)
{
	struct events *events = arg;

	events->waiting--;
	counter_add(events->dropped_kafka, err != OK);
}

static void events_pack(struct buf *out, const struct event *event, char **uids, size_t count)
{
	Skein__V1__EventRecord record = SKEIN__V1__EVENT_RECORD__INIT;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Users users = SKEIN__V1__USERS__INIT;
	Skein__V1__Event content = SKEIN__V1__EVENT__INIT;
	char *body = str_dup(event->body), *traceparent = str_dup(event->traceparent);

	users.uids = uids;
	users.n_uids = count;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	audience.users = &users;
	content.kind = (char *)event->kind;
	content.body = body;
	record.version = RECORD_VERSION;
	record.audience = &audience;
	record.event = &content;
	record.traceparent = traceparent;
	buf_clear(out);
	uint8_t *at = (uint8_t *)buf_reserve(out, skein__v1__event_record__get_packed_size(&record));
	out->len = skein__v1__event_record__pack(&record, at);
	mem_free(body);
	mem_free(traceparent);
}

static void events_emit_part(struct events *events, const struct event *event, size_t first, size_t count)
{
	char *uids[EVENT_RECORD_UIDS_MAX];

	if (!events->producer || events->waiting >= EVENTS_MAX_WAITING) {
		counter_add(events->dropped_full, 1);
		return;
	}
	for (size_t i = 0; i < count; i++)
		uids[i] = str_dup(event->uids[first + i]);
	events_pack(&events->scratch, event, uids, count);
	for (size_t i = 0; i < count; i++)
		mem_free(uids[i]);
	err_t err = kafka_produce(events->producer, TOPIC_EVENT, event->uids[first], buf_str(&events->scratch), NULL, 0,
	                          events_on_produced, events);
	if (err) {
		counter_add(events->dropped_kafka, 1);
		return;
	}
	events->waiting++;
	counter_add(events->emitted, 1);
}

void events_emit(struct events *events, const struct event *event)
{
	for (size_t first = 0; first < event->uid_count; first += EVENT_RECORD_UIDS_MAX)
		events_emit_part(events, event, first, MIN(event->uid_count - first, EVENT_RECORD_UIDS_MAX));
}
