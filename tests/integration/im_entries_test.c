#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "im/entries/entry_writer.h"
#include "im/groups/group_change.h"
#include "im/messages/message_change.h"
#include "im/messages/send_entry.h"
#include "im/stored/message_reader.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"
#include "schema_fixture.h"
#include "store/kafka/kafka.h"
#include "store_fixture.h"

/*
 * The entry writer with every kind of entry, against PostgreSQL and Kafka: order, lost answers, refusals, records; and pages
 * in their present form.
 */

#define TEAM STR("team")
#define TEAM_ID STR("g:team")
#define WINDOW_MS 120000
#define RECORDS_MAX 1000

/* ---- an im without its servers ---- */

static struct real_server kafka_server = { .kind = REAL_KAFKA };

static struct {
	struct worker worker;
	struct pg *sends, *control;
	struct kafka_producer *producer;
	struct kafka_consumer *consumer;
	struct lease_keeper keeper;
	struct publisher publisher;
	struct message_cache messages;
	struct entry_writer writer;
	Skein__V1__MessageRecord *records[RECORDS_MAX]; /* as they came from Kafka */
	unsigned record_count;
} im;

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

static int open_im(void **state)
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

static int close_im(void **state)
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

/* alice owns the group `team`, bob is a member; carol and dave exist. The lease stays. */
static int reset_group(void **state)
{
	(void)state;
	run_sql("truncate account, chat_group, group_member, conversation, message, message_change, member_change, direct_member");
	run_sql("insert into account (uid, name) select u, u from unnest(array['alice', 'bob', 'carol', 'dave']) u");
	run_sql("select fn.im_group_create('team', 'Team', 'alice', 'invite', 'all', array['bob'])");
	message_cache_release(&im.messages);
	message_cache_init(&im.messages, 1 << 20);
	return 0;
}

/* ---- entries, and what became of them ---- */

struct outcome {
	bool is_told;
	struct entry_result result;
	char conversation[CONVERSATION_ID_MAX + 1], detail[ENTRY_DETAIL_MAX], joined[200], left[200];
};

static void on_told(void *arg, const struct entry_result *result)
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

#define BY(who, outcome) (&(struct entry_caller){ .uid = STR(who), .done = on_told, .arg = (outcome) })

static void submit(struct entry *entry)
{
	assert_int_equal(entry_writer_submit(&im.writer, entry), OK);
}

static struct entry *send_new(const char *key, const char *type, const struct entry_caller *caller)
{
	struct send_request request = { .client_msg_id = str_from(key), .group = TEAM, .type = str_from(type) };

	buf_append_text(&request.body, "{\"text\":\"hi\"}");
	struct entry *entry = send_entry_new(&request, caller);
	send_request_release(&request);
	return entry;
}

static struct entry *edit_new(uint64_t seq, const char *text, const struct entry_caller *caller)
{
	json_t *body = json_pack("{s:s}", "text", text);
	struct entry *entry = message_edit_new(TEAM_ID, seq, body, WINDOW_MS, caller);

	json_decref(body);
	return entry;
}

static struct entry *add_new(const char *uid, const struct entry_caller *caller)
{
	struct str uids[] = { str_from(uid) };

	return group_add_new(TEAM, uids, 1, 100, caller);
}

static bool is_settled(void *arg)
{
	(void)arg;
	return entry_writer_is_idle(&im.writer) && watermark_is_settled(&im.keeper.watermark) && im.publisher.records == 0;
}

static void settle(void)
{
	turn_until(&im.worker, is_settled, NULL);
	assert_int_equal(im.publisher.bytes, 0);
}

static const struct outcome *assert_stored(const struct outcome *outcome, int64_t seq)
{
	assert_true(outcome->is_told);
	if (outcome->result.err)
		fail_msg("%s: %s", err_code(outcome->result.err), outcome->detail);
	assert_false(outcome->result.is_nothing);
	assert_int_equal(outcome->result.seq, seq);
	return outcome;
}

