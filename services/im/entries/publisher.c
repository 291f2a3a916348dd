#include "im/entries/publisher.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "im/stored/uid_list.h"
#include "message/reaction.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"

#define RECORD_VERSION 1

/* A record that Kafka has not acknowledged. */
struct publication {
	struct publisher *publisher;
	struct list by_age; /* in `unsettled` */
	uint64_t since_ms;
	uint64_t id;
	struct watermark_place place; /* of an entry of this im */
	size_t size; /* of an entry of this im */
	void (*told)(void *arg, err_t err); /* of an entry that another im stored; else NULL */
	void *arg;
};

static int64_t publisher_read_records(void *arg)
{
	return ((const struct publisher *)arg)->records;
}

static int64_t publisher_read_bytes(void *arg)
{
	return (int64_t)((const struct publisher *)arg)->bytes;
}

static int64_t publisher_read_age_s(void *arg)
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
		.published = metrics_counter("skein_im_published_total", "Entries that Kafka has acknowledged.", NULL),
		.lost = metrics_counter("skein_im_unpublished_total", "Stored entries that Kafka will never take.", NULL),
	};
	list_init(&publisher->unsettled);
	metrics_gauge_fn("skein_im_unsettled_sends", "Entries not decided yet, and records not acknowledged by Kafka.", NULL,
	                 publisher_read_records, publisher);
	metrics_gauge_fn("skein_im_unsettled_bytes", "The same in bytes.", NULL, publisher_read_bytes, publisher);
	metrics_gauge_fn("skein_im_unsettled_age_seconds", "For how long Kafka has not acknowledged the oldest of these records.",
	                 NULL, publisher_read_age_s, publisher);
}

void publisher_stop(struct publisher *publisher)
{
	publisher->producer = NULL;
	buf_release(&publisher->scratch);
	buf_release(&publisher->uids);
	buf_release(&publisher->pointers);
}

bool publisher_reserve(struct publisher *publisher, const struct entry *entry)
{
	if (publisher->records >= publisher->max_records || publisher->bytes + entry->record_size > publisher->max_bytes)
		return false;
	publisher->records++;
	publisher->bytes += entry->record_size;
	return true;
}

static void publisher_free_room(struct publisher *publisher, size_t size)
{
	publisher->records--;
	publisher->bytes -= size;
}

void publisher_cancel(struct publisher *publisher, const struct entry *entry)
{
	publisher_free_room(publisher, entry->record_size);
}

/* Whether another try, by this im or another one, may succeed. */
static bool publisher_may_pass(err_t err)
{
	return err == ERR_CLOSED || err == ERR_FULL || err == ERR_UNAVAILABLE;
}

/*
 * A record that Kafka may take later keeps its id open, so a takeover publishes it. For an entry of this im that happens only
 * when the producer closes: space was reserved, and the producer keeps its records until Kafka takes them.
 */
static void publisher_settle(void *arg, err_t err)
{
	struct publication *publication = arg;
	struct publisher *publisher = publication->publisher;

	counter_add(publisher->published, !err);
	log_debug("settled", LOG_U64("msg_id", publication->id), LOG_ERR(err));
	if (err && !publisher_may_pass(err)) {
		counter_add(publisher->lost, 1);
		log_error("kafka will never take the record of a stored entry", LOG_U64("msg_id", publication->id), LOG_ERR(err));
		err = OK;
	}
	list_remove(&publication->by_age);
	if (publication->told) {
		publication->told(publication->arg, err);
	} else {
		if (!err)
			watermark_close(publisher->watermark, publication->place);
		publisher_free_room(publisher, publication->size);
	}
	mem_free(publication);
}

/* A NULL of the database is an empty text. */
static char *publisher_text(struct str text)
{
	return text.ptr ? (char *)text.ptr : (char *)"";
}

