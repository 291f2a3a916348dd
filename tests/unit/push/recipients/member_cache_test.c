/* The member cache against a naive history of a group's members. The test plays PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/random.h"
#include "push/recipients/member_cache.h"
#include "store/pg/pg.h"

#define USERS 40
#define SEQS 400
#define CREW STR("g:crew")

/* ---- the history ---- */

/* Bit u of a set is user u. The new group, before entry 1, has version 0. */
struct history {
	uint64_t members[SEQS + 1]; /* after the entry of that seq */
	uint64_t versions[SEQS + 1];
	unsigned seqs;
};

static struct history history;

static void begin_history(uint64_t members)
{
	memset(&history, 0, sizeof(history));
	history.members[0] = members;
}

/* Adds an entry after which these are the members. Returns its seq. */
static uint64_t enter(uint64_t members)
{
	unsigned seq = ++history.seqs;

	assert_in_range(seq, 1, SEQS);
	history.members[seq] = members;
	history.versions[seq] = members == history.members[seq - 1] ? history.versions[seq - 1] : seq;
	return seq;
}

static uint64_t enter_message(void)
{
	return enter(history.members[history.seqs]);
}

static const char *uid_of(unsigned user)
{
	static char uids[USERS][8];

	snprintf(uids[user], sizeof(uids[user]), "u%u", user);
	return uids[user];
}

static void assert_members(const struct recipients *members, uint64_t set)
{
	unsigned count = 0;

	for (unsigned user = 0; user < USERS; user++) {
		bool is_in = set >> user & 1;

		count += is_in;
		assert_int_equal(recipients_have(members, str_from(uid_of(user))), is_in);
	}
	assert_int_equal(members->count, count);
}

/* ---- PostgreSQL ---- */

struct asked {
	char id[64], after[64];
	uint64_t version;
	int32_t limit;
	pg_done done;
	void *arg;
};

static struct asked asked;
static unsigned asked_count; /* first pages */
static unsigned crowd; /* members of the group g:crowd */

static uint64_t number_at(const struct pg_params *params, int index)
{
	const uint8_t *at = (const uint8_t *)params->bytes.ptr + params->params[index].at;
	uint64_t number = 0;

	for (int i = 0; i < params->params[index].len; i++)
		number = number << 8 | at[i];
	return number;
}

static void text_at(char out[64], const struct pg_params *params, int index)
{
	assert_true(str_copy(out, 64, str_of(params->bytes.ptr + params->params[index].at, (size_t)params->params[index].len)));
}

/* Replaces the store's function: the test decides when the answer comes. */
void pg_query(struct pg *pg, uint64_t lane, const struct pg_statement *statement, struct pg_params *params, pg_done done, void *arg)
{
	(void)pg;
	(void)lane;
	(void)statement;
	assert_null(asked.done);
	text_at(asked.id, params, 0);
	asked.version = number_at(params, 1);
	text_at(asked.after, params, 2);
	asked.limit = (int32_t)number_at(params, 3);
	asked.done = done;
	asked.arg = arg;
	asked_count += !asked.after[0];
	pg_params_release(params);
}

static void add_row(PGresult *result, const char *uid)
{
	int row = PQntuples(result);

	if (strcmp(uid, asked.after) > 0 && row < asked.limit)
		assert_true(PQsetvalue(result, row, 0, (char *)uid, (int)strlen(uid)));
}

static void answer_page(void)
{
	PGresAttDesc column = { .name = "uid", .format = 1, .typid = 25 };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	struct asked page = asked;

	assert_true(PQsetResultAttrs(result, 1, &column));
	if (str_equal(str_from(page.id), CREW)) {
		for (unsigned user = 0; user < USERS; user++)
			if (history.members[page.version] >> user & 1)
				add_row(result, uid_of(user));
	} else {
		for (unsigned i = 0; i < crowd; i++) {
			char uid[16];

			snprintf(uid, sizeof(uid), "c%06u", i);
			add_row(result, uid);
		}
	}
	asked.done = NULL;
	page.done(page.arg, OK, result);
	PQclear(result);
}

static void refuse(void)
{
	struct asked page = asked;

	asked.done = NULL;
	page.done(page.arg, ERR_UNAVAILABLE, NULL);
}

/* ---- asking ---- */

struct found {
	bool has_come;
	err_t err;
	struct recipients *members;
};

static void note_found(void *arg, err_t err, struct recipients *members)
{
	*(struct found *)arg = (struct found){ .has_come = true, .err = err, .members = members };
}

static struct recipients *find(struct member_cache *cache, const struct member_question *question)
{
	struct found found = { 0 };

