#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "im/groups/group_change.h"
#include "im/messages/message_change.h"
#include "im_entries_fixture.h"
#include "schema_fixture.h"

/* The entry writer with every kind of entry: order, refusals, records. */

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

static void every_kind_of_entry_is_stored_answered_and_published(void **state)
{
	struct outcome outcomes[7] = { 0 };
	(void)state;

	submit(send_new("1", "text", BY("alice", &outcomes[0])));
	submit(group_new(GROUP_ADD, "dave,carol,bob", 100, BY("alice", &outcomes[1])));
	submit(group_new(GROUP_SET_ROLE, "dave", GROUP_ADMIN, BY("alice", &outcomes[2])));
	submit(edit_new(1, "edited", BY("alice", &outcomes[3])));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("dave", &outcomes[4])));
	submit(group_new(GROUP_REMOVE, "bob", 0, BY("dave", &outcomes[5])));
	submit(group_new(GROUP_REMOVE, "carol", 0, BY("carol", &outcomes[6])));
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
	submit(group_new(GROUP_REMOVE, "bob", 0, BY("alice", &outcomes[4])));
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

static void a_change_that_changes_nothing_makes_no_entry(void **state)
{
	struct outcome outcomes[2] = { 0 };
	(void)state;

	submit(add_new("bob", BY("alice", &outcomes[0])));
	submit(group_new(GROUP_SET_ROLE, "bob", GROUP_MEMBER, BY("alice", &outcomes[1])));
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
	struct outcome outcomes[14] = { 0 };
	const struct {
		err_t err;
		const char *field, *detail;
	} expected[] = {
		{ ERR_NOT_FOUND, "uids", "nobody is no user" },
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
		{ ERR_NOT_MEMBER, NULL, "only who has a part in a conversation may change its messages" },
		{ ERR_PERMISSION_DENIED, NULL, "only the owner and admins pin messages in a group" },
		{ ERR_FAILED_PRECONDITION, NULL, "the message is recalled" },
	};
	const struct change_terms bob = { .subject = STR("bob") };
	json_t *empty = json_object();
	unsigned i = 0;
	(void)state;

	struct outcome sent[2] = { 0 };
	submit(send_new("1", "text", BY("bob", &sent[0])));
	submit(group_new(GROUP_ADD, "carol,nobody", 100, BY("alice", &outcomes[i++])));
	submit(group_new(GROUP_ADD, "carol,dave", 3, BY("alice", &outcomes[i++])));
	submit(add_new("dave", BY("carol", &outcomes[i++])));
	submit(group_new(GROUP_REMOVE, "carol", 0, BY("alice", &outcomes[i++])));
	submit(group_new(GROUP_REMOVE, "alice", 0, BY("bob", &outcomes[i++])));
	submit(group_new(GROUP_REMOVE, "alice", 0, BY("alice", &outcomes[i++])));
	submit(message_recall_new(TEAM_ID, 9, WINDOW_MS, BY("bob", &outcomes[i++])));
	submit(edit_new(1, "x", BY("alice", &outcomes[i++])));
	submit(message_recall_new(TEAM_ID, 1, -1000, BY("bob", &outcomes[i++])));
	submit(message_edit_new(TEAM_ID, 1, empty, &(struct message_edit_terms){ .window_ms = WINDOW_MS },
	                        BY("bob", &outcomes[i++])));
	submit(group_change_new(GROUP_REMOVE, STR("none"), &bob, BY("alice", &outcomes[i++])));
	submit(message_recall_new(STR("u:bob:carol"), 1, WINDOW_MS, BY("alice", &outcomes[i++]))); /* it does not exist */
	submit(pin_new(TEAM_ID, 99, 10, BY("bob", &outcomes[i++]))); /* there is no such message */
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

static struct entry *recall_new(uint64_t seq, const struct entry_caller *caller)
{
	return message_recall_new(TEAM_ID, seq, WINDOW_MS, caller);
}

/* Messages 1 to `count` of alice. */
static void send_messages(unsigned count)
{
	struct outcome sent = { 0 };

	for (unsigned i = 1; i <= count; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%u", i);
		sent.is_told = false;
		submit(send_new(key, "text", BY("alice", &sent)));
		settle();
		assert_stored(&sent, i);
	}
	(void)next_records(count);
}

static void changes_that_wait_together_are_one_statement(void **state)
{
	const struct str notes = STR("u:alice:alice");
	struct outcome outcomes[6] = { 0 }, elsewhere = { 0 };
	(void)state;

	send_messages(2);
	run_sql("insert into conversation (id, kind, last_seq) select 'u:alice:alice', 1, 1");
	run_sql("insert into message (no, seq, msg_id, time, counted, key_hash, type, sender, client_msg_id, body)"
	        " select no, 1, 1, fn.now_ms(), 1, 1, 1, 'alice', 'k', '{}' from conversation where id = 'u:alice:alice'");
	uint64_t before = counter_value(im.writer.context.statements);
	submit(react_new("+1", true, BY("bob", &outcomes[0])));
	submit(pin_new(TEAM_ID, 2, 10, BY("alice", &outcomes[1])));
	submit(pin_new(notes, 1, 10, BY("alice", &elsewhere)));
	submit(edit_new(2, "new", BY("alice", &outcomes[2])));
	submit(react_new("+1", false, BY("bob", &outcomes[3])));
	submit(group_new(GROUP_SET_ROLE, "bob", GROUP_ADMIN, BY("alice", &outcomes[4])));
	submit(recall_new(2, BY("bob", &outcomes[5])));
	settle();
	assert_int_equal(counter_value(im.writer.context.statements), before + 1);
	for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++)
		assert_stored(&outcomes[i], i + 3);
	assert_stored(&elsewhere, 2);
	uint64_t seq_in_team = 3;
	Skein__V1__MessageRecord **records = next_records(ARRAY_LEN(outcomes) + 1);
	for (unsigned i = 0; i <= ARRAY_LEN(outcomes); i++) {
		if (strcmp(records[i]->message->conversation_id, "g:team") == 0)
			assert_int_equal(records[i]->message->seq, seq_in_team++);
	}
}

