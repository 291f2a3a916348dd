#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <string.h>

#include "base/macros.h"
#include "push/order/stored_messages.h"

/* Rows of fn.messages_between() as records. The integration tests of push read real ones. */

enum { COLUMNS = 13, TYPE = 4, BODY = 5 };

static void set_number(PGresult *row, int column, uint64_t number)
{
	uint64_t bytes = htobe64(number);

	assert_int_equal(PQsetvalue(row, 0, column, (char *)&bytes, sizeof(bytes)), 1);
}

static void set_text(PGresult *row, int column, const char *text)
{
	assert_int_equal(PQsetvalue(row, 0, column, (char *)text, text ? (int)strlen(text) : -1), 1);
}

/* An entry of alice with this type and body: the other columns have their numbers as values, or are NULL. */
static PGresult *row_new(const char *type, const char *body)
{
	PGresult *row = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[COLUMNS];

	memset(columns, 0, sizeof(columns));
	for (int i = 0; i < COLUMNS; i++)
		columns[i].name = (char *)"x";
	assert_int_equal(PQsetResultAttrs(row, COLUMNS, columns), 1);
	static const int numbers[] = { 0, 1, 6, 9, 10 }, absent[] = { 3, 7, 8, 11, 12 };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		set_number(row, numbers[i], (uint64_t)numbers[i] + 100);
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		set_text(row, absent[i], NULL);
	set_text(row, 2, "alice");
	set_text(row, TYPE, type);
	set_text(row, BODY, body);
	return row;
}

static void check(const char *type, const char *body, const char *shown, const char *op, const char *emoji)
{
	PGresult *row = row_new(type, body);
	Skein__V1__MessageRecord *record = stored_message_record(row, 0, "g:team");
	const Skein__V1__Message *message = record->message;

	PQclear(row); /* the record is a copy */
	assert_string_equal(message->type, type);
	assert_string_equal(message->body, shown);
	assert_string_equal(message->op, op);
	assert_string_equal(message->emoji, emoji);
	assert_string_equal(message->from, "alice");
	assert_int_equal(message->seq, 100);
	assert_int_equal(message->target_seq, 109);
	skein__v1__message_record__free_unpacked(record, NULL);
}

static void a_reaction_has_its_emoji_and_no_body_as_in_the_record_of_im(void **state)
{
	(void)state;
	check("reaction", "{\"op\":\"add\",\"emoji\":\"\\\"\"}", "", "add", "\"");
	check("reaction", "{\"op\":\"remove\",\"emoji\":\"x\"}", "", "remove", "x");
}

static void other_entries_have_their_bodies(void **state)
{
	(void)state;
	check("edit", "{\"text\":\"x\"}", "{\"text\":\"x\"}", "", "");
	check("recall", NULL, "", "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reaction_has_its_emoji_and_no_body_as_in_the_record_of_im),
		cmocka_unit_test(other_entries_have_their_bodies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