	member_cache_find(cache, question, note_found, &found);
	while (asked.done)
		answer_page();
	assert_true(found.has_come);
	assert_int_equal(found.err, OK);
	return found.members;
}

static void fill_delta(Skein__V1__MembershipDelta *delta, char **joined, char **left, uint64_t seq)
{
	uint64_t before = history.members[seq - 1], after = history.members[seq];

	skein__v1__membership_delta__init(delta);
	delta->joined = joined;
	delta->left = left;
	for (unsigned user = 0; user < USERS; user++) {
		if ((after & ~before) >> user & 1)
			joined[delta->n_joined++] = (char *)uid_of(user);
		if ((before & ~after) >> user & 1)
			left[delta->n_left++] = (char *)uid_of(user);
	}
}

/* Looks up the members for the entries first ... last, which have one version, and checks them. */
static void ask(struct member_cache *cache, uint64_t first, uint64_t last, bool with_delta)
{
	char *joined[USERS], *left[USERS];
	Skein__V1__MembershipDelta delta;
	struct member_question question = {
		.conversation_id = CREW,
		.version = history.versions[first],
		.first_seq = first,
		.last_seq = last,
	};

	if (with_delta && question.version == first) {
		fill_delta(&delta, joined, left, first);
		question.delta = &delta;
	}
	assert_int_equal(history.versions[last], question.version);
	struct recipients *members = find(cache, &question);
	assert_members(members, history.members[first]);
	recipients_unref(members);
}

static struct member_cache *new_cache(void)
{
	asked_count = 0;
	return member_cache_new(NULL, 1000);
}

/* ---- the tests ---- */

static void changes_in_order_are_applied_and_postgresql_is_asked_once(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	begin_history(0x7);
	ask(cache, enter_message(), 1, true);
	ask(cache, enter(0xf), 2, true); /* 3 joins */
	ask(cache, enter_message(), 3, true);
	ask(cache, enter(0xe), 4, true); /* 0 leaves */
	ask(cache, enter(0x1f0), 5, true); /* all others are replaced */
	ask(cache, enter(0x1f1), 6, true); /* 0 joins again */
	ask(cache, enter_message(), 7, true);
	assert_int_equal(asked_count, 1);
	member_cache_free(cache);
}

static void a_message_under_way_keeps_its_list_when_somebody_joins(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	begin_history(0x3);
	const struct member_question first = { .conversation_id = CREW, .first_seq = enter_message(), .last_seq = 1 };
	struct recipients *members = find(cache, &first);
	ask(cache, enter(0x7), 2, true);
	assert_members(members, 0x3);
	recipients_unref(members);
	member_cache_free(cache);
}

static void behind_a_gap_the_members_are_read_as_of_the_version(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	begin_history(0x3);
	ask(cache, enter_message(), 1, true);
	enter(0x7); /* the cache does not see it */
	ask(cache, enter(0x6), 3, true);
	assert_int_equal(asked_count, 2);
	assert_int_equal(asked.version, 3);
	member_cache_free(cache);
}

static void after_an_entry_without_its_delta_the_members_are_read(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	begin_history(0x3);
	ask(cache, enter_message(), 1, true);
	ask(cache, enter(0x7), 2, false);
	ask(cache, enter(0x5), 3, true); /* and then it goes on */
	assert_int_equal(asked_count, 2);
	member_cache_free(cache);
}

static void a_delta_that_does_not_fit_is_not_applied(void **state)
{
	struct member_cache *cache = new_cache();
	char *already_there[] = { "u1" };
	Skein__V1__MembershipDelta wrong = SKEIN__V1__MEMBERSHIP_DELTA__INIT;
	(void)state;

	begin_history(0x3);
	ask(cache, enter_message(), 1, true);
	wrong.joined = already_there;
	wrong.n_joined = 1;
	const struct member_question question = {
		.conversation_id = CREW, .version = enter(0x7), .first_seq = 2, .last_seq = 2, .delta = &wrong,
	};
	struct recipients *members = find(cache, &question);
	assert_members(members, 0x7);
	assert_int_equal(asked_count, 2);
	recipients_unref(members);
	member_cache_free(cache);
}

static void an_older_message_gets_the_members_of_its_version_and_the_newer_list_stays(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	begin_history(0x3);
	ask(cache, enter_message(), 1, true);
	ask(cache, enter(0x7), 2, true);
	ask(cache, 1, 1, true); /* once more */
	assert_int_equal(asked_count, 2);
	assert_int_equal(asked.version, 0);
	ask(cache, enter_message(), 3, true);
	assert_int_equal(asked_count, 2);
	member_cache_free(cache);
}

