#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "im/groups/group_change.h"
#include "im/messages/message_change.h"
#include "im_entries_fixture.h"
#include "schema_fixture.h"

/* The entry writer when PostgreSQL committed an entry and the answer was lost, or lost the statement. */

#define OF_WRITER "from pg_stat_activity where query ~ 'fn.im_(send|change)' and pid <> pg_backend_pid()"

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
	/* The loop does not run, so the answer is not read. */
	while (ask_number("select count(*) " OF_WRITER " and state <> 'idle'") > 0)
		;
	lose_answer((int)port);
}

/*
 * The answer to the entry is lost. It is stored all the same, as the second of its conversation, and a later send after
 * it, unless the entry ended the group.
 */
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
	bool is_end = ask_number("select count(*) from chat_group where dissolved_at is not null");
	unsigned stored = is_end ? 2 : 3;
	if (is_end)
		assert_int_equal(behind.result.err, ERR_NOT_FOUND);
	else
		assert_stored(&behind, 3);
	Skein__V1__MessageRecord **records = next_records(stored);
	for (unsigned i = 0; i < stored; i++)
		assert_int_equal(records[i]->message->seq, i + 1);
	assert_int_equal(records[1]->message->msg_id, outcome->result.msg_id);
	assert_string_equal(records[1]->message->type, type);
	if (strcmp(type, "reaction") == 0) {
		assert_string_equal(records[1]->message->body, "");
		assert_true(*records[1]->message->op && *records[1]->message->emoji);
	}
	assert_int_equal(ask_number("select count(*) from message"), stored);
	PQfinish(blocker);
}

#define KINDS 15

static void check_lost_kinds(enum loss loss)
{
	for (unsigned i = 0; i < KINDS; i++) {
		struct outcome first = { 0 }, outcome = { 0 };
		reset_group(NULL);
		run_sql("update chat_group set join_mode = 'open'");
		run_sql("insert into group_request (no, uid, note) select no, 'dave', '' from chat_group");
		run_sql("insert into reaction (no, target_seq, seq, emoji, uid) select no, 1, 1, 'there', 'alice' from chat_group");
		run_sql("insert into reaction_count (no, target_seq, first_seq, count, emoji) select no, 1, 1, 1, 'there' from chat_group");
		submit(send_new("first", "text", BY("alice", &first)));
		settle();
		struct {
			struct entry *entry;
			const char *type, *check;
		} cases[] = {
			{ send_new("lost", "text", BY("alice", &outcome)), "text", "select 1" },
			{ add_new("carol", BY("alice", &outcome)), "system",
			  "select count(*) from member_change join chat_group using (no) where member_count = 3" },
			{ group_new(GROUP_REMOVE, "bob", 0, BY("alice", &outcome)), "system",
			  "select count(*) from member_change join chat_group using (no) where member_count = 1" },
			{ group_new(GROUP_SET_ROLE, "bob", GROUP_ADMIN, BY("alice", &outcome)), "system",
			  "select count(*) from group_member where role = 1" },
			{ group_new(GROUP_MUTE, "bob", INT64_MAX, BY("alice", &outcome)), "system",
			  "select count(*) from group_member where muted_until is not null" },
			{ group_new(GROUP_HAND_OVER, "bob", 100, BY("alice", &outcome)), "system",
			  "select count(*) from chat_group where owner = 'bob'" },
			{ group_new(GROUP_CHANGE_PROFILE, "{\"name\":\"new\"}", 0, BY("alice", &outcome)), "system",
			  "select count(*) from chat_group where name = 'new'" },
			{ group_new(GROUP_DISSOLVE, "", 0, BY("alice", &outcome)), "system",
			  "select count(*) from chat_group where dissolved_at is not null" },
			{ group_new(GROUP_JOIN, "", 100, BY("carol", &outcome)), "system",
			  "select count(*) from group_member where uid = 'carol'" },
			{ group_new(GROUP_ACCEPT, "dave", 100, BY("alice", &outcome)), "system",
			  "select count(*) from group_member where uid = 'dave'" },
			{ pin_new(TEAM_ID, 1, 1, BY("alice", &outcome)), "system", "select count(*) from pin" },
			{ message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("alice", &outcome)), "recall",
			  "select count(*) from message_change" },
			{ react_new("+1", true, BY("alice", &outcome)), "reaction",
			  "select count from reaction_count where emoji = '+1'" },
			{ react_new("there", false, BY("alice", &outcome)), "reaction",
			  "select 1 - count(*) from reaction where emoji = 'there'" },
			{ edit_new(1, "new", BY("alice", &outcome)), "edit", "select count(*) from message_change" },
		};
		_Static_assert(ARRAY_LEN(cases) == KINDS, "each kind is lost once");
		for (unsigned other = 0; other < KINDS; other++) {
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

static void check_lost_batch(enum loss loss)
{
	struct outcome first = { 0 }, outcomes[4] = { 0 };
	PGconn *blocker = open_connection();
	int64_t epoch = im.keeper.lease.epoch;

	reset_group(NULL);
	submit(send_new("first", "text", BY("alice", &first)));
	settle();
	PQclear(ask_on(blocker, "begin; select from conversation where id = 'g:team' for update"));
	submit(react_new("+1", true, BY("bob", &outcomes[0])));
	submit(pin_new(TEAM_ID, 1, 1, BY("alice", &outcomes[1])));
	submit(edit_new(1, "new", BY("alice", &outcomes[2])));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("alice", &outcomes[3])));
	lose(loss, blocker);
	settle();
	assert_int_equal(im.keeper.lease.epoch, epoch + 1);
	Skein__V1__MessageRecord **records = next_records(1 + ARRAY_LEN(outcomes)) + 1;
	for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++) {
		assert_stored(&outcomes[i], i + 2);
		assert_false(outcomes[i].result.is_duplicate);
		assert_int_equal(records[i]->message->msg_id, outcomes[i].result.msg_id);
	}
	assert_int_equal(ask_number("select count(*) from message"), 1 + ARRAY_LEN(outcomes));
	PQfinish(blocker);
}

