#include "im/entries/publisher.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"

#define RECORD_VERSION 1

/* What is kept of a record until Kafka has it. */
struct publication {
	struct publisher *publisher;
	struct list by_age; /* in `unsettled` */
	uint64_t since_ms;
	uint64_t id;
	struct watermark_place place; /* of a send of ours, as is the size */
	size_t size;
	void (*told)(void *arg, err_t err); /* of what another im has stored */
	void *arg;
};

static int64_t read_records(void *arg)
{
	return ((const struct publisher *)arg)->records;
}

static int64_t read_bytes(void *arg)
{
	return (int64_t)((const struct publisher *)arg)->bytes;
}

static int64_t read_age_s(void *arg)
{
	const struct publisher *publisher = arg;

	if (list_is_empty(&publisher->unsettled))
		return 0;
	const struct publication *oldest = container_of(publisher->unsettled.next, struct publication, by_age);
	return (int64_t)(clock_mono_ms() - oldest->since_ms) / 1000;
}

void publisher_init(struct publisher *publisher, struct kafka_producer *producer, struct watermark *watermark,
                    unsigned max_records, uint64_t max_bytes)
{
	*publisher = (struct publisher){
		.producer = producer,
		.watermark = watermark,
		.max_records = max_records / 2,
		.max_bytes = max_bytes / 2,
		.published = metrics_counter("skein_im_published_total", "Messages that Kafka has acknowledged.", NULL),
		.lost = metrics_counter("skein_im_unpublished_total", "Stored messages that Kafka will never take.", NULL),
	};
	list_init(&publisher->unsettled);
	metrics_gauge_fn("skein_im_unsettled_sends", "Sends not decided yet, and messages not acknowledged by Kafka.", NULL,
	                 read_records, publisher);
	metrics_gauge_fn("skein_im_unsettled_bytes", "The same in bytes.", NULL, read_bytes, publisher);
	metrics_gauge_fn("skein_im_unsettled_age_seconds", "For how long Kafka has not acknowledged the oldest of these messages.",
	                 NULL, read_age_s, publisher);
}

void publisher_stop(struct publisher *publisher)
{
	publisher->producer = NULL;
	buf_release(&publisher->scratch);
	buf_release(&publisher->mentions);
}

bool publisher_reserve(struct publisher *publisher, const struct send *send)
{
	if (publisher->records >= publisher->max_records || publisher->bytes + send->size > publisher->max_bytes)
		return false;
	publisher->records++;
	publisher->bytes += send->size;
	return true;
}

static void free_room(struct publisher *publisher, size_t size)
{
	publisher->records--;
	publisher->bytes -= size;
}

void publisher_cancel(struct publisher *publisher, const struct send *send)
{
	free_room(publisher, send->size);
}

/* Another try, by whoever it is, would not be in vain. */
static bool may_pass(err_t err)
{
	return err == ERR_CLOSED || err == ERR_FULL || err == ERR_UNAVAILABLE;
}

/*
 * What Kafka may take later keeps its id open: whoever takes the lease over publishes from below it. Ours comes here so
 * only when the producer closes: room is reserved, and it keeps what it has until Kafka takes it.
 */
static void settle(struct publication *publication, err_t err)
{
	struct publisher *publisher = publication->publisher;

	counter_add(publisher->published, !err);
	log_debug("settled", LOG_U64("msg_id", publication->id), LOG_ERR(err));
	if (err && !may_pass(err)) {
		counter_add(publisher->lost, 1);
		log_error("kafka will never take a stored message", LOG_U64("msg_id", publication->id), LOG_ERR(err));
		err = OK;
	}
	list_remove(&publication->by_age);
	if (publication->told) {
		publication->told(publication->arg, err);
	} else {
		if (!err)
			watermark_close(publisher->watermark, publication->place);
		free_room(publisher, publication->size);
	}
	mem_free(publication);
}

static void on_delivered(void *arg, err_t err)
{
	settle(arg, err);
}

/* A NULL of the database is an empty text. */
static char *text_of(struct str text)
{
	return text.ptr ? (char *)text.ptr : (char *)"";
}

static void pack(struct publisher *publisher, const struct stored_fields *fields, int64_t member_version,
                 struct str traceparent)
{
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	char *mentions[MENTIONS_MAX];

	buf_clear(&publisher->mentions);
	buf_append(&publisher->mentions, fields->mentions.ptr, fields->mentions.len);
	buf_append(&publisher->mentions, "", 1);
	message.conversation_id = text_of(fields->conversation_id);
	message.seq = fields->seq;
	message.msg_id = fields->msg_id;
	message.from = text_of(fields->sender);
	message.type = text_of(fields->type);
	message.body = text_of(fields->body);
	message.time = fields->time;
	message.reply_to = fields->reply_to;
	message.n_mentions = mentions_split(publisher->mentions.ptr, mentions);
	message.mentions = mentions;
	message.client_msg_id = text_of(fields->client_msg_id);
	record.version = RECORD_VERSION;
	record.message = &message;
	record.member_version = (uint64_t)member_version;
	record.traceparent = text_of(traceparent);
	buf_clear(&publisher->scratch);
	char *out = buf_reserve(&publisher->scratch, skein__v1__message_record__get_packed_size(&record));
	publisher->scratch.len = skein__v1__message_record__pack(&record, (uint8_t *)out);
}

/* `values`: whose it is. */
static void publish(const struct publication *values, const struct stored_fields *fields, int64_t member_version,
                    struct str traceparent)
{
	struct publisher *publisher = values->publisher;
	struct publication *publication = mem_alloc(sizeof(*publication));
	struct kafka_header trace = { .name = "traceparent", .value = traceparent };
	err_t err = ERR_CLOSED;

	*publication = *values;
	publication->id = fields->msg_id;
	publication->since_ms = clock_mono_ms();
	list_push_back(&publisher->unsettled, &publication->by_age);
	if (publisher->producer) {
		pack(publisher, fields, member_version, traceparent);
		err = kafka_produce(publisher->producer, TOPIC_MESSAGE, fields->conversation_id, buf_str(&publisher->scratch),
		                    &trace, traceparent.len ? 1 : 0, on_delivered, publication);
	}
	if (err)
		settle(publication, err);
}

void publisher_publish(struct publisher *publisher, const struct send *send, const struct stored_fields *fields,
                       int64_t member_version)
{
	const struct publication values = { .publisher = publisher, .place = send->place, .size = send->size };

	publish(&values, fields, member_version, send->traceparent);
}

void publisher_republish(struct publisher *publisher, const struct stored_fields *fields, int64_t member_version,
                         void (*told)(void *arg, err_t err), void *arg)
{
	const struct publication values = { .publisher = publisher, .told = told, .arg = arg };

	publish(&values, fields, member_version, (struct str){ 0 });
}
