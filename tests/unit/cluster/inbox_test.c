#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cluster/inbox.h"
#include "cluster/user_script.h"

static void an_entry_names_a_message(void **state)
{
	struct buf entry = { 0 };
	(void)state;

	inbox_entry_write(&entry, STR("u:alice:bob"), 18446744073709551615u);
	assert_true(str_equal(buf_str(&entry), STR("u:alice:bob 18446744073709551615")));
	buf_release(&entry);
}

static void an_entry_is_read_back(void **state)
{
	struct str conversation;
	uint64_t seq;
	(void)state;

	assert_true(inbox_entry_parse(STR("u:alice:bob 18446744073709551615"), &conversation, &seq));
	assert_true(str_equal(conversation, STR("u:alice:bob")));
	assert_int_equal(seq, UINT64_MAX);
	assert_true(inbox_entry_parse(STR("g:team 1"), &conversation, &seq));
	assert_true(str_equal(conversation, STR("g:team")));
	assert_int_equal(seq, 1);
}

static void a_malformed_entry_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "g:team", "g:team ", "g:team x", "g:team 0", "g:team -1", "g:team 1 ", "g:team  1", " g:team 1", "team 1",
		"u:bob:alice 1", "u:alice 1", "g:team 18446744073709551616", "1",
	};
	struct str conversation;
	uint64_t seq;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(inbox_entry_parse(str_from(texts[i]), &conversation, &seq));
	assert_false(inbox_entry_parse((struct str){ NULL, 0 }, &conversation, &seq));
}

static void a_users_keys_share_the_hash_tag(void **state)
{
	static const char longest[] = "0123456789012345678901234567890123456789012345678901234567890123";
	struct user_keys keys;
	(void)state;

	user_keys_fill(&keys, STR("alice"));
	assert_true(str_equal(keys.keys[0], STR("im:inbox:{alice}")));
	assert_true(str_equal(keys.keys[1], STR("im:inbox:{alice}:meta")));
	assert_true(str_equal(keys.keys[2], STR("im:route:{alice}")));
	user_keys_fill(&keys, str_from(longest));
	assert_int_equal(keys.keys[1].len, 64 + 16);
}

static uint64_t fixed_wall_ms(void)
{
	return 1700000000999;
}

static uint64_t fixed_mono_us(void)
{
	return 1;
}

static void a_script_is_told_the_time_and_how_long_an_inbox_lives(void **state)
{
	static const struct clock_source clock = { fixed_mono_us, fixed_wall_ms };
	const struct inbox_limits limits = { .max_entries = 5, .max_age_s = 300, .expire_s = 1001 };
	struct inbox_args args;
	(void)state;

	clock_replace(&clock);
	inbox_args_fill(&args, &limits);
	clock_replace(NULL);
	assert_true(str_equal(args.args[0], REDIS_GENERATION));
	assert_true(inbox_epoch_parse(args.args[1]) != 0);
	assert_true(str_equal(args.args[2], STR("1700000000")));
	assert_true(str_equal(args.args[3], STR("1501")));
	assert_true(str_equal(args.args[4], STR("1699999700")));
	assert_true(str_equal(args.args[5], STR("1699999500")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_names_a_message),
		cmocka_unit_test(an_entry_is_read_back),
		cmocka_unit_test(a_malformed_entry_is_refused),
		cmocka_unit_test(a_users_keys_share_the_hash_tag),
		cmocka_unit_test(a_script_is_told_the_time_and_how_long_an_inbox_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
