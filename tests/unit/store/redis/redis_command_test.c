#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "base/mem.h"
#include "store/redis/redis_command.h"

static void a_command_stands_as_the_server_reads_it(void **state)
{
	const struct str first[] = { STR("SET"), { "k\r\n", 3 } }, second[] = { { NULL, 0 } };
	const struct redis_args pieces[] = { { first, 2 }, { NULL, 0 }, { second, 1 } };
	struct redis_command *command = redis_command_new(pieces, ARRAY_LEN(pieces));
	(void)state;

	assert_true(str_equal(str_of(command->bytes, command->len), STR("*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n")));
	assert_true(str_equal(redis_command_name(command), STR("SET")));
	assert_int_equal(command->generation_at, 0);
	mem_free(command);
}

static void the_generation_has_its_place(void **state)
{
	const struct str args[] = { STR("EVALSHA"), REDIS_GENERATION, STR("behind") };
	const struct redis_args pieces[] = { { args, 3 } };
	struct redis_command *command = redis_command_new(pieces, 1);
	(void)state;

	memset(command->bytes + command->generation_at, 'g', RUN_ID_LEN);
	assert_true(str_equal(str_of(command->bytes, command->len),
	                      STR("*3\r\n$7\r\nEVALSHA\r\n$40\r\ngggggggggggggggggggggggggggggggggggggggg\r\n"
	                          "$6\r\nbehind\r\n")));
	mem_free(command);
}

static redisReply error_reply(const char *text)
{
	return (redisReply){ .type = REDIS_REPLY_ERROR, .str = (char *)text, .len = strlen(text) };
}

static void passing_errors_are_told_from_lasting_ones(void **state)
{
	static const struct {
		const char *text;
		err_t err;
		bool is_stale;
	} expected[] = {
		{ "LOADING Redis is loading the dataset in memory", ERR_UNAVAILABLE, false },
		{ "MASTERDOWN Link with MASTER is down", ERR_UNAVAILABLE, false },
		{ "READONLY You can't write against a read only replica.", ERR_UNAVAILABLE, true },
		{ "OOM command not allowed", ERR_UNAVAILABLE, false },
		{ "BUSY Redis is busy running a script", ERR_UNAVAILABLE, false },
		{ "BUSYGROUP Consumer Group name already exists", ERR_INTERNAL, false },
		{ "NOSCRIPT No matching script", ERR_UNAVAILABLE, false },
		{ "WRONGTYPE Operation against a key", ERR_INTERNAL, false },
		{ "ERR unknown command 'x', with args beginning with: 'secret'", ERR_INTERNAL, false },
		{ "", ERR_INTERNAL, false },
	};
	const struct str args[] = { STR("PING") };
	const struct redis_args pieces[] = { { args, 1 } };
	struct redis_command *command = redis_command_new(pieces, 1);
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		redisReply reply = error_reply(expected[i].text);
		bool is_stale;
		assert_int_equal(redis_classify(command, &reply, &is_stale), expected[i].err);
		assert_int_equal(is_stale, expected[i].is_stale);
	}
	redisReply missing = error_reply("NOSCRIPT No matching script"), status = { .type = REDIS_REPLY_STATUS };
	assert_true(redis_is_unknown_script(&missing));
	assert_false(redis_is_unknown_script(&status));
	mem_free(command);
}

#define THREADS 4

static struct redis_script shared_script = { .name = "one", .source = "return 1" };

static void prepare_shared_script(void *arg)
{
	redis_script_prepare(&shared_script);
	memcpy(arg, shared_script.sha, sizeof(shared_script.sha));
}

static void threads_that_share_a_script_find_the_same_sha(void **state)
{
	char shas[THREADS][41];
	uv_thread_t threads[THREADS];
	(void)state;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(uv_thread_create(&threads[i], prepare_shared_script, shas[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		uv_thread_join(&threads[i]);
		assert_string_equal(shas[i], "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_stands_as_the_server_reads_it),
		cmocka_unit_test(the_generation_has_its_place),
		cmocka_unit_test(passing_errors_are_told_from_lasting_ones),
		cmocka_unit_test(threads_that_share_a_script_find_the_same_sha),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