/* The records since the last call; waits for `count` of them. */
static Skein__V1__MessageRecord **next_records(unsigned count)
{
	static unsigned taken;

	turn_until_count(&im.worker, &im.record_count, taken + count);
	assert_int_equal(im.record_count, taken + count);
	taken += count;
	return &im.records[taken - count];
}

static void assert_uids(char **uids, size_t count, const char *expected)
{
	struct buf joined = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&joined, "%s%s", i ? "," : "", uids[i]);
	assert_string_equal(buf_text(&joined), expected);
	buf_release(&joined);
}

static void assert_record(const Skein__V1__MessageRecord *record, const char *type, const char *body, uint64_t target_seq,
                          uint64_t member_version)
{
	assert_string_equal(record->message->type, type);
	assert_string_equal(record->message->body, body);
	assert_int_equal(record->message->target_seq, target_seq);
	assert_int_equal(record->member_version, member_version);
}

/* ---- tests ---- */

static void every_kind_of_entry_is_stored_answered_and_published(void **state)
{
	struct outcome outcomes[7] = { 0 };
	const struct str both[] = { STR("dave"), STR("carol"), STR("bob") };
	(void)state;

	submit(send_new("1", "text", BY("alice", &outcomes[0])));
	submit(group_add_new(TEAM, both, 3, 100, BY("alice", &outcomes[1])));
	submit(group_role_new(TEAM, STR("dave"), GROUP_ADMIN, BY("alice", &outcomes[2])));
	submit(edit_new(1, "edited", BY("alice", &outcomes[3])));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("dave", &outcomes[4])));
	submit(group_remove_new(TEAM, STR("bob"), BY("dave", &outcomes[5])));
	submit(group_remove_new(TEAM, STR("carol"), BY("carol", &outcomes[6])));
	settle();
	for (unsigned i = 0; i < 7; i++) {
		assert_stored(&outcomes[i], i + 1);
		assert_string_equal(outcomes[i].conversation, "g:team");
		assert_false(outcomes[i].result.is_duplicate);
	}
	assert_string_equal(outcomes[1].joined, "carol,dave");
	assert_string_equal(outcomes[5].left, "bob");
	Skein__V1__MessageRecord **records = next_records(7);
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(records[i]->message->msg_id, outcomes[i].result.msg_id);
		assert_int_equal(records[i]->message->seq, i + 1);
		assert_int_equal(records[i]->message->time, outcomes[i].result.time);
	}
	assert_record(records[0], "text", "{\"text\":\"hi\"}", 0, 0);
	assert_record(records[1], "system", "{\"event\":\"added\",\"actor\":\"alice\",\"uids\":[\"dave\",\"carol\"]}", 0, 2);
	assert_record(records[2], "system", "{\"event\":\"role\",\"actor\":\"alice\",\"uid\":\"dave\",\"role\":\"admin\"}", 0, 2);
	assert_record(records[3], "edit", "{\"text\":\"edited\"}", 1, 2);
	assert_record(records[4], "recall", "", 1, 2);
	assert_record(records[5], "system", "{\"event\":\"removed\",\"actor\":\"dave\",\"uid\":\"bob\"}", 0, 6);
	assert_record(records[6], "system", "{\"event\":\"left\",\"actor\":\"carol\"}", 0, 7);
	assert_string_equal(records[4]->message->from, "dave");
	for (unsigned i = 0; i < 7; i++)
		assert_true(!records[i]->membership == (i != 1 && i != 5 && i != 6));
	assert_uids(records[1]->membership->joined, records[1]->membership->n_joined, "carol,dave");
	assert_int_equal(records[1]->membership->n_left, 0);
	assert_uids(records[5]->membership->left, records[5]->membership->n_left, "bob");
	assert_uids(records[6]->membership->left, records[6]->membership->n_left, "carol");
}

