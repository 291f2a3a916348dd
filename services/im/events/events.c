#include "im/events/events.h"

#include "base/clock.h"
#include "base/mem.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"

#define RECORD_VERSION 1

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

static void events_send(struct events *events, unsigned index)
{
	struct events_open_record *open = &events->open[index];
	const char key[] = { (char)('0' + index) };

	if (!open->event_count)
		return;
	struct events_sent_record *sent = MEM_NEW(struct events_sent_record);
	*sent = (struct events_sent_record){ events, open->event_count, open->bytes.len };
	err_t err = kafka_produce(events->producer, TOPIC_EVENT, str_of(key, sizeof(key)), buf_str(&open->bytes), NULL, 0,
	                          events_on_produced, sent);
	if (err) {
		counter_add(events->dropped_kafka, open->event_count);
		events_take_back(events, open->event_count, open->bytes.len);
		mem_free(sent);
	} else {
		counter_add(events->emitted, open->event_count);
	}
	buf_clear(&open->bytes);
	open->event_count = open->uid_count = 0;
}

static void events_on_linger_over(struct timer *timer)
{
	struct events *events = container_of(timer, struct events, linger);

	for (unsigned i = 0; i < EVENTS_OPEN_RECORDS; i++)
		events_send(events, i);
}

/* ---- filling records ---- */

/* Appends a record of one event. Protobuf joins messages that are put one after the other, so this adds the event to a record. */
static void events_pack(struct buf *out, const struct event *event, const struct str *uids, size_t uid_count)
{
	Skein__V1__EventRecord record = SKEIN__V1__EVENT_RECORD__INIT;
	Skein__V1__EmittedEvent emitted = SKEIN__V1__EMITTED_EVENT__INIT, *list = &emitted;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Users users = SKEIN__V1__USERS__INIT;
	Skein__V1__Event content = SKEIN__V1__EVENT__INIT;
	char *body = str_dup(event->body), *traceparent = str_dup(event->traceparent), *copies[EVENTS_RECORD_UIDS_MAX];

	for (size_t i = 0; i < uid_count; i++)
		copies[i] = str_dup(uids[i]);
	users.uids = copies;
	users.n_uids = uid_count;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	audience.users = &users;
	content.kind = (char *)event->kind;
	content.body = body;
	emitted.audience = &audience;
	emitted.event = &content;
	emitted.traceparent = traceparent;
	record.version = out->len ? 0 : RECORD_VERSION; /* once is enough */
	record.events = &list;
	record.n_events = 1;
	uint8_t *at = (uint8_t *)buf_reserve(out, skein__v1__event_record__get_packed_size(&record));
	out->len += skein__v1__event_record__pack(&record, at);
	for (size_t i = 0; i < uid_count; i++)
		mem_free(copies[i]);
	mem_free(body);
	mem_free(traceparent);
}

static void events_emit_part(struct events *events, const struct event *event, const struct str *uids, size_t uid_count)
{
	if (!events->producer || events->waiting >= EVENTS_MAX_WAITING || events->waiting_bytes >= EVENTS_MAX_WAITING_BYTES) {
		counter_add(events->dropped_full, 1);
		return;
	}
	unsigned index = (unsigned)(str_hash(uids[0]) % EVENTS_OPEN_RECORDS);
	struct events_open_record *open = &events->open[index];
	if (open->uid_count + uid_count > EVENTS_RECORD_UIDS_MAX)
		events_send(events, index);
	size_t before = open->bytes.len;
	events_pack(&open->bytes, event, uids, uid_count);
	open->event_count++;
	open->uid_count += (unsigned)uid_count;
	events->waiting++;
	events->waiting_bytes += open->bytes.len - before;
	if (open->bytes.len >= EVENTS_RECORD_BYTES)
		events_send(events, index);
	else if (!timer_is_armed(&events->linger))
		worker_arm(events->worker, &events->linger, clock_mono_ms() + EVENTS_LINGER_MS);
}

void events_emit(struct events *events, const struct event *event)
{
	for (size_t i = 0; i < event->uid_count; i += EVENTS_RECORD_UIDS_MAX)
		events_emit_part(events, event, &event->uids[i], MIN(event->uid_count - i, EVENTS_RECORD_UIDS_MAX));
}

/* ---- the life of it ---- */

void events_init(struct events *events, struct worker *worker, struct kafka_producer *producer)
{
	const char *dropped = "skein_im_events_dropped_total", *help = "Events that were dropped, by reason.";

	*events = (struct events){
		.worker = worker,
		.producer = producer,
		.emitted = metrics_counter("skein_im_events_total", "Events given to Kafka.", NULL),
		.dropped_full = metrics_counter(dropped, help, "reason=\"full\""),
		.dropped_kafka = metrics_counter(dropped, help, "reason=\"kafka\""),
	};
	timer_init(&events->linger, events_on_linger_over);
}

void events_stop(struct events *events)
{
	events_on_linger_over(&events->linger);
	worker_cancel(events->worker, &events->linger);
	for (unsigned i = 0; i < EVENTS_OPEN_RECORDS; i++)
		buf_release(&events->open[i].bytes);
	events->producer = NULL;
}
