#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "im/stored/reaction_list.h"
#include "im/stored/stored_message.h"

static void check(const Skein__V1__Reaction *reaction, const char *emoji, unsigned count, bool mine)
{
	assert_string_equal(reaction->emoji, emoji);
	assert_int_equal(reaction->count, count);
	assert_int_equal(reaction->mine, mine);
}

static void each_line_is_a_reaction(void **state)
{
	struct reaction_list *list = reaction_list_new(STR("10000 + \xf0\x9f\x91\x8d\n1 - 1 + 1\n2 - x"));
	(void)state;

	assert_int_equal(list->count, 3);
	check(list->items[0], "\xf0\x9f\x91\x8d", 10000, true);
	check(list->items[1], "1 + 1", 1, false);
	check(list->items[2], "x", 2, false);
	mem_free(list);
}

static void no_text_is_no_list(void **state)
{
	(void)state;
	assert_null(reaction_list_new(STR("")));
	assert_null(reaction_list_new((struct str){ 0 }));
}

static void a_message_shows_its_reactions_unless_it_is_recalled_or_has_expired(void **state)
{
	const struct stored_fields fields = { .conversation_id = STR("g:team"), .sender = STR("a"), .type = STR("text"),
		                              .body = STR("{}"), .seq = 1 };
	struct stored_message *message = stored_message_new(&fields);
	struct reaction_list *list = reaction_list_new(STR("1 + x"));
	struct message_form form = { .reactions = list };
	(void)state;

	Skein__V1__Message view = stored_message_view(message, &form, STR("b"));
	assert_int_equal(view.n_reactions, 1);
	check(view.reactions[0], "x", 1, true);
	form.is_recalled = true;
	view = stored_message_view(message, &form, STR("b"));
	assert_int_equal(view.n_reactions, 0);
	form.is_recalled = false;
	message->message.expires_at = 1; /* long ago */
	view = stored_message_view(message, &form, STR("b"));
	assert_int_equal(view.n_reactions, 0);
	mem_free(list);
	stored_message_unref(message);
}

static void a_stored_reaction_has_its_emoji_and_no_body(void **state)
{
	const struct stored_fields fields = { .conversation_id = STR("g:team"), .sender = STR("a"), .type = STR("reaction"),
		                              .body = STR("{\"op\":\"remove\",\"emoji\":\"x\"}"), .seq = 2, .target_seq = 1 };
	struct stored_message *message = stored_message_new(&fields);
	(void)state;

	assert_string_equal(message->message.body, "");
	assert_string_equal(message->message.op, "remove");
	assert_string_equal(message->message.emoji, "x");
	assert_false(stored_message_is_content(message));
	stored_message_unref(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_a_reaction),
		cmocka_unit_test(no_text_is_no_list),
		cmocka_unit_test(a_message_shows_its_reactions_unless_it_is_recalled_or_has_expired),
		cmocka_unit_test(a_stored_reaction_has_its_emoji_and_no_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