/* Copies the list and cuts the copy; `uids` and `pointers` have room for it. */
static char **publisher_split(struct publisher *publisher, struct str list, size_t *count)
{
	struct buf *uids = &publisher->uids, *pointers = &publisher->pointers;
	char *copy = uids->ptr + uids->len;
	char **out = (char **)(pointers->ptr + pointers->len);

	buf_append_str(uids, list);
	buf_append(uids, "", 1);
	*count = uid_list_split(copy, out);
	pointers->len += *count * sizeof(*out);
	return out;
}

static void publisher_make_room(struct publisher *publisher, const struct publisher_record *record)
{
	const struct str lists[] = { record->message.mentions, record->joined, record->left };
	size_t len = 0, count = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		len += lists[i].len + 1;
		count += uid_list_count(lists[i]);
	}
	buf_clear(&publisher->uids);
	buf_clear(&publisher->pointers);
	buf_reserve(&publisher->uids, len);
	buf_reserve(&publisher->pointers, count * sizeof(char *));
}

static void publisher_pack(struct publisher *publisher, const struct publisher_record *from)
{
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	Skein__V1__MembershipDelta membership = SKEIN__V1__MEMBERSHIP_DELTA__INIT;
	const struct stored_fields *fields = &from->message;
	struct reaction reaction;

	publisher_make_room(publisher, from);
	message.conversation_id = publisher_text(fields->conversation_id);
	message.seq = fields->seq;
	message.msg_id = fields->msg_id;
	message.from = publisher_text(fields->sender);
	message.type = publisher_text(fields->type);
	message.body = publisher_text(reaction_split(&reaction, fields->type, fields->body));
	message.op = (char *)reaction.op;
	message.emoji = reaction.emoji;
	message.time = fields->time;
	message.reply_to = fields->reply_to;
	message.target_seq = fields->target_seq;
	message.expires_at = fields->expires_at;
	message.mentions = publisher_split(publisher, fields->mentions, &message.n_mentions);
	message.client_msg_id = publisher_text(fields->client_msg_id);
	membership.joined = publisher_split(publisher, from->joined, &membership.n_joined);
	membership.left = publisher_split(publisher, from->left, &membership.n_left);
	if (membership.n_joined || membership.n_left)
		record.membership = &membership;
	record.version = RECORD_VERSION;
	record.message = &message;
	record.member_version = (uint64_t)from->member_version;
	record.traceparent = publisher_text(from->traceparent);
	buf_clear(&publisher->scratch);
	char *out = buf_reserve(&publisher->scratch, skein__v1__message_record__get_packed_size(&record));
	publisher->scratch.len = skein__v1__message_record__pack(&record, (uint8_t *)out);
}

/* `values` says whose record it is. */
static void publisher_produce(const struct publication *values, const struct publisher_record *record)
{
	struct publisher *publisher = values->publisher;
	struct publication *publication = mem_alloc(sizeof(*publication));
	struct kafka_header trace = { .name = "traceparent", .value = record->traceparent };
	err_t err = ERR_CLOSED;

	*publication = *values;
	publication->id = record->message.msg_id;
	publication->since_ms = clock_mono_ms();
	list_push_back(&publisher->unsettled, &publication->by_age);
	if (publisher->producer) {
		publisher_pack(publisher, record);
		err = kafka_produce(publisher->producer, TOPIC_MESSAGE, record->message.conversation_id,
		                    buf_str(&publisher->scratch), &trace, record->traceparent.len ? 1 : 0, publisher_settle,
		                    publication);
	}
	if (err)
		publisher_settle(publication, err);
}

void publisher_publish(struct publisher *publisher, const struct entry *entry, const struct publisher_record *record)
{
	const struct publication values = { .publisher = publisher, .place = entry->place, .size = entry->record_size };

	publisher_produce(&values, record);
}

void publisher_republish(struct publisher *publisher, const struct publisher_record *record,
                         void (*told)(void *arg, err_t err), void *arg)
{
	const struct publication values = { .publisher = publisher, .told = told, .arg = arg };

	publisher_produce(&values, record);
}
