#include "push/intake/intake.h"

#include "base/clock.h"
#include "base/text/ident.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "base/sabotage.h"
#include "push/intake/dead_letters.h"
#include "push/intake/offset_tracker.h"
#include "push/inboxes/outgoing.h"
#include "push/order/conversations.h"

struct intake_partition {
	struct offset_tracker tracker;
	bool is_ours;
};

struct intake {
	struct intake_options options;
	struct worker *worker;
	struct kafka_consumer *consumer;
	struct conversations *conversations;
	struct dead_letters *dead;
	struct intake_partition *partitions;
	int32_t partition_count;
	bool is_paused, is_stopping;
	void (*closed)(void *arg);
	void *closed_arg;
	struct counter *records, *unreadable, *pauses;
	struct histogram *age; /* of records */
};

#define RECORD_MAX_BYTES (1u << 20)

/* ---- flow ---- */

static bool intake_is_over(const struct intake *intake, size_t part)
{
	const struct intake_limits *limits = &intake->options.limits;
	struct conversations_load load = conversations_load(intake->conversations);

	return load.messages >= limits->messages / part || load.bytes >= limits->bytes / part ||
	       load.slim >= limits->slim / part || dead_letters_is_full(intake->dead);
}

static void intake_hold_or_go_on(struct intake *intake)
{
	if (!intake->is_paused && intake_is_over(intake, 1)) {
		intake->is_paused = true;
		counter_add(intake->pauses, 1);
		kafka_consumer_pause(intake->consumer);
	} else if (intake->is_paused && !intake->is_stopping && !intake_is_over(intake, 2)) {
		intake->is_paused = false;
		kafka_consumer_resume(intake->consumer);
	}
}

void intake_eased(void *intake)
{
	intake_hold_or_go_on(intake);
}

static struct intake_partition *intake_partition(struct intake *intake, int32_t number)
{
	if (number >= intake->partition_count) {
		intake->partitions = mem_resize(intake->partitions, (size_t)(number + 1) * sizeof(*intake->partitions));
		for (int32_t i = intake->partition_count; i <= number; i++)
			intake->partitions[i] = (struct intake_partition){ 0 };
		intake->partition_count = number + 1;
	}
	return &intake->partitions[number];
}

static void intake_finish_place(struct intake *intake, int32_t number, int64_t offset)
{
	struct intake_partition *partition = intake_partition(intake, number);

	if (partition->is_ours && offset_tracker_finish(&partition->tracker, offset))
		kafka_store_offset(intake->consumer, number, partition->tracker.next);
	intake_hold_or_go_on(intake);
}

void intake_finished(void *arg, int32_t number, int64_t offset)
{
	if (!sabotaged(SABOTAGE_COMMIT_EARLY))
		intake_finish_place(arg, number, offset);
}

void intake_unknown(void *arg, const struct outgoing *outgoing)
{
	struct intake *intake = arg;
	const Skein__V1__MessageRecord *record = outgoing->record;
	size_t len = record ? skein__v1__message_record__get_packed_size(record) : 0;
	uint8_t *packed = mem_alloc(len);

	if (record)
		skein__v1__message_record__pack(record, packed);
	counter_add(intake->unreadable, 1);
	dead_letters_park_copy(intake->dead, outgoing->partition, outgoing->offset,
	                       record ? str_from(record->message->conversation_id) : (struct str){ 0 },
	                       str_of((const char *)packed, len), "of a message that is not stored");
	mem_free(packed);
}

/* ---- records ---- */

/* Returns the record's fault, or NULL. `out` is set if it could be unpacked, fault or not. */
static const char *intake_unpack(struct str value, Skein__V1__MessageRecord **out)
{
	struct conversation conversation;

	*out = NULL;
	if (!value.len)
		return "empty";
	if (value.len > RECORD_MAX_BYTES)
		return "larger than 1 MiB";
	const Skein__V1__MessageRecord *record = *out =
		skein__v1__message_record__unpack(NULL, value.len, (const uint8_t *)value.ptr);
	if (!record)
		return "not a MessageRecord";
	if (record->version != INTAKE_RECORD_VERSION)
		return "of another version";
	if (!record->message)
		return "without a message";
	if (!record->message->seq || record->message->seq > INT64_MAX)
		return "without a seq";
	if (!conversation_parse(str_from(record->message->conversation_id), &conversation) ||
	    conversation.kind == CONVERSATION_ROOM)
		return "not a conversation with inboxes";
	return NULL;
}

