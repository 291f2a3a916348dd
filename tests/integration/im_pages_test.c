#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "im_entries_fixture.h"
#include "schema_fixture.h"

/* Pages of messages in their present form, with the changes that other ims made. */

struct page {
	struct message_reader reader;
	struct message_wanted wanted[4];
	char keys[4][32];
	bool is_found;
	err_t err;
	size_t found;
	char forms[400]; /* "<seq> <R: recalled, E: edited> <body> <emoji><count><+: bob's>..., ..." */
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
		for (size_t r = 0; r < view.n_reactions; r++)
			buf_printf(&forms, " %s%u%s", view.reactions[r]->emoji, view.reactions[r]->count,
			           view.reactions[r]->mine ? "+" : "");
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
	message_reader_find(&page->reader, page->wanted, count, (struct message_viewer){ STR("bob"), true }, on_found, page);
	turn_until_true(&im.worker, &page->is_found);
	for (size_t i = 0; i < count; i++)
		stored_message_unref(page->wanted[i].message);
	message_reader_release(&page->reader);
	assert_int_equal(page->err, OK);
}

/* A change that another im makes, which this im's cache does not see. */
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

static void reactions_are_read_for_each_page_and_a_recalled_message_has_none(void **state)
{
	struct outcome sent[2] = { 0 };
	struct page page;
	(void)state;

	submit(send_new("1", "text", BY("bob", &sent[0])));
	submit(send_new("2", "text", BY("bob", &sent[1])));
	settle();
	next_records(2);
	OTHER_IM("fn.entry_react(700, 1, 1, 0, 'g:team', 'alice', 1, 'a', true, 9, false)");
	OTHER_IM("fn.entry_react(700, 1, 2, 0, 'g:team', 'bob', 1, 'a', true, 9, false)");
	OTHER_IM("fn.entry_react(700, 1, 3, 0, 'g:team', 'alice', 2, 'b', true, 9, false)");
	OTHER_IM("fn.entry_edit(700, 1, 4, 0, 'g:team', 'bob', 1, '{\"text\":\"new\"}', array['text'], 1000)");
	read_page(&page, 4);
	assert_string_equal(page.forms, "1 E {\"text\":\"new\"} a2+, 2 {\"text\":\"hi\"} b1, 3 , 4 ");
	OTHER_IM("fn.entry_recall(700, 1, 5, 0, 'g:team', 'bob', 1, 1000)");
	read_page(&page, 2);
	assert_string_equal(page.forms, "1 R , 2 {\"text\":\"hi\"} b1");
	OTHER_IM(
		"fn.entry_edit(700, 1, 6, 0, 'g:team', 'bob', 2, '{\"text\":\"' || repeat('x', 1048576) || '\"}', array['text'], 1000)");
	OTHER_IM("fn.entry_react(700, 1, 7, 0, 'g:team', 'alice', 2, 'c', true, 9, false)");
	page.found = 0;
	read_page(&page, 4);
	assert_int_equal(
		page.found,
		2); /* the edit fills the page, and what stands after it in the statement's answer is still taken */
	assert_non_null(strstr(page.forms, " b1 c1"));
}

static void a_former_member_sees_nothing_that_came_after_it_left(void **state)
{
	struct outcome sent = { 0 };
	struct page page;
	(void)state;

	submit(send_new("1", "text", BY("bob", &sent)));
	settle();
	next_records(1);
	OTHER_IM("fn.entry_react(700, 1, 1, 0, 'g:team', 'alice', 1, 'a', true, 9, false)");
	OTHER_IM("fn.entry_edit(700, 1, 2, 0, 'g:team', 'bob', 1, '{\"text\":\"seen\"}', array['text'], 1000)");
	OTHER_IM("fn.group_member_remove(700, 1, 3, 0, 'team', 'alice', 'bob')");
	OTHER_IM("fn.entry_react(700, 1, 4, 0, 'g:team', 'alice', 1, 'b', true, 9, false)");
	run_sql("insert into message_change (no, target_seq, seq, kind) select no, 1, last_seq, 2 from conversation where id = 'g:team'");
	read_page(&page, 1);
	assert_string_equal(page.forms, "1 E {\"text\":\"seen\"} a1");
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
		cmocka_unit_test_setup(a_cached_message_is_shown_as_it_was_changed_by_another_im, reset_group),
		cmocka_unit_test_setup(reactions_are_read_for_each_page_and_a_recalled_message_has_none, reset_group),
		cmocka_unit_test_setup(a_former_member_sees_nothing_that_came_after_it_left, reset_group),
		cmocka_unit_test_setup(a_page_that_edits_make_too_long_ends_earlier, reset_group),
	};
	return cmocka_run_group_tests(tests, open_im, close_im);
}