static void a_change_is_stored_between_the_sends_that_came_before_and_after_it(void **state)
{
	struct outcome outcomes[6] = { 0 };
	(void)state;

	submit(send_new("1", "text", BY("bob", &outcomes[0])));
	submit(send_new("1", "text", BY("carol", &outcomes[1])));
	submit(add_new("carol", BY("alice", &outcomes[2])));
	submit(send_new("1", "text", BY("carol", &outcomes[3])));
	submit(group_remove_new(TEAM, STR("bob"), BY("alice", &outcomes[4])));
	submit(send_new("2", "text", BY("bob", &outcomes[5])));
	settle();
	assert_stored(&outcomes[0], 1);
	assert_int_equal(outcomes[1].result.err, ERR_NOT_MEMBER);
	assert_stored(&outcomes[2], 2);
	assert_stored(&outcomes[3], 3);
	assert_stored(&outcomes[4], 4);
	assert_int_equal(outcomes[5].result.err, ERR_NOT_MEMBER);
	Skein__V1__MessageRecord **records = next_records(4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(records[i]->message->seq, i + 1);
	assert_int_equal(records[0]->member_version, 0);
	assert_int_equal(records[2]->member_version, 2);
}

static void nothing_to_change_makes_no_entry(void **state)
{
	struct outcome outcomes[2] = { 0 };
	(void)state;

	submit(add_new("bob", BY("alice", &outcomes[0])));
	submit(group_role_new(TEAM, STR("bob"), GROUP_MEMBER, BY("alice", &outcomes[1])));
	settle();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(outcomes[i].result.err, OK);
		assert_true(outcomes[i].result.is_nothing);
		assert_int_equal(outcomes[i].result.msg_id, 0);
		assert_string_equal(outcomes[i].conversation, "g:team");
	}
	assert_int_equal(ask_number("select count(*) from message"), 0);
	next_records(0);
}

static void a_refusal_says_what_was_wrong(void **state)
{
	struct outcome outcomes[12] = { 0 };
	const struct str three[] = { STR("carol"), STR("dave") }, unknown[] = { STR("carol"), STR("nobody") };
	const struct {
		err_t err;
		const char *field, *detail;
	} expected[] = {
		{ ERR_NOT_FOUND, "uids", "there is no user nobody" },
		{ ERR_FAILED_PRECONDITION, "uids", "a group has at most 3 members" },
		{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
		{ ERR_NOT_FOUND, NULL, "carol is not a member of the group" },
		{ ERR_PERMISSION_DENIED, NULL, "the caller's role in the group does not allow this" },
		{ ERR_FAILED_PRECONDITION, NULL, "the owner must hand the group over before leaving" },
		{ ERR_NOT_FOUND, NULL, "there is no such message, or no such conversation" },
		{ ERR_PERMISSION_DENIED, NULL, "this is a message of somebody else" },
		{ ERR_FAILED_PRECONDITION, NULL, "the time in which the message may be changed is over" },
		{ ERR_INVALID_ARGUMENT, "body", "this is no body for a message of its type" },
		{ ERR_NOT_FOUND, NULL, "there is no such group" },
		{ ERR_FAILED_PRECONDITION, NULL, "the message is recalled" },
	};
	json_t *empty = json_object();
	unsigned i = 0;
	(void)state;

	struct outcome sent[2] = { 0 };
	submit(send_new("1", "text", BY("bob", &sent[0])));
	submit(group_add_new(TEAM, unknown, 2, 100, BY("alice", &outcomes[i++])));
	submit(group_add_new(TEAM, three, 2, 3, BY("alice", &outcomes[i++])));
	submit(add_new("dave", BY("carol", &outcomes[i++])));
	submit(group_remove_new(TEAM, STR("carol"), BY("alice", &outcomes[i++])));
	submit(group_remove_new(TEAM, STR("alice"), BY("bob", &outcomes[i++])));
	submit(group_remove_new(TEAM, STR("alice"), BY("alice", &outcomes[i++])));
	submit(message_recall_new(TEAM_ID, 9, WINDOW_MS, BY("bob", &outcomes[i++])));
	submit(edit_new(1, "x", BY("alice", &outcomes[i++])));
	submit(message_recall_new(TEAM_ID, 1, -1000, BY("bob", &outcomes[i++])));
	submit(message_edit_new(TEAM_ID, 1, empty, WINDOW_MS, BY("bob", &outcomes[i++])));
	submit(group_remove_new(STR("none"), STR("bob"), BY("alice", &outcomes[i++])));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("bob", &sent[1])));
	submit(edit_new(1, "x", BY("bob", &outcomes[i++])));
	settle();
	assert_stored(&sent[1], 2);
	for (i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(outcomes[i].result.err, expected[i].err);
		assert_string_equal(outcomes[i].detail, expected[i].detail);
		assert_true(!outcomes[i].result.field == !expected[i].field);
		if (expected[i].field)
			assert_string_equal(outcomes[i].result.field, expected[i].field);
	}
	json_decref(empty);
	next_records(2);
}