static void a_change_that_adds_members_is_a_statement_of_its_own_and_keeps_its_place(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct outcome outcomes[4] = { 0 };
		reset_group(NULL);
		run_sql("update chat_group set join_mode = 'open'");
		run_sql("insert into group_request (no, uid, note) select no, 'carol', '' from chat_group");
		send_messages(1);
		uint64_t before = counter_value(im.writer.context.statements);
		submit(react_new("+1", true, BY("bob", &outcomes[0])));
		submit(kind == 0   ? add_new("carol", BY("alice", &outcomes[1]))
		       : kind == 1 ? group_new(GROUP_JOIN, "", 100, BY("carol", &outcomes[1]))
		                   : group_new(GROUP_ACCEPT, "carol", 100, BY("alice", &outcomes[1])));
		submit(react_new("+1", true, BY("carol", &outcomes[2])));
		submit(recall_new(1, BY("alice", &outcomes[3])));
		settle();
		assert_int_equal(counter_value(im.writer.context.statements), before + 3);
		for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++)
			assert_stored(&outcomes[i], i + 2);
		next_records(4);
	}
}

/* The server refuses whatever stores the entry, as it might for a body that it does not understand. */
static void an_entry_that_makes_its_statement_fail_takes_no_other_with_it(void **state)
{
	struct outcome recalls[4] = { 0 }, sends[3] = { 0 };
	(void)state;

	send_messages(4);
	run_sql("alter table message_change add constraint poison check (target_seq <> 2)");
	run_sql("alter table message add constraint poison check (client_msg_id <> 'poison')");
	uint64_t before = counter_value(im.writer.context.statements);
	for (unsigned i = 0; i < 4; i++)
		submit(recall_new(i + 1, BY("alice", &recalls[i])));
	settle();
	assert_int_equal(counter_value(im.writer.context.statements), before + 5); /* the batch, then each alone */
	submit(send_new("5", "text", BY("alice", &sends[0])));
	submit(send_new("poison", "text", BY("alice", &sends[1])));
	submit(send_new("6", "text", BY("alice", &sends[2])));
	settle();
	assert_int_equal(counter_value(im.writer.context.statements), before + 9);
	run_sql("alter table message drop constraint poison");
	run_sql("alter table message_change drop constraint poison");
	assert_int_equal(recalls[1].result.err, ERR_UNAVAILABLE);
	assert_int_equal(sends[1].result.err, ERR_UNAVAILABLE);
	const struct outcome *stored[] = { &recalls[0], &recalls[2], &recalls[3], &sends[0], &sends[2] };
	Skein__V1__MessageRecord **records = next_records(ARRAY_LEN(stored));
	for (unsigned i = 0; i < ARRAY_LEN(stored); i++) {
		assert_stored(stored[i], i + 5);
		assert_int_equal(records[i]->message->seq, i + 5);
	}
}

/* Nothing waits between them: each is a statement, and the lane rests after none. */
static void many_entries_that_the_server_refuses_are_refused_at_once(void **state)
{
	struct outcome outcomes[30] = { 0 }, behind = { 0 };
	(void)state;

	send_messages(1);
	run_sql("alter table reaction add constraint poison check (target_seq <> 1)");
	uint64_t started_ms = clock_mono_ms();
	for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++) {
		char emoji[16];
		snprintf(emoji, sizeof(emoji), "e%u", i);
		submit(react_new(emoji, true, BY("bob", &outcomes[i])));
	}
	submit(send_new("behind", "text", BY("alice", &behind)));
	settle();
	assert_true(clock_mono_ms() - started_ms < 2000); /* 30 rests are 3 s */
	run_sql("alter table reaction drop constraint poison");
	for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++)
		assert_int_equal(outcomes[i].result.err, ERR_UNAVAILABLE);
	assert_stored(&behind, 2);
	next_records(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_kind_of_entry_is_stored_answered_and_published, reset_group),
		cmocka_unit_test_setup(a_change_is_stored_between_the_sends_that_came_before_and_after_it, reset_group),
		cmocka_unit_test_setup(a_change_that_changes_nothing_makes_no_entry, reset_group),
		cmocka_unit_test_setup(a_refusal_says_what_was_wrong, reset_group),
		cmocka_unit_test_setup(a_recall_of_a_recalled_message_gives_the_first_answer_and_publishes_nothing, reset_group),
		cmocka_unit_test_setup(changes_that_wait_together_are_one_statement, reset_group),
		cmocka_unit_test_setup(a_change_that_adds_members_is_a_statement_of_its_own_and_keeps_its_place, reset_group),
		cmocka_unit_test_setup(an_entry_that_makes_its_statement_fail_takes_no_other_with_it, reset_group),
		cmocka_unit_test_setup(many_entries_that_the_server_refuses_are_refused_at_once, reset_group),
	};
	return cmocka_run_group_tests(tests, open_im, close_im);
}