static void the_list_of_a_group_without_members_is_empty(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	begin_history(0);
	ask(cache, enter_message(), 1, true);
	member_cache_free(cache);
}

static void members_that_cannot_be_read_are_asked_for_again(void **state)
{
	struct member_cache *cache = new_cache();
	struct found found = { 0 };
	(void)state;

	begin_history(0x3);
	const struct member_question question = { .conversation_id = CREW, .first_seq = enter_message(), .last_seq = 1 };
	member_cache_find(cache, &question, note_found, &found);
	refuse();
	assert_true(found.has_come);
	assert_int_equal(found.err, ERR_UNAVAILABLE);
	ask(cache, 1, 1, true);
	assert_int_equal(asked_count, 2);
	member_cache_free(cache);
}

static void ask_for_crowd(struct member_cache *cache, const char *id)
{
	const struct member_question question = { .conversation_id = str_from(id), .first_seq = 1, .last_seq = 1 };
	struct recipients *members = find(cache, &question);

	assert_int_equal(members->count, crowd);
	recipients_unref(members);
}

static void a_group_of_many_pages_is_read_whole(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	for (crowd = 2 * MEMBERS_PAGE - 1; crowd <= 2 * MEMBERS_PAGE + 1; crowd++) {
		char id[32];

		snprintf(id, sizeof(id), "g:crowd-%u", crowd);
		ask_for_crowd(cache, id);
	}
	crowd = 250000;
	ask_for_crowd(cache, "g:crowd");
	member_cache_free(cache);
}

static void over_the_limit_of_members_the_groups_unused_for_longest_are_forgotten(void **state)
{
	struct member_cache *cache = new_cache();
	(void)state;

	crowd = 400;
	ask_for_crowd(cache, "g:a");
	ask_for_crowd(cache, "g:b");
	ask_for_crowd(cache, "g:a");
	ask_for_crowd(cache, "g:c"); /* b goes */
	assert_int_equal(asked_count, 3);
	ask_for_crowd(cache, "g:a");
	ask_for_crowd(cache, "g:c");
	assert_int_equal(asked_count, 3);
	ask_for_crowd(cache, "g:b");
	assert_int_equal(asked_count, 4);
	member_cache_free(cache);
}

static uint64_t random_change(uint64_t members)
{
	for (uint64_t changes = random_below(4); changes; changes--)
		members ^= UINT64_C(1) << random_below(USERS);
	return members;
}

/* Entries in order, with repeated older entries, gaps, records without deltas and forgotten lists between them. */
static void in_any_order_of_entries_a_message_is_for_the_members_of_its_version(void **state)
{
	(void)state;

	for (int round = 0; round < 300; round++) {
		struct member_cache *cache = new_cache();
		uint64_t next = 1;

		crowd = 990;
		begin_history(random_u64() & 0xff);
		while (history.seqs < SEQS)
			random_below(3) ? enter_message() : enter(random_change(history.members[history.seqs]));
		while (next <= SEQS) {
			uint64_t last = next, older = 1 + random_below(next);

			while (last < SEQS && history.versions[last + 1] == history.versions[next] && random_below(4))
				last++;
			if (random_below(10) == 0)
				ask(cache, older, older, random_below(2));
			if (random_below(30) == 0)
				ask_for_crowd(cache, "g:crowd"); /* the crew is forgotten */
			if (random_below(20))
				ask(cache, next, last, random_below(10) != 0);
			next = last + 1;
		}
		member_cache_free(cache);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_in_order_are_applied_and_postgresql_is_asked_once),
		cmocka_unit_test(a_message_under_way_keeps_its_list_when_somebody_joins),
		cmocka_unit_test(behind_a_gap_the_members_are_read_as_of_the_version),
		cmocka_unit_test(after_an_entry_without_its_delta_the_members_are_read),
		cmocka_unit_test(a_delta_that_does_not_fit_is_not_applied),
		cmocka_unit_test(an_older_message_gets_the_members_of_its_version_and_the_newer_list_stays),
		cmocka_unit_test(the_list_of_a_group_without_members_is_empty),
		cmocka_unit_test(members_that_cannot_be_read_are_asked_for_again),
		cmocka_unit_test(a_group_of_many_pages_is_read_whole),
		cmocka_unit_test(over_the_limit_of_members_the_groups_unused_for_longest_are_forgotten),
		cmocka_unit_test(in_any_order_of_entries_a_message_is_for_the_members_of_its_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