static void a_recall_of_a_recalled_message_gives_the_first_answer_and_publishes_nothing(void **state)
{
	struct outcome outcomes[3] = { 0 };
	(void)state;

	submit(send_new("1", "text", BY("bob", &outcomes[0])));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("bob", &outcomes[1])));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("alice", &outcomes[2])));
	settle();
	assert_stored(&outcomes[1], 2);
	assert_stored(&outcomes[2], 2);
	assert_false(outcomes[1].result.is_duplicate);
	assert_true(outcomes[2].result.is_duplicate);
	assert_int_equal(outcomes[1].result.msg_id, outcomes[2].result.msg_id);
	next_records(2);
}

/* ---- lost answers ---- */

#define OF_WRITER "from pg_stat_activity where query like '%ord, status, msg_id, seq, time, duplicate%' and pid <> pg_backend_pid()"

static bool is_blocked(void *arg)
{
	(void)arg;
	return ask_number("select count(*) " OF_WRITER " and wait_event_type = 'Lock'") == 1;
}

static int local_port(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) || address.sin_family != AF_INET)
		return -1;
	return ntohs(address.sin_port);
}

/* The descriptor of this process's connection that has this local port. */
static int find_connection(int port)
{
	DIR *folder = opendir("/proc/self/fd");
	int found = -1;

	assert_non_null(folder);
	for (struct dirent *file; found < 0 && (file = readdir(folder));) {
		int fd = (int)strtol(file->d_name, NULL, 10);
		if (local_port(fd) == port)
			found = fd;
	}
	closedir(folder);
	assert_true(found >= 0);
	return found;
}

/* Throws away what the server has answered, and cuts the connection. */
static void lose_answer(int port)
{
	int fd = find_connection(port);
	char bytes[4096];
	ssize_t lost = 0, len;

	while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		lost += len;
	assert_true(lost > 0);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
}

enum loss { LOST_AFTER_COMMIT, LOST_BEFORE };

/* The statement under way is committed and its answer lost, or its session ends before anything is decided. */
static void lose(enum loss loss, PGconn *blocker)
{
	turn_until(&im.worker, is_blocked, NULL);
	long port = ask_number("select client_port " OF_WRITER);
	if (loss == LOST_BEFORE)
		run_sql("select pg_terminate_backend(pid) " OF_WRITER);
	PQclear(ask_on(blocker, "commit"));
	if (loss == LOST_BEFORE)
		return;
	/* The loop stands still, so the answer is not read. */
	while (ask_number("select count(*) " OF_WRITER " and state <> 'idle'") > 0)
		;
	lose_answer((int)port);
}

