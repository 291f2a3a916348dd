#include "im_entries_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "im/groups/group_change.h"
#include "im/messages/message_change.h"
#include "im/messages/send_entry.h"
#include "message/topics.h"
#include "schema_fixture.h"
#include "store/kafka/kafka.h"

static struct real_server kafka_server = { .kind = REAL_KAFKA };
struct entries_im im;

static void on_record(void *arg, struct kafka_record *record)
{
	(void)arg;
	assert_true(im.record_count < RECORDS_MAX);
	im.records[im.record_count++] =
		skein__v1__message_record__unpack(NULL, record->value.len, (const uint8_t *)record->value.ptr);
	kafka_record_free(record);
}

static void on_assigned(void *arg, int32_t partition, int64_t offset)
{
	(void)arg;
	(void)partition;
	(void)offset;
}

static void on_revoked(void *arg, int32_t partition, bool lost)
{
	(void)arg;
	(void)partition;
	(void)lost;
}

static struct pg *open_pool(void)
{
	const struct pg_options options = {
		.uri = schema_server.uri, .connections = 1, .max_waiting = 1000, .timeout_ms = 20000, .settings = PG_BY_INDEX,
	};
	struct pg *pg;

	assert_int_equal(pg_new(&pg, &im.worker, &options), OK);
	return pg;
}

static void open_kafka(void)
{
	const struct kafka_topic topic = { .name = TOPIC_MESSAGE, .partitions = 1, .replication = 1 };
	const struct kafka_producer_options producer = {
		.brokers = kafka_server.uri, .client_id = "test", .max_waiting = 1000, .max_waiting_bytes = 64u << 20,
	};
	const struct kafka_consumer_options consumer = {
		.brokers = kafka_server.uri,
		.client_id = "test",
		.group = "test",
		.topic = TOPIC_MESSAGE,
		.commit_interval_ms = 1000,
	};
	const struct kafka_consumer_handlers handlers = { on_record, on_assigned, on_revoked };

	assert_int_equal(kafka_ensure_topics(kafka_server.uri, &topic, 1, 20000), OK);
	assert_int_equal(kafka_producer_new(&im.producer, &im.worker, &producer), OK);
	assert_int_equal(kafka_consumer_new(&im.consumer, &im.worker, &consumer, &handlers, NULL), OK);
}

static bool is_ready(void *arg)
{
	(void)arg;
	return lease_keeper_is_held(&im.keeper) && pg_is_connected(im.sends) && kafka_consumer_has_joined(im.consumer);
}

int open_im(void **state)
{
	const struct entry_writer_options options = {
		.lanes = 1, .batch_max = 64, .max_waiting = 1000, .timeout_ms = 20000, .messages = &im.messages,
	};

	start_server(state);
	real_server_make(&kafka_server);
	assert_int_equal(worker_init(&im.worker, "test"), OK);
	im.sends = open_pool();
	im.control = open_pool();
	open_kafka();
	lease_keeper_start(&im.keeper, &im.worker, im.control, "im-test", 3600 * 1000);
	publisher_init(&im.publisher, im.producer, &im.keeper.watermark, 1000, 64u << 20);
	message_cache_init(&im.messages, 1 << 20);
	entry_writer_init(&im.writer, &im.worker, im.sends, &im.keeper, &im.publisher, &options);
	turn_until(&im.worker, is_ready, NULL);
	return 0;
}

int close_im(void **state)
{
	bool is_closed = false;

	kafka_consumer_close(im.consumer, note_closed, &is_closed);
	turn_until_true(&im.worker, &is_closed);
	is_closed = false;
	kafka_producer_close(im.producer, 0, note_closed, &is_closed);
	turn_until_true(&im.worker, &is_closed);
	is_closed = false;
	lease_keeper_leave(&im.keeper, note_closed, &is_closed);
	turn_until_true(&im.worker, &is_closed);
	is_closed = false;
	pg_close(im.sends, note_closed, &is_closed);
	turn_until_true(&im.worker, &is_closed);
	is_closed = false;
	pg_close(im.control, note_closed, &is_closed);
	turn_until_true(&im.worker, &is_closed);
	publisher_stop(&im.publisher);
	message_cache_release(&im.messages);
	entry_writer_close(&im.writer);
	end_worker(&im.worker);
	for (unsigned i = 0; i < im.record_count; i++)
		skein__v1__message_record__free_unpacked(im.records[i], NULL);
	real_server_remove(&kafka_server);
	return stop_server(state);
}

