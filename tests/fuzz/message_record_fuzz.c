#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/text/ident.h"
#include "push/inboxes/outgoing.h"
#include "push/intake/dead_letters.h"
#include "push/intake/intake.h"
#include "push/order/conversations.h"
#include "push/recipients/recipients.h"
#include "tests/fuzz/fuzz.h"

/*
* Records as push takes them from Kafka. Kafka, the dead letters and the conversations
 * are played here. A record either becomes a message with a valid conversation and seq,
 * or is parked among the dead letters: exactly one of the two. Then its offset is
 * given back. A change of members that the record carries either does not fit, or gives
 * a sorted list without repeats.
 */

err_t __wrap_kafka_consumer_new(struct kafka_consumer **out, struct worker *worker,
                                const struct kafka_consumer_options *options,
                                const struct kafka_consumer_handlers *handlers, void *arg);
void __wrap_kafka_store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next_offset);
void __wrap_kafka_record_free(struct kafka_record *record);
void __wrap_conversations_take(struct conversations *conversations, struct outgoing *outgoing);
struct conversations_load __wrap_conversations_load(const struct conversations *conversations);
err_t __wrap_dead_letters_new(struct dead_letters **out, struct worker *worker, const char *brokers, const char *client_id,
                              void (*done)(void *arg, int32_t partition, int64_t offset), void *arg);
void __wrap_dead_letters_park(struct dead_letters *letters, struct kafka_record *record, const char *reason);
bool __wrap_dead_letters_is_full(const struct dead_letters *letters);

#define PARTITION 2

static const struct kafka_consumer_handlers *kafka;
static int64_t offset, stored, frees, taken, parked;

err_t __wrap_kafka_consumer_new(struct kafka_consumer **out, struct worker *worker,
                                const struct kafka_consumer_options *options,
                                const struct kafka_consumer_handlers *handlers, void *arg)
{
	(void)worker;
	(void)options;
	*out = arg; /* any pointer will do */
	kafka = handlers;
	return OK;
}

void __wrap_kafka_store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next_offset)
{
	CHECK(consumer && partition == PARTITION && next_offset == offset + 1);
	stored++;
}

void __wrap_kafka_record_free(struct kafka_record *record)
{
	(void)record;
	frees++;
}

static void check_change(const Skein__V1__MembershipDelta *delta)
{
	const struct str crew[] = { STR("alice"), STR("dave") };
	struct recipients *before = recipients_new(crew, ARRAY_LEN(crew)), *after = recipients_changed(before, delta);

	CHECK(before->count == ARRAY_LEN(crew));
	if (after)
		CHECK(after->count + delta->n_left == before->count + delta->n_joined);
	for (uint32_t i = 0; after && i < after->count; i++) {
		CHECK(ident_is_valid(after->uids[i]));
		CHECK(i == 0 || strcmp(after->uids[i - 1].ptr, after->uids[i].ptr) < 0);
	}
	recipients_unref(before);
	recipients_unref(after);
}

void __wrap_conversations_take(struct conversations *conversations, struct outgoing *outgoing)
{
	struct intake *intake = (struct intake *)conversations;
	const Skein__V1__Message *message = outgoing->record->message;
	struct conversation conversation;

	taken++;
	CHECK(outgoing->has_place && outgoing->partition == PARTITION && outgoing->offset == offset);
	CHECK(message->seq && outgoing->seq == message->seq);
	CHECK(conversation_parse(str_from(message->conversation_id), &conversation));
	CHECK(conversation.kind == CONVERSATION_DIRECT || conversation.kind == CONVERSATION_GROUP);
	CHECK(stored == 0);
	if (outgoing->record->membership)
		check_change(outgoing->record->membership);
	outgoing_free(outgoing);
	intake_finished(intake, PARTITION, offset);
}

struct conversations_load __wrap_conversations_load(const struct conversations *conversations)
{
	(void)conversations;
	return (struct conversations_load){ 0 };
}

err_t __wrap_dead_letters_new(struct dead_letters **out, struct worker *worker, const char *brokers, const char *client_id,
                              void (*done)(void *arg, int32_t partition, int64_t offset), void *arg)
{
	(void)worker;
	(void)brokers;
	(void)client_id;
	CHECK(done == intake_finished);
	*out = arg; /* any pointer will do */
	return OK;
}

void __wrap_dead_letters_park(struct dead_letters *letters, struct kafka_record *record, const char *reason)
{
	struct intake *intake = (struct intake *)letters;

	CHECK(*reason && stored == 0);
	parked++;
	__wrap_kafka_record_free(record);
	intake_finished(intake, PARTITION, offset);
}

bool __wrap_dead_letters_is_full(const struct dead_letters *letters)
{
	(void)letters;
	return false;
}

static struct intake *our_intake(void)
{
	static const struct intake_options options = { .limits = { .messages = 10, .bytes = 1 << 20, .slim = 10 } };
	static struct intake *intake;

	if (!intake) {
		CHECK(intake_new(&intake, NULL, &options) == OK);
		CHECK(intake_start(intake, (struct conversations *)intake) == OK);
		kafka->assigned(intake, PARTITION, offset);
	}
	return intake;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct intake *intake = our_intake();
	struct kafka_record record = { .partition = PARTITION, .offset = offset, .value = str_of(bytes, len) };

	stored = frees = taken = parked = 0;
	kafka->record(intake, &record);
	CHECK(stored == 1 && frees == 1 && taken + parked == 1);
	offset++;
	return 0;
}