/* Stores the entry, as the second of its conversation, though the first answer is lost; and a send behind it. */
static void check_lost(enum loss loss, struct entry *entry, const struct outcome *outcome, const char *type)
{
	PGconn *blocker = open_connection();
	struct outcome behind = { 0 };

	PQclear(ask_on(blocker, "begin; select from conversation where id = 'g:team' for update"));
	submit(entry);
	lose(loss, blocker);
	submit(send_new("behind", "text", BY("alice", &behind)));
	settle();
	assert_stored(outcome, 2);
	assert_false(outcome->result.is_duplicate);
	assert_stored(&behind, 3);
	Skein__V1__MessageRecord **records = next_records(3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(records[i]->message->seq, i + 1);
	assert_int_equal(records[1]->message->msg_id, outcome->result.msg_id);
	assert_string_equal(records[1]->message->type, type);
	assert_int_equal(ask_number("select count(*) from message"), 3);
	PQfinish(blocker);
}

static void check_lost_kinds(enum loss loss)
{
	for (unsigned i = 0; i < 6; i++) {
		struct outcome first = { 0 }, outcome = { 0 };
		reset_group(NULL);
		submit(send_new("first", "text", BY("alice", &first)));
		settle();
		struct {
			struct entry *entry;
			const char *type, *check;
		} cases[] = {
			{ send_new("lost", "text", BY("alice", &outcome)), "text", "select 1" },
			{ add_new("carol", BY("alice", &outcome)), "system",
			  "select count(*) from member_change join chat_group using (no) where member_count = 3" },
			{ group_remove_new(TEAM, STR("bob"), BY("alice", &outcome)), "system",
			  "select count(*) from member_change join chat_group using (no) where member_count = 1" },
			{ group_role_new(TEAM, STR("bob"), GROUP_ADMIN, BY("alice", &outcome)), "system",
			  "select count(*) from group_member where role = 1" },
			{ message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("alice", &outcome)), "recall",
			  "select count(*) from message_change" },
			{ edit_new(1, "new", BY("alice", &outcome)), "edit", "select count(*) from message_change" },
		};
		for (unsigned other = 0; other < ARRAY_LEN(cases); other++) {
			if (other != i)
				entry_free(cases[other].entry);
		}
		check_lost(loss, cases[i].entry, &outcome, cases[i].type);
		assert_int_equal(ask_number(cases[i].check), 1);
	}
}

static void an_entry_whose_answer_was_lost_is_found_again_and_published_once(void **state)
{
	(void)state;
	check_lost_kinds(LOST_AFTER_COMMIT);
}

static void an_entry_whose_statement_was_lost_is_stored_by_the_next_try(void **state)
{
	(void)state;
	check_lost_kinds(LOST_BEFORE);
}

/* ---- pages in their present form ---- */

struct page {
	struct message_reader reader;
	struct message_wanted wanted[4];
	char keys[4][32];
	bool is_found;
	err_t err;
	size_t found;
	char forms[400]; /* "<seq> <R or E> <body>, ..." */
};

static void on_found(void *arg, err_t err, size_t found)
{
	struct page *page = arg;
	struct buf forms = { 0 };

	page->is_found = true;
	page->err = err;
	page->found = found;
	for (size_t i = 0; i < found; i++) {
		const Skein__V1__Message view = stored_message_view(page->wanted[i].message, &page->wanted[i].form, STR("bob"));
		buf_printf(&forms, "%s%llu%s%s %.20s", i ? ", " : "", (unsigned long long)view.seq, view.recalled ? " R" : "",
		           view.edited ? " E" : "", view.body);
	}
	(void)str_copy(page->forms, sizeof(page->forms), buf_str(&forms));
	buf_release(&forms);
}

/* The entries 1 to `count` of the group. */
static void read_page(struct page *page, size_t count)
{
	*page = (struct page){ 0 };
	message_reader_init(&page->reader, im.control, &im.messages);
	for (size_t i = 0; i < count; i++) {
		snprintf(page->keys[i], sizeof(page->keys[i]), "g:team %zu", i + 1);
		page->wanted[i] = (struct message_wanted){
			.key = str_from(page->keys[i]), .conversation_id = TEAM_ID, .seq = i + 1,
		};
	}
	message_reader_find(&page->reader, page->wanted, count, on_found, page);
	turn_until_true(&im.worker, &page->is_found);
	for (size_t i = 0; i < count; i++)
		stored_message_unref(page->wanted[i].message);
	message_reader_release(&page->reader);
	assert_int_equal(page->err, OK);
}