static void a_batch_of_changes_whose_answer_was_lost_is_found_again_as_a_whole(void **state)
{
	(void)state;
	check_lost_batch(LOST_AFTER_COMMIT);
	check_lost_batch(LOST_BEFORE);
}

static void an_entry_in_doubt_that_the_server_refuses_does_not_block_its_lane(void **state)
{
	struct outcome first = { 0 }, refused = { 0 }, behind = { 0 };
	PGconn *blocker = open_connection();
	(void)state;

	submit(send_new("first", "text", BY("alice", &first)));
	settle();
	PQclear(ask_on(blocker, "begin; select from conversation where id = 'g:team' for update"));
	submit(message_recall_new(TEAM_ID, 1, WINDOW_MS, BY("alice", &refused)));
	lose(LOST_BEFORE, blocker);
	run_sql("alter table message_change add constraint poison check (target_seq <> 1)");
	submit(send_new("behind", "text", BY("alice", &behind)));
	settle();
	run_sql("alter table message_change drop constraint poison");
	assert_int_equal(refused.result.err, ERR_UNAVAILABLE);
	assert_stored(&behind, 2);
	next_records(2);
	PQfinish(blocker);
}

static bool is_sent(void *arg)
{
	(void)arg;
	return im.writer.lanes[0].batch->len > 0;
}

/*
 * The writer's session is stopped, gets the entry's statement and loses its connection. Returns the session's pid: the statement
 * begins when it continues.
 */
static pid_t strand(struct entry *entry)
{
	pid_t pid = (pid_t)ask_number("select pid " OF_WRITER);
	int port = (int)ask_number("select client_port " OF_WRITER);

	assert_int_equal(kill(pid, SIGSTOP), 0);
	submit(entry);
	turn_until(&im.worker, is_sent, NULL);
	assert_int_equal(shutdown(find_connection(port), SHUT_RDWR), 0);
	return pid;
}

static void await_end_of_session(pid_t pid)
{
	char sql[80];

	assert_int_equal(kill(pid, SIGCONT), 0);
	snprintf(sql, sizeof(sql), "select count(*) from pg_stat_activity where pid = %d", pid);
	while (ask_number(sql) > 0)
		;
}

