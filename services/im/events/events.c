#include "im/events/events.h"

#include <string.h>

#include "base/mem.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"

/* What the producer holds of a record until Kafka has it. */
struct events_sent_record {
	struct events *events;
	unsigned event_count;
	size_t bytes;
};

/* ---- sending records ---- */

static void events_take_back(struct events *events, unsigned event_count, size_t bytes)
{
	events->waiting -= event_count;
	events->waiting_bytes -= bytes;
}

static void events_on_produced(void *arg, err_t err)
{
	struct events_sent_record *sent = arg;

	events_take_back(sent->events, sent->event_count, sent->bytes);
	counter_add(sent->events->dropped_kafka, err ? sent->event_count : 0);
	mem_free(sent);
}

/* Gives the open record to Kafka, if there is an event in it. */
static void events_send(struct events *events)
{
	if (!events->event_count)
		return;
	worker_cancel(events->worker, &events->linger);
	struct events_sent_record *sent = MEM_NEW(struct events_sent_record);
	*sent = (struct events_sent_record){ events, events->event_count, events->record.len };
	err_t err = kafka_produce(events->producer, TOPIC_EVENT, events->key, buf_str(&events->record), NULL, 0,
	                          events_on_produced, sent);
	counter_add(err ? events->dropped_kafka : events->emitted, events->event_count);
	if (err) {
		events_take_back(events, sent->event_count, sent->bytes);
		mem_free(sent);
	}
	buf_clear(&events->record);
	events->event_count = events->uid_count = 0;
}

static void events_on_linger_over(struct timer *timer)
{
	events_send(container_of(timer, struct events, linger));
}

/* ---- filling records ---- */

/* Whom a record's event is for: some of its users, or who watches this one. */
struct events_audience {
	const struct str *uids;
	size_t uid_count;
	struct str watched;
};

/* Appends a record of one event: protobuf merges concatenated messages, so this adds the event to the open record. */
static void events_pack(struct buf *out, const struct event *event, const struct events_audience *to)
{
	Skein__V1__EventRecord record = SKEIN__V1__EVENT_RECORD__INIT;
	Skein__V1__EmittedEvent emitted = SKEIN__V1__EMITTED_EVENT__INIT, *list = &emitted;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Users users = SKEIN__V1__USERS__INIT;
	Skein__V1__Event content = SKEIN__V1__EVENT__INIT;
	Skein__V1__RoutedConnection except = SKEIN__V1__ROUTED_CONNECTION__INIT;
	char *body = str_dup(event->body), *traceparent = str_dup(event->traceparent), *copies[EVENT_RECORD_MAX_USERS];
	char *watched = str_dup(to->watched);

	for (size_t i = 0; i < to->uid_count; i++)
		copies[i] = str_dup(to->uids[i]);
	users.uids = copies;
	users.n_uids = to->uid_count;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	audience.users = &users;
	if (to->watched.len) {
		audience.who_case = SKEIN__V1__AUDIENCE__WHO_WATCHED;
		audience.watched = watched;
	}
	content.kind = (char *)event->kind;
	content.body = body;
	emitted.audience = &audience;
	emitted.event = &content;
	emitted.traceparent = traceparent;
	except.node_epoch = event->except.node_epoch;
	except.conn = event->except.conn;
	emitted.except = except.node_epoch ? &except : NULL;
	record.version = out->len ? 0 : EVENT_RECORD_VERSION; /* once is enough */
	record.events = &list;
	record.n_events = 1;
	uint8_t *at = (uint8_t *)buf_reserve(out, skein__v1__event_record__get_packed_size(&record));
	out->len += skein__v1__event_record__pack(&record, at);
	for (size_t i = 0; i < to->uid_count; i++)
		mem_free(copies[i]);
	mem_free(body);
	mem_free(traceparent);
	mem_free(watched);
}

static void events_emit_part(struct events *events, const struct event *event, const struct events_audience *to)
{
	if (!events->producer || events->waiting >= EVENTS_MAX_WAITING || events->waiting_bytes >= EVENTS_MAX_WAITING_BYTES) {
		counter_add(events->dropped_full, 1);
		return;
	}
	if (events->uid_count + to->uid_count > EVENT_RECORD_MAX_USERS)
		events_send(events);
	size_t before = events->record.len;
	events_pack(&events->record, event, to);
	events->event_count++;
	events->uid_count += (unsigned)to->uid_count;
	events->waiting++;
	events->waiting_bytes += events->record.len - before;
	if (events->record.len >= EVENTS_RECORD_BYTES || events->event_count == EVENTS_RECORD_EVENTS_MAX)
		events_send(events);
	else if (!timer_is_armed(&events->linger))
		worker_arm_in(events->worker, &events->linger, EVENTS_LINGER_MS);
}

static bool events_fits(struct events *events, const struct event *event)
{
	bool fits = strlen(event->kind) <= EVENT_RECORD_MAX_KIND && event->body.len <= EVENT_RECORD_MAX_BODY;

	counter_add(events->dropped_too_large, !fits);
	return fits;
}

void events_emit(struct events *events, const struct event *event)
{
	if (!events_fits(events, event))
		return;
	for (size_t i = 0; i < event->uid_count; i += EVENT_RECORD_MAX_USERS) {
		const struct events_audience to = { .uids = &event->uids[i],
			                            .uid_count = MIN(event->uid_count - i, EVENT_RECORD_MAX_USERS) };

		events_emit_part(events, event, &to);
	}
}

void events_emit_to_watchers(struct events *events, struct str watched, const struct event *event)
{
	const struct events_audience to = { .watched = watched };

	if (events_fits(events, event))
		events_emit_part(events, event, &to);
}

/* ---- start and stop ---- */

void events_init(struct events *events, struct worker *worker, struct kafka_producer *producer, const char *im_name)
{
	const char *dropped = "skein_im_events_dropped_total", *help = "Events that were dropped, by reason.";

	*events = (struct events){
		.worker = worker,
		.producer = producer,
		.key = str_from(im_name),
		.emitted = metrics_counter("skein_im_events_total", "Events given to Kafka.", NULL),
		.dropped_full = metrics_counter(dropped, help, "reason=\"full\""),
		.dropped_kafka = metrics_counter(dropped, help, "reason=\"kafka\""),
		.dropped_too_large = metrics_counter(dropped, help, "reason=\"too_large\""),
	};
	timer_init(&events->linger, events_on_linger_over);
}

void events_stop(struct events *events)
{
	events_send(events);
	buf_release(&events->record);
	events->producer = NULL;
}
