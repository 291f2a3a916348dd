#include "push/intake.h"

#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sabotage.h"
#include "push/offset_tracker.h"

struct partition {
	struct offset_tracker tracker;
	bool is_ours;
};

struct intake {
	struct intake_options options;
	struct worker *worker;
	struct redis *redis;
	struct kafka_consumer *consumer;
	struct conversations *conversations;
	struct partition *partitions;
	int32_t partition_count;
	bool is_paused, is_stopping;
	struct counter *records, *unreadable;
};

/* ---- flow ---- */

static void hold_or_go_on(struct intake *intake)
{
	size_t in_flight = conversations_in_flight(intake->conversations);

	if (!intake->is_paused && in_flight >= intake->options.max_in_flight) {
		intake->is_paused = true;
		kafka_consumer_pause(intake->consumer);
	} else if (intake->is_paused && !intake->is_stopping && in_flight <= intake->options.max_in_flight / 2) {
		intake->is_paused = false;
		kafka_consumer_resume(intake->consumer);
	}
}

static struct partition *partition_at(struct intake *intake, int32_t number)
{
	if (number >= intake->partition_count) {
		intake->partitions = mem_resize(intake->partitions, (size_t)(number + 1) * sizeof(*intake->partitions));
		for (int32_t i = intake->partition_count; i <= number; i++)
			intake->partitions[i] = (struct partition){ 0 };
		intake->partition_count = number + 1;
	}
	return &intake->partitions[number];
}

static void finish_place(struct intake *intake, int32_t number, int64_t offset)
{
	struct partition *partition = partition_at(intake, number);

	if (partition->is_ours && offset_tracker_finish(&partition->tracker, offset))
		kafka_store_offset(intake->consumer, number, partition->tracker.next);
	hold_or_go_on(intake);
}

void intake_finished(void *arg, int32_t number, int64_t offset)
{
	if (!sabotaged(SABOTAGE_COMMIT_EARLY))
		finish_place(arg, number, offset);
}

/* ---- records ---- */

/* What is wrong with a record, or NULL. */
static const char *first_fault(const Skein__V1__MessageRecord *record)
{
	struct conversation conversation;

	if (!record)
		return "not a MessageRecord";
	if (record->version != INTAKE_RECORD_VERSION)
		return "of another version";
	if (!record->message)
		return "without a message";
	if (!record->message->seq)
		return "without a seq";
	if (!conversation_parse(str_from(record->message->conversation_id), &conversation) ||
	    conversation.kind == CONVERSATION_ROOM)
		return "not a conversation with inboxes";
	return NULL;
}

static void on_record(void *arg, struct kafka_record *record)
{
	struct intake *intake = arg;
	struct partition *partition = partition_at(intake, record->partition);
	Skein__V1__MessageRecord *message =
		skein__v1__message_record__unpack(NULL, record->value.len, (const uint8_t *)record->value.ptr);
	const char *fault = first_fault(message);

	counter_add(intake->records, 1);
	offset_tracker_begin(&partition->tracker, record->offset);
	if (fault) {
		counter_add(intake->unreadable, 1);
		log_error("record passed over", LOG_TEXT("why", fault), LOG_NUM("partition", record->partition),
		          LOG_NUM("offset", record->offset));
		if (message)
			skein__v1__message_record__free_unpacked(message, NULL);
		intake_finished(intake, record->partition, record->offset);
	} else {
		struct outgoing *outgoing = outgoing_new(message, intake->redis);

		log_debug("taken", LOG_TEXT("conversation", message->message->conversation_id),
		          LOG_U64("seq", message->message->seq), LOG_U64("msg_id", message->message->msg_id),
		          LOG_NUM("partition", record->partition), LOG_NUM("offset", record->offset));

		outgoing->has_place = true;
		outgoing->partition = record->partition;
		outgoing->offset = record->offset;
		conversations_take(intake->conversations, outgoing);
		if (sabotaged(SABOTAGE_COMMIT_EARLY))
			finish_place(intake, record->partition, record->offset);
		hold_or_go_on(intake);
	}
	kafka_record_free(record);
}

/* ---- partitions ---- */

static void on_assigned(void *arg, int32_t number, int64_t offset)
{
	struct intake *intake = arg;
	struct partition *partition = partition_at(intake, number);

	log_info("partition taken", LOG_NUM("partition", number), LOG_NUM("offset", offset));
	offset_tracker_release(&partition->tracker);
	offset_tracker_init(&partition->tracker, offset);
	partition->is_ours = true;
}

static void on_revoked(void *arg, int32_t number, bool lost)
{
	struct intake *intake = arg;
	struct partition *partition = partition_at(intake, number);

	log_info("partition given away", LOG_NUM("partition", number), LOG_NUM("lost", lost));
	partition->is_ours = false;
	offset_tracker_release(&partition->tracker);
	conversations_drop_partition(intake->conversations, number);
	hold_or_go_on(intake);
}

/* ---- life ---- */

err_t intake_new(struct intake **out, struct worker *worker, struct redis *redis, const struct intake_options *options)
{
	struct intake *intake = MEM_NEW(struct intake);

	intake->worker = worker;
	intake->redis = redis;
	intake->options = *options;
	intake->records = metrics_counter("skein_push_records_total", "Records taken from Kafka.", NULL);
	intake->unreadable = metrics_counter("skein_push_records_unreadable_total",
	                                     "Records passed over because they could not be read.", NULL);
	*out = intake;
	return OK;
}

err_t intake_start(struct intake *intake, struct conversations *conversations)
{
	static const struct kafka_consumer_handlers handlers = {
		.record = on_record,
		.assigned = on_assigned,
		.revoked = on_revoked,
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

void intake_close(struct intake *intake, void (*closed)(void *arg), void *arg)
{
	kafka_consumer_close(intake->consumer, closed, arg);
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

bool intake_has_joined(const struct intake *intake)
{
	return intake->consumer && kafka_consumer_has_joined(intake->consumer);
}