int reset_group(void **state)
{
	(void)state;
	run_sql("truncate account, chat_group, group_member, conversation, message, message_change, member_change, direct_member, direct_rest,"
	        " group_request, pin, reaction, reaction_count");
	run_sql("insert into account (uid, name) select u, u from unnest(array['alice', 'bob', 'carol', 'dave']) u");
	run_sql("select fn.im_group_create('team', 'Team', 'alice', 'invite', 'all', array['bob'])");
	message_cache_release(&im.messages);
	message_cache_init(&im.messages, 1 << 20);
	return 0;
}

void note_told(void *arg, const struct entry_result *result)
{
	struct outcome *outcome = arg;

	assert_false(outcome->is_told);
	outcome->is_told = true;
	outcome->result = *result;
	(void)str_copy(outcome->conversation, sizeof(outcome->conversation), result->conversation_id);
	(void)str_copy(outcome->detail, sizeof(outcome->detail), str_from(result->detail));
	(void)str_copy(outcome->joined, sizeof(outcome->joined), result->joined);
	(void)str_copy(outcome->left, sizeof(outcome->left), result->left);
}

void submit(struct entry *entry)
{
	assert_int_equal(entry_writer_submit(&im.writer, entry), OK);
}

struct entry *send_new(const char *key, const char *type, const struct entry_caller *caller)
{
	struct send_request request = { .client_msg_id = str_from(key), .group = TEAM, .type = str_from(type) };

	buf_append_text(&request.body, "{\"text\":\"hi\"}");
	struct entry *entry = send_entry_new(&request, caller, false);
	send_request_release(&request);
	return entry;
}

struct entry *edit_new(uint64_t seq, const char *text, const struct entry_caller *caller)
{
	json_t *body = json_pack("{s:s}", "text", text);
	struct entry *entry = message_edit_new(TEAM_ID, seq, body, &(struct message_edit_terms){ .window_ms = WINDOW_MS }, caller);

	json_decref(body);
	return entry;
}

struct entry *react_new(const char *emoji, bool is_add, const struct entry_caller *caller)
{
	const struct message_reaction reaction = { .emoji = str_from(emoji), .is_add = is_add, .max = 100 };

	return message_react_new(TEAM_ID, 1, &reaction, caller);
}

struct entry *pin_new(struct str conversation, uint64_t target_seq, int64_t max, const struct entry_caller *caller)
{
	return message_pin_new(conversation, target_seq, &(struct message_pin){ .is_pin = true, .max = max }, caller);
}

struct entry *group_new(enum group_action action, const char *subject, int64_t number, const struct entry_caller *caller)
{
	const struct change_terms terms = { .subject = str_from(subject), .numbers = { number, 1000, 1000 } };

	return group_change_new(action, TEAM, &terms, caller);
}

struct entry *add_new(const char *uid, const struct entry_caller *caller)
{
	return group_new(GROUP_ADD, uid, 100, caller);
}

static bool is_settled(void *arg)
{
	(void)arg;
	return entry_writer_is_idle(&im.writer) && watermark_is_settled(&im.keeper.watermark) && im.publisher.records == 0;
}

void settle(void)
{
	turn_until(&im.worker, is_settled, NULL);
	assert_int_equal(im.publisher.bytes, 0);
}

const struct outcome *assert_stored(const struct outcome *outcome, int64_t seq)
{
	assert_true(outcome->is_told);
	if (outcome->result.err)
		fail_msg("%s: %s", err_code(outcome->result.err), outcome->detail);
	assert_false(outcome->result.is_nothing);
	assert_int_equal(outcome->result.seq, seq);
	return outcome;
}

Skein__V1__MessageRecord **next_records(unsigned count)
{
	static unsigned taken;

	turn_until_count(&im.worker, &im.record_count, taken + count);
	assert_int_equal(im.record_count, taken + count);
	taken += count;
	return &im.records[taken - count];
}
