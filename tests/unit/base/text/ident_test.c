/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text/ident.h"
#include "base/macros.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define Y64 "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

static void an_identifier_has_1_to_64_characters_of_the_set(void **state)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	(void)state;

	for (int byte = 0; byte < 256; byte++) {
		char c = (char)byte;
		bool is_allowed = byte && strchr(allowed, c);
		assert_int_equal(ident_is_valid(str_of(&c, 1)), is_allowed);
		assert_int_equal(ident_is_valid(str_of((char[]){ 'a', c }, 2)), is_allowed);
	}
	assert_false(ident_is_valid(STR("")));
	assert_false(ident_is_valid(str_of(NULL, 0)));
	assert_true(ident_is_valid(STR(X64)));
	assert_false(ident_is_valid(STR(X64 "x")));
}

static void a_client_msg_id_is_printable_ascii_without_blanks(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char c = (char)byte;
		assert_int_equal(client_msg_id_is_valid(str_of(&c, 1)), byte > 0x20 && byte < 0x7f);
	}
	assert_false(client_msg_id_is_valid(STR("")));
	assert_true(client_msg_id_is_valid(STR(X64)));
	assert_false(client_msg_id_is_valid(STR(X64 "x")));
}

static void the_platforms_are_the_contracts(void **state)
{
	static const char *const good[] = { "ios", "android", "web", "desktop", "mini", "bot" };
	static const char *const bad[] = { "", "IOS", "io", "ios ", "windows", "webb" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(platform_is_valid(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(platform_is_valid(str_from(bad[i])));
}

static void a_name_has_1_to_128_characters_and_no_controls(void **state)
{
	char han[129 * 3];
	(void)state;

	for (int i = 0; i < 129; i++)
		memcpy(han + 3 * i, "\xe4\xbd\xa0", 3);
	assert_true(display_name_is_valid(str_of(han, 128 * 3)));
	assert_false(display_name_is_valid(str_of(han, 129 * 3)));
	assert_true(display_name_is_valid(STR("Anna Lena \xf0\x9f\x98\x80")));
	assert_false(display_name_is_valid(STR("")));
	assert_false(display_name_is_valid(STR("a\nb")));
	assert_false(display_name_is_valid(STR("a\0b")));
	assert_false(display_name_is_valid(STR("a\x7f")));
	assert_false(display_name_is_valid(STR("a\xc2\x85")));
	assert_false(display_name_is_valid(STR("a\xff")));
	assert_false(display_name_is_valid(STR("\xe4\xbd")));
}

static void conversation_ids_are_taken_apart(void **state)
{
	struct conversation c;
	(void)state;

	assert_true(conversation_parse(STR("u:alice:bob"), &c));
	assert_int_equal(c.kind, CONVERSATION_DIRECT);
	assert_true(str_equal(c.first, STR("alice")) && str_equal(c.second, STR("bob")));
	assert_true(conversation_parse(STR("u:alice:alice"), &c));
	assert_true(str_equal(c.first, c.second));
	assert_true(conversation_parse(STR("u:" X64 ":" Y64), &c));
	assert_true(conversation_parse(STR("g:team.1"), &c));
	assert_int_equal(c.kind, CONVERSATION_GROUP);
	assert_true(str_equal(c.first, STR("team.1")) && c.second.len == 0);
	assert_true(conversation_parse(STR("r:live"), &c));
	assert_int_equal(c.kind, CONVERSATION_ROOM);
	assert_true(str_equal(c.first, STR("live")) && c.second.len == 0);
}

static void a_malformed_conversation_id_is_refused(void **state)
{
	static const char *const bad[] = {
		"", ":", "u", "u:", "u::", "u:a", "u:a:", "u::b", "u:b:a", "u:a:b:c", "u:a b:c", "g:", "g:a:b", "g",
		"g:a b", "r:", "x:a", "G:a", "gg:a", ":a", "a", "u:a:b ", " g:a", "g:" X64 "x", "u:" X64 "x:y",
	};
	struct conversation c;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(conversation_parse(str_from(bad[i]), &c));
	assert_false(conversation_parse(str_of(NULL, 0), &c));
	assert_false(conversation_parse(STR("g:a\0"), &c));
}

static void a_one_to_one_id_is_the_same_from_both_sides(void **state)
{
	char from_alice[CONVERSATION_ID_MAX + 1], from_bob[CONVERSATION_ID_MAX + 1];
	(void)state;

	assert_int_equal(conversation_direct(from_alice, STR("alice"), STR("bob")), 11);
	conversation_direct(from_bob, STR("bob"), STR("alice"));
	assert_string_equal(from_alice, "u:alice:bob");
	assert_string_equal(from_bob, "u:alice:bob");
	conversation_direct(from_bob, STR("b"), STR("Z"));
	assert_string_equal(from_bob, "u:Z:b");
	assert_int_equal(conversation_direct(from_bob, STR(Y64), STR(X64)), CONVERSATION_ID_MAX);
	assert_string_equal(from_bob, "u:" X64 ":" Y64);
	assert_int_equal(conversation_group(from_bob, STR("team")), 6);
	assert_string_equal(from_bob, "g:team");
}

static void the_peer_is_the_other_or_oneself(void **state)
{
	struct conversation c;
	(void)state;

	assert_true(conversation_parse(STR("u:alice:bob"), &c));
	assert_true(str_equal(conversation_peer(&c, STR("alice")), STR("bob")));
	assert_true(str_equal(conversation_peer(&c, STR("bob")), STR("alice")));
	assert_true(conversation_parse(STR("u:alice:alice"), &c));
	assert_true(str_equal(conversation_peer(&c, STR("alice")), STR("alice")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identifier_has_1_to_64_characters_of_the_set),
		cmocka_unit_test(a_client_msg_id_is_printable_ascii_without_blanks),
		cmocka_unit_test(the_platforms_are_the_contracts),
		cmocka_unit_test(a_name_has_1_to_128_characters_and_no_controls),
		cmocka_unit_test(conversation_ids_are_taken_apart),
		cmocka_unit_test(a_malformed_conversation_id_is_refused),
		cmocka_unit_test(a_one_to_one_id_is_the_same_from_both_sides),
		cmocka_unit_test(the_peer_is_the_other_or_oneself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
