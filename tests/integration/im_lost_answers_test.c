#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "im/groups/group_change.h"
#include "im/messages/message_change.h"
#include "im_entries_fixture.h"
#include "schema_fixture.h"

/* The entry writer when PostgreSQL committed an entry and the answer was lost, or lost the statement. */

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
	/* The loop does not run, so the answer is not read. */
	while (ask_number("select count(*) " OF_WRITER " and state <> 'idle'") > 0)
		;
	lose_answer((int)port);
}

/* The answer to the entry is lost. It is stored all the same, as the second of its conversation, and a later send after it. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_entry_whose_answer_was_lost_is_found_again_and_published_once, reset_group),
		cmocka_unit_test_setup(an_entry_whose_statement_was_lost_is_stored_by_the_next_try, reset_group),
	};
	return cmocka_run_group_tests(tests, open_im, close_im);
}