static void intake_on_record(void *arg, struct kafka_record *record)
{
	struct intake *intake = arg;
	Skein__V1__MessageRecord *message;
	const char *fault = intake_unpack(record->value, &message);

	counter_add(intake->records, 1);
	uint64_t now_ms = clock_wall_ms(), made_ms = (uint64_t)MAX(record->time_ms, 0);
	histogram_observe(intake->age, now_ms > made_ms ? (now_ms - made_ms) * 1000 : 0);
	offset_tracker_begin(&intake_partition(intake, record->partition)->tracker, record->offset);
	if (fault) {
		counter_add(intake->unreadable, 1);
		if (message)
			skein__v1__message_record__free_unpacked(message, NULL);
		dead_letters_park(intake->dead, record, fault);
	} else {
		log_debug("taken", LOG_TEXT("conversation", message->message->conversation_id),
		          LOG_U64("seq", message->message->seq), LOG_U64("msg_id", message->message->msg_id),
		          LOG_NUM("partition", record->partition), LOG_NUM("offset", record->offset));
		struct outgoing *outgoing = outgoing_new(message);
		outgoing->has_place = true;
		outgoing->partition = record->partition;
		outgoing->offset = record->offset;
		conversations_take(intake->conversations, outgoing);
		if (sabotaged(SABOTAGE_COMMIT_EARLY))
			intake_finish_place(intake, record->partition, record->offset);
		kafka_record_free(record);
	}
	intake_hold_or_go_on(intake);
}

/* ---- partitions ---- */

static void intake_on_assigned(void *arg, int32_t number, int64_t offset)
{
	struct intake *intake = arg;
	struct intake_partition *partition = intake_partition(intake, number);

	log_info("partition taken", LOG_NUM("partition", number), LOG_NUM("offset", offset));
	offset_tracker_release(&partition->tracker);
	offset_tracker_init(&partition->tracker, offset);
	partition->is_ours = true;
}

static void intake_on_revoked(void *arg, int32_t number, bool lost)
{
	struct intake *intake = arg;
	struct intake_partition *partition = intake_partition(intake, number);

	log_info("partition given away", LOG_NUM("partition", number), LOG_NUM("lost", lost));
	partition->is_ours = false;
	offset_tracker_release(&partition->tracker);
	conversations_drop_partition(intake->conversations, number);
	intake_hold_or_go_on(intake);
}

/* ---- life ---- */

err_t intake_new(struct intake **out, struct worker *worker, const struct intake_options *options)
{
	struct intake *intake = MEM_NEW(struct intake);

	intake->worker = worker;
	intake->options = *options;
	intake->records = metrics_counter("skein_push_records_total", "Records taken from Kafka.", NULL);
	intake->unreadable = metrics_counter("skein_push_records_unreadable_total",
	                                     "Records that could not be used.", NULL);
	intake->age = metrics_histogram(
		"skein_push_record_age_seconds",
		"From the time of a record, which im sets in whole milliseconds, until push takes it.", NULL);
	intake->pauses = metrics_counter("skein_push_pauses_total",
	                                 "Times that no records were taken because too much was under way.", NULL);
	err_t err = dead_letters_new(&intake->dead, worker, options->consumer.brokers, options->consumer.client_id,
	                             intake_finished, intake);
	if (err) {
		mem_free(intake);
		return err;
	}
	*out = intake;
	return OK;
}

err_t intake_start(struct intake *intake, struct conversations *conversations)
{
	static const struct kafka_consumer_handlers handlers = {
		.record = intake_on_record,
		.assigned = intake_on_assigned,
		.revoked = intake_on_revoked,
	};

	intake->conversations = conversations;
	return kafka_consumer_new(&intake->consumer, intake->worker, &intake->options.consumer, &handlers, intake);
}

void intake_stop(struct intake *intake)
{
	intake->is_stopping = true;
	intake->is_paused = true;
	kafka_consumer_pause(intake->consumer);
}

static void intake_on_consumer_closed(void *arg)
{
	struct intake *intake = arg;

	dead_letters_close(intake->dead, intake->closed, intake->closed_arg);
}

void intake_close(struct intake *intake, void (*closed)(void *arg), void *arg)
{
	intake->closed = closed;
	intake->closed_arg = arg;
	dead_letters_stop(intake->dead);
	kafka_consumer_close(intake->consumer, intake_on_consumer_closed, intake);
	intake->consumer = NULL;
}

void intake_free(struct intake *intake)
{
	for (int32_t i = 0; i < intake->partition_count; i++)
		offset_tracker_release(&intake->partitions[i].tracker);
	mem_free(intake->partitions);
	mem_free(intake);
}

int64_t intake_lag(const struct intake *intake)
{
	return intake->consumer ? kafka_consumer_lag(intake->consumer) : 0;
}

int64_t intake_untaken(const struct intake *intake)
{
	return intake->consumer ? kafka_consumer_untaken(intake->consumer) : 0;
}

bool intake_is_paused(const struct intake *intake)
{
	return intake->is_paused;
}

bool intake_has_joined(const struct intake *intake)
{
	return intake->consumer && kafka_consumer_has_joined(intake->consumer);
}

unsigned intake_dead_letters(const struct intake *intake)
{
	return dead_letters_waiting(intake->dead);
}
