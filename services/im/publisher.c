#include "im/publisher.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "im/migrate.h"
#include "proto/record.pb-c.h"

#define RECORD_VERSION 1

/* What is kept of a record until Kafka has it. */
struct publication {
	struct publisher *publisher;
	struct watermark_place place;
	size_t size;
	uint64_t id;
};

static int64_t read_records(void *arg)
{
	return ((const struct publisher *)arg)->records;
}

static int64_t read_bytes(void *arg)
{
	return (int64_t)((const struct publisher *)arg)->bytes;
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
		.lost = metrics_counter("skein_im_unpublished_total", "Stored messages that Kafka did not take.", NULL),
	};
	metrics_gauge_fn("skein_im_unsettled_sends", "Sends not decided yet, and messages not acknowledged by Kafka.", NULL,
	                 read_records, publisher);
	metrics_gauge_fn("skein_im_unsettled_bytes", "The same in bytes.", NULL, read_bytes, publisher);
}

void publisher_stop(struct publisher *publisher)
{
	publisher->producer = NULL;
	buf_release(&publisher->scratch);
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

/* A record that Kafka did not take keeps its id open: whoever takes the lease over publishes from below it. */
static void on_delivered(void *arg, err_t err)
{
	struct publication *publication = arg;
	struct publisher *publisher = publication->publisher;

	if (err) {
		counter_add(publisher->lost, 1);
		log_error("kafka did not take a stored message", LOG_U64("msg_id", publication->id), LOG_ERR(err));
	} else {
		counter_add(publisher->published, 1);
		log_debug("published", LOG_U64("msg_id", publication->id));
		watermark_close(publisher->watermark, publication->place);
	}
	free_room(publisher, publication->size);
	mem_free(publication);
}

static void pack(struct publisher *publisher, const struct send *send, const struct send_result *result,
                 int64_t member_version)
{
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	char *mentions[MENTIONS_MAX];

	message.conversation_id = (char *)send->conversation.ptr;
	message.seq = (uint64_t)result->seq;
	message.msg_id = result->msg_id;
	message.from = (char *)send->sender.ptr;
	message.type = (char *)send->type.ptr;
	message.body = (char *)send->body.ptr;
	message.time = (uint64_t)result->time;
	message.reply_to = (uint64_t)send->reply_to;
	message.n_mentions = mentions_split((char *)send->mentions.ptr, mentions);
	message.mentions = mentions;
	message.client_msg_id = (char *)send->client_msg_id.ptr;
	record.version = RECORD_VERSION;
	record.message = &message;
	record.member_version = (uint64_t)member_version;
	if (send->traceparent.len)
		record.traceparent = (char *)send->traceparent.ptr;
	buf_clear(&publisher->scratch);
	char *out = buf_reserve(&publisher->scratch, skein__v1__message_record__get_packed_size(&record));
	publisher->scratch.len = skein__v1__message_record__pack(&record, (uint8_t *)out);
}

void publisher_publish(struct publisher *publisher, const struct send *send, const struct send_result *result,
                       int64_t member_version)
{
	struct publication *publication = mem_alloc(sizeof(*publication));
	struct kafka_header trace = { .name = "traceparent", .value = send->traceparent };

	*publication = (struct publication){ publisher, send->place, send->size, send->id };
	pack(publisher, send, result, member_version);
	err_t err = ERR_CLOSED;
	if (publisher->producer)
		err = kafka_produce(publisher->producer, TOPIC_MESSAGE, send->conversation, buf_str(&publisher->scratch),
		                    &trace, send->traceparent.len ? 1 : 0, on_delivered, publication);
	if (err)
		on_delivered(publication, err);
}
