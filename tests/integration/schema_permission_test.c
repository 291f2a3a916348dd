/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/macros.h"
#include "schema_fixture.h"

/* fn.group_may() (functions/02_permission.sql), cell by cell, against a real server. */

/* The tables below hold codes separated by blanks. Roles: none, member, admin, owner. */
static const char *const roles[] = { "null", "0", "1", "2" };

static const struct {
	char letter;
	const char *code;
} codes[] = {
	{ 'o', "ok" },
	{ 'd', "permission_denied" },
	{ 'n', "not_member" },
	{ 'm', "muted" },
	{ 'f', "not_found" },
	{ 'p', "failed_precondition" },
	{ 'a', "already_exists" },
};

static const char *code_of(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].letter == letter)
			return codes[i].code;
	fail_msg("no code %c", letter);
	return "";
}

static void check_cell(const char *role, const char *target, const char *action, const char *join, const char *is_muted,
                       const char *is_dissolved, const char *code)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "select fn.group_may(%s::smallint, %s::smallint, '%s', '%s', %s, %s)", role, target,
	         action, join, is_muted, is_dissolved);
	assert_text(sql, code);
}

/* One letter for each role of the caller. */
static void an_action_without_a_target_is_decided_by_role_join_mode_and_mute(void **state)
{
	static const struct {
		const char *action, *join, *is_muted, *by_role;
	} rows[] = {
		{ "read", "invite", "false", "nooo" },
		{ "read", "open", "true", "nooo" },
		{ "send", "invite", "false", "nooo" },
		{ "send", "invite", "null", "nooo" },
		{ "send", "invite", "true", "nmmo" },
		{ "mention_all", "invite", "false", "ndoo" },
		{ "mention_all", "invite", "true", "nmmo" },
		{ "change_own", "invite", "true", "nooo" },
		{ "recall_others", "invite", "false", "ndoo" },
		{ "add", "invite", "false", "nooo" },
		{ "add", "open", "true", "nooo" },
		{ "add", "approval", "false", "ndoo" },
		{ "leave", "invite", "true", "noop" },
		{ "join", "invite", "false", "daaa" },
		{ "join", "approval", "false", "oaaa" },
		{ "join", "open", "true", "oaaa" },
		{ "requests", "approval", "false", "ndoo" },
		{ "profile", "invite", "false", "ndoo" },
		{ "pin", "invite", "true", "ndoo" },
		{ "dissolve", "invite", "false", "nddo" },
		{ "unknown", "open", "false", "nddd" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t role = 0; role < ARRAY_LEN(roles); role++)
			check_cell(roles[role], "null", rows[i].action, rows[i].join, rows[i].is_muted, "false",
			           code_of(rows[i].by_role[role]));
}

/* A word for each role of the caller, with a letter for each role of the target. */
static void an_action_on_a_member_is_decided_by_both_roles(void **state)
{
	static const struct {
		const char *action, *by_roles[ARRAY_LEN(roles)];
	} rows[] = {
		{ "remove", { "nnnn", "dddd", "fodd", "food" } },
		{ "mute", { "nnnn", "dddd", "fodd", "food" } },
		{ "role", { "nnnn", "dddd", "dddd", "foop" } },
		{ "owner", { "nnnn", "dddd", "dddd", "foop" } },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t role = 0; role < ARRAY_LEN(roles); role++)
			for (size_t target = 0; target < ARRAY_LEN(roles); target++)
				check_cell(roles[role], roles[target], rows[i].action, "invite", "true", "false",
				           code_of(rows[i].by_roles[role][target]));
}

static void in_a_dissolved_group_nothing_is_found(void **state)
{
	static const char *const actions[] = { "read", "send", "mention_all", "change_own", "recall_others", "add", "leave", "join",
		                               "requests", "profile", "dissolve", "remove", "mute", "role", "owner" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		for (size_t role = 0; role < ARRAY_LEN(roles); role++)
			check_cell(roles[role], "0", actions[i], "open", "false", "true", "not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_action_without_a_target_is_decided_by_role_join_mode_and_mute),
		cmocka_unit_test(an_action_on_a_member_is_decided_by_both_roles),
		cmocka_unit_test(in_a_dissolved_group_nothing_is_found),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