static void a_statement_that_begins_after_its_next_try_was_refused_stores_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct outcome first = { 0 }, outcome = { 0 };
		reset_group(NULL);
		run_sql("update chat_group set join_mode = 'open'");
		run_sql("insert into group_request (no, uid, note) select no, 'dave', '' from chat_group");
		submit(send_new("first", "text", BY("alice", &first)));
		settle();
		run_sql("delete from group_member where uid = 'bob'");
		pid_t pid = strand(i ? add_new("carol", BY("bob", &outcome)) : send_new("late", "text", BY("bob", &outcome)));
		turn_until_true(&im.worker, &outcome.is_told);
		assert_int_equal(outcome.result.err, ERR_NOT_MEMBER);
		run_sql("insert into group_member (no, uid) select no, 'bob' from chat_group");
		await_end_of_session(pid);
		assert_int_equal(ask_number("select count(*) from message"), 1);
		settle();
		(void)next_records(1);
	}
}

static void an_epoch_is_raised_once_for_each_lost_statement_and_the_lease_stays(void **state)
{
	struct outcome first = { 0 }, outcome = { 0 };
	int node = im.keeper.lease.node;
	int64_t epoch = im.keeper.lease.epoch;
	(void)state;

	submit(send_new("first", "text", BY("alice", &first)));
	settle();
	pid_t pid = strand(send_new("lost", "text", BY("alice", &outcome)));
	turn_until_true(&im.worker, &outcome.is_told);
	assert_stored(&outcome, 2);
	await_end_of_session(pid);
	assert_int_equal(im.keeper.lease.node, node);
	assert_int_equal(im.keeper.lease.epoch, epoch + 1);
	assert_int_equal(ask_number("select epoch from node_lease where owner = 'im-test'"), epoch + 1);
	settle();
	(void)next_records(2);
}

static bool is_in_doubt(void *arg)
{
	const struct entry *entry = arg;

	return entry->is_in_doubt;
}

/* Another im takes the number over, and this one leases a new number before the lane has noticed. */
static void lose_number(void)
{
	struct lease_keeper *keeper = &im.keeper;

	run_sql("update node_lease set epoch = epoch + 1, owner = 'caretaker other' where owner = 'im-test'");
	int node = (int)ask_number("select node from fn.im_lease_take('im-test', 3600000)");
	lease_lost(&keeper->lease);
	watermark_restart(&keeper->watermark, 0);
	lease_asked(&keeper->lease, clock_mono_ms());
	lease_taken(&keeper->lease, node, ask_number("select epoch from node_lease where owner = 'im-test'"), 0);
}

static void an_entry_in_doubt_whose_number_was_taken_over_is_not_stored_once_more(void **state)
{
	struct outcome first = { 0 }, outcome = { 0 };
	PGconn *blocker = open_connection();
	(void)state;

	submit(send_new("first", "text", BY("alice", &first)));
	settle();
	PQclear(ask_on(blocker, "begin; select from conversation where id = 'g:team' for update"));
	struct entry *entry = edit_new(1, "new", BY("alice", &outcome));
	submit(entry);
	lose(LOST_AFTER_COMMIT, blocker);
	turn_until(&im.worker, is_in_doubt, entry);
	lose_number();
	turn_until_true(&im.worker, &outcome.is_told);
	assert_int_equal(outcome.result.err, ERR_UNAVAILABLE);
	assert_int_equal(ask_number("select count(*) from message where type = fn.type_no('edit')"), 1);
	settle();
	(void)next_records(1);
	PQfinish(blocker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_entry_whose_answer_was_lost_is_found_again_and_published_once, reset_group),
		cmocka_unit_test_setup(an_entry_whose_statement_was_lost_is_stored_by_the_next_try, reset_group),
		cmocka_unit_test_setup(a_batch_of_changes_whose_answer_was_lost_is_found_again_as_a_whole, reset_group),
		cmocka_unit_test_setup(an_entry_in_doubt_that_the_server_refuses_does_not_block_its_lane, reset_group),
		cmocka_unit_test_setup(a_statement_that_begins_after_its_next_try_was_refused_stores_nothing, reset_group),
		cmocka_unit_test_setup(an_epoch_is_raised_once_for_each_lost_statement_and_the_lease_stays, reset_group),
		cmocka_unit_test_setup(an_entry_in_doubt_whose_number_was_taken_over_is_not_stored_once_more, reset_group),
	};
	return cmocka_run_group_tests(tests, open_im, close_im);
}