/* As another im: its changes pass by this one's cache. */
#define OTHER_IM(call) run_sql("insert into node_lease values (700, 1, 'other', now() + interval '1 hour', 0) on conflict do nothing;" \
	                       "select " call)

static void a_cached_message_is_shown_as_it_was_changed_by_another_im(void **state)
{
	struct outcome sent[2] = { 0 };
	struct page page;
	(void)state;

	submit(send_new("1", "text", BY("bob", &sent[0])));
	submit(send_new("2", "text", BY("bob", &sent[1])));
	settle();
	next_records(2);
	read_page(&page, 2);
	assert_string_equal(page.forms, "1 {\"text\":\"hi\"}, 2 {\"text\":\"hi\"}");
	OTHER_IM("fn.entry_edit(700, 1, 1, 0, 'g:team', 'bob', 1, '{\"text\":\"new\"}', array['text'], 1000)");
	read_page(&page, 3);
	assert_string_equal(page.forms, "1 E {\"text\":\"new\"}, 2 {\"text\":\"hi\"}, 3 {\"text\":\"new\"}");
	OTHER_IM("fn.entry_edit(700, 1, 2, 0, 'g:team', 'bob', 1, '{\"text\":\"newer\"}', array['text'], 1000)");
	read_page(&page, 4);
	assert_string_equal(page.forms,
	                    "1 E {\"text\":\"newer\"}, 2 {\"text\":\"hi\"}, 3 {\"text\":\"new\"}, 4 {\"text\":\"newer\"}");
	OTHER_IM("fn.entry_recall(700, 1, 3, 0, 'g:team', 'bob', 1, 1000)");
	read_page(&page, 4);
	assert_string_equal(page.forms, "1 R , 2 {\"text\":\"hi\"}, 3 , 4 "); /* the edits of a recalled message have no body */
	assert_int_equal(page.found, 4);
}

static void a_page_that_edits_make_too_long_ends_earlier(void **state)
{
	struct outcome sent[3] = { 0 };
	struct page page;
	(void)state;

	for (unsigned i = 0; i < 3; i++)
		submit(send_new((const char *[]){ "1", "2", "3" }[i], "custom", BY("bob", &sent[i])));
	settle();
	next_records(3);
	OTHER_IM("fn.entry_edit(700, 1, seq, 0, 'g:team', 'bob', seq, '{\"text\":\"' || repeat('x', 600000) || '\"}',"
	         " array['custom'], 1000) from generate_series(1, 3) seq");
	read_page(&page, 3);
	assert_int_equal(page.found, 2);
	read_page(&page, 1);
	assert_int_equal(page.found, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_kind_of_entry_is_stored_answered_and_published, reset_group),
		cmocka_unit_test_setup(a_change_is_stored_between_the_sends_that_came_before_and_after_it, reset_group),
		cmocka_unit_test_setup(nothing_to_change_makes_no_entry, reset_group),
		cmocka_unit_test_setup(a_refusal_says_what_was_wrong, reset_group),
		cmocka_unit_test_setup(a_recall_of_a_recalled_message_gives_the_first_answer_and_publishes_nothing, reset_group),
		cmocka_unit_test_setup(an_entry_whose_answer_was_lost_is_found_again_and_published_once, reset_group),
		cmocka_unit_test_setup(an_entry_whose_statement_was_lost_is_stored_by_the_next_try, reset_group),
		cmocka_unit_test_setup(a_cached_message_is_shown_as_it_was_changed_by_another_im, reset_group),
		cmocka_unit_test_setup(a_page_that_edits_make_too_long_ends_earlier, reset_group),
	};
	return cmocka_run_group_tests(tests, open_im, close_im);
}
