#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "redis_fixture.h"

#define MANY 10000

static struct real_server server = { .kind = REAL_REDIS };

/* ---- answers ---- */

static void ten_thousand_pipelined_commands_are_answered_in_order(void **state)
{
	struct redis_call *calls = mem_zalloc(MANY * sizeof(*calls));
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 20000);
	for (int i = 0; i < MANY; i++)
		redis_fixture_command(&f, &calls[i], "INCR", "counter", NULL);
	redis_fixture_turn(&f);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(calls[i].err, OK);
		assert_int_equal(calls[i].number, i + 1);
		assert_int_equal(calls[i].turn, i);
	}
	redis_fixture_close(&f);
	mem_free(calls);
}

static void arguments_are_bytes(void **state)
{
	struct redis_call set = { 0 }, get = { 0 }, empty = { 0 }, get_empty = { 0 };
	struct redis_fixture f;
	char bytes[] = { 'a', '\r', '\n', '\0', '$', (char)0xff };
	const struct str set_args[] = { STR("SET"), STR("bytes"), { bytes, sizeof(bytes) } };
	const struct str set_empty[] = { STR("SET"), STR("empty"), { NULL, 0 } };
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_give(&f, &set, set_args, 3);
	redis_fixture_give(&f, &empty, set_empty, 3);
	redis_fixture_command(&f, &get, "GET", "bytes", NULL);
	redis_fixture_command(&f, &get_empty, "GET", "empty", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(get.text_len, sizeof(bytes));
	assert_memory_equal(get.text, bytes, sizeof(bytes));
	assert_int_equal(get_empty.err, OK);
	assert_int_equal(get_empty.text_len, 0);
	redis_fixture_close(&f);
}

static void a_command_larger_than_the_socket_takes_arrives_whole(void **state)
{
	struct redis_call set = { 0 }, len = { 0 }, after = { 0 };
	struct redis_fixture f;
	size_t size = 8u << 20;
	char *bytes = mem_zalloc(size);
	const struct str args[] = { STR("SET"), STR("large"), { bytes, size } };
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_give(&f, &set, args, 3);
	redis_fixture_command(&f, &len, "STRLEN", "large", NULL);
	redis_fixture_turn(&f);
	redis_fixture_command(&f, &after, "DEL", "large", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(set.err, OK);
	assert_int_equal(len.number, size);
	assert_int_equal(after.number, 1);
	redis_fixture_close(&f);
	mem_free(bytes);
}

static void an_error_fails_its_own_command_only(void **state)
{
	struct redis_call set = { 0 }, wrong = { 0 }, unknown = { 0 }, get = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_command(&f, &set, "SET", "text", "hello", NULL);
	redis_fixture_command(&f, &wrong, "LPUSH", "text", "x", NULL);
	redis_fixture_command(&f, &unknown, "NONSENSE", NULL);
	redis_fixture_command(&f, &get, "GET", "text", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(set.err, OK);
	assert_int_equal(wrong.err, ERR_INTERNAL);
	assert_true(strncmp(wrong.text, "WRONGTYPE", 9) == 0);
	assert_int_equal(unknown.err, ERR_INTERNAL);
	assert_int_equal(get.err, OK);
	assert_string_equal(get.text, "hello");
	redis_fixture_close(&f);
}

static void a_temporary_refusal_by_the_server_is_no_internal_error(void **state)
{
	struct redis_call limit = { 0 }, refused = { 0 }, free = { 0 }, replica = { 0 }, read_only = { 0 }, master = { 0 },
			  good = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_command(&f, &limit, "CONFIG", "SET", "maxmemory", "1", NULL);
	redis_fixture_command(&f, &refused, "SET", "k", "v", NULL);
	redis_fixture_command(&f, &free, "CONFIG", "SET", "maxmemory", "0", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(refused.err, ERR_UNAVAILABLE);
	/* A connection to a server that became a replica is closed: the next one may reach the master. */
	redis_fixture_command(&f, &replica, "REPLICAOF", "127.0.0.1", "1", NULL);
	redis_fixture_command(&f, &read_only, "SET", "k", "v", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(read_only.err, ERR_UNAVAILABLE);
	redis_fixture_await_down(&f);
	redis_fixture_await_up(&f);
	redis_fixture_command(&f, &master, "REPLICAOF", "NO", "ONE", NULL);
	redis_fixture_command(&f, &good, "SET", "k", "v", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(good.err, OK);
	redis_fixture_close(&f);
}

/* ---- scripts ---- */

static struct redis_script push_script = {
	.name = "push", .source = "return redis.call('RPUSH', KEYS[1], ARGV[1])",
};
static struct redis_script generation_script = { .name = "generation", .source = "return ARGV[1]" };
static struct redis_script broken_script = { .name = "broken", .source = "this is no Lua" };

static void push_number(struct redis_fixture *f, struct redis_call *call, int number)
{
	char text[12];
	const struct str key = STR("pushed");
	struct str arg = str_of(text, (size_t)snprintf(text, sizeof(text), "%d", number));

	redis_fixture_eval(f, call, &push_script, &key, 1, &arg, 1);
}

static void scripts_are_loaded_when_the_server_does_not_know_them_and_stay_in_order(void **state)
{
	struct redis_call *calls = mem_zalloc(300 * sizeof(*calls)), flush = { 0 }, range = { 0 }, del = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 1000);
	redis_fixture_command(&f, &del, "DEL", "pushed", NULL);
	for (int i = 0; i < 100; i++)
		push_number(&f, &calls[i], i + 1);
	redis_fixture_command(&f, &flush, "SCRIPT", "FLUSH", NULL);
	for (int i = 100; i < 200; i++)
		push_number(&f, &calls[i], i + 1);
	/* Scripts given while earlier ones are being loaded wait behind them. */
	for (int i = 200; i < 300; i++) {
		push_number(&f, &calls[i], i + 1);
		uv_run(&f.worker.loop, UV_RUN_NOWAIT);
	}
	redis_fixture_turn(&f);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(calls[i].err, OK);
		assert_int_equal(calls[i].number, i + 1);
	}
	redis_fixture_command(&f, &range, "LINDEX", "pushed", "-1", NULL);
	redis_fixture_turn(&f);
	assert_string_equal(range.text, "300");
	redis_fixture_close(&f);
	mem_free(calls);
}

static void a_script_that_is_not_lua_ends_as_an_error(void **state)
{
	struct redis_call broken = { 0 }, good = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_eval(&f, &broken, &broken_script, NULL, 0, NULL, 0);
	push_number(&f, &good, 1);
	redis_fixture_turn(&f);
	assert_int_equal(broken.err, ERR_UNAVAILABLE);
	assert_int_equal(good.err, OK);
	redis_fixture_close(&f);
}

static void count_change(void *arg)
{
	++*(unsigned *)arg;
}

static void a_script_gets_the_generation_of_the_server_that_runs_it(void **state)
{
	const struct str args[] = { REDIS_GENERATION };
	struct redis_call before = { 0 }, waited = { 0 };
	struct redis_fixture f;
	unsigned changes = 0;
	char first[41];
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_on_new_generation(f.redis, count_change, &changes);
	assert_string_equal(redis_generation(f.redis), "");
	redis_fixture_eval(&f, &before, &generation_script, NULL, 0, args, 1);
	redis_fixture_turn(&f);
	assert_int_equal(before.text_len, 40);
	assert_string_equal(before.text, redis_generation(f.redis));
	assert_true(str_copy(first, sizeof(first), str_from(redis_generation(f.redis))));
	assert_int_equal(changes, 0);

	real_server_kill(&server);
	redis_fixture_await_down(&f);
	assert_string_equal(redis_generation(f.redis), "");
	redis_fixture_eval(&f, &waited, &generation_script, NULL, 0, args, 1);
	real_server_start(&server);
	redis_fixture_turn(&f);
	assert_int_equal(waited.err, OK);
	assert_string_equal(waited.text, redis_generation(f.redis));
	assert_string_not_equal(waited.text, first);
	assert_int_equal(changes, 1);
	redis_fixture_close(&f);
}

static void a_broken_connection_is_no_new_generation(void **state)
{
	struct redis_call kill = { 0 }, after = { 0 };
	struct redis_fixture f;
	unsigned changes = 0;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_on_new_generation(f.redis, count_change, &changes);
	redis_fixture_await_up(&f);
	redis_fixture_command(&f, &kill, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no", NULL);
	redis_fixture_turn(&f);
	redis_fixture_await_down(&f);
	redis_fixture_command(&f, &after, "GET", "text", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(after.err, OK);
	assert_int_equal(changes, 0);
	redis_fixture_close(&f);
}

/* ---- a server that goes away ---- */

static void a_killed_server_leaves_only_calls_under_way_in_doubt(void **state)
{
	struct redis_call *calls = mem_zalloc(4000 * sizeof(*calls)), late = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 20000);
	redis_fixture_await_up(&f);
	for (int i = 0; i < 4000; i++) {
		redis_fixture_command(&f, &calls[i], "INCR", "killed", NULL);
		if (i % 100 == 0)
			uv_run(&f.worker.loop, UV_RUN_NOWAIT);
		if (i == 2000)
			real_server_kill(&server);
	}
	redis_fixture_await_down(&f);
	redis_fixture_command(&f, &late, "SET", "late", "1", NULL);
	real_server_start(&server);
	uint64_t back = clock_mono_ms();
	redis_fixture_await_up(&f);
	assert_in_range(clock_mono_ms() - back, 0, 2000);
	redis_fixture_turn(&f);
	assert_int_equal(late.err, OK);
	assert_true(f.ended_with[ERR_OUTCOME_UNKNOWN] > 0);
	/* Nothing is kept on disk: the second server's counter equals the commands that were answered by it. */
	unsigned servers = 0;
	int64_t last = 0;
	for (int i = 0; i < 4000; i++) {
		if (calls[i].err != OK)
			continue;
		if (calls[i].number == 1) {
			servers++;
			last = 0;
		}
		assert_int_equal(calls[i].number, ++last);
	}
	assert_in_range(servers, 1, 2);
	redis_fixture_close(&f);
	mem_free(calls);
}

static void a_server_that_hangs_is_given_up_after_the_timeout(void **state)
{
	struct redis_call sent[10] = { 0 }, waiting[10] = { 0 }, count = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_await_up(&f);
	real_server_pause(&server);
	uint64_t start = clock_mono_ms();
	for (int i = 0; i < 10; i++)
		redis_fixture_command(&f, &sent[i], "INCR", "hung", NULL);
	redis_fixture_turn(&f);
	assert_in_range(clock_mono_ms() - start, REDIS_TIMEOUT_MS, REDIS_TIMEOUT_MS + 1500);
	redis_fixture_await_down(&f);
	for (int i = 0; i < 10; i++)
		redis_fixture_command(&f, &waiting[i], "INCR", "not_executed", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(f.ended_with[ERR_OUTCOME_UNKNOWN], 10);
	assert_int_equal(f.ended_with[ERR_UNAVAILABLE], 10);
	real_server_continue(&server);
	redis_fixture_await_up(&f);
	redis_fixture_command(&f, &count, "EXISTS", "not_executed", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(count.number, 0);
	redis_fixture_close(&f);
}

static void commands_that_wait_while_the_server_loads_are_answered_afterwards(void **state)
{
	struct redis_call fill = { 0 }, save = { 0 }, size = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_command(&f, &fill, "EVAL", "for i = 1, 1000 do redis.call('SET', 'k' .. i, 'v') end", "0", NULL);
	redis_fixture_command(&f, &save, "SAVE", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(save.err, OK);
	real_server_kill(&server);
	redis_fixture_await_down(&f);
	/* Loading takes 0.2 ms a key. */
	server.extra[0] = "--key-load-delay";
	server.extra[1] = "200";
	real_server_launch(&server);
	uint64_t start = clock_mono_ms();
	redis_fixture_command(&f, &size, "DBSIZE", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(size.err, OK);
	assert_true(size.number >= 1000);
	assert_true(clock_mono_ms() - start >= 200);
	redis_fixture_close(&f);
	server.extra[0] = NULL;
}

/* ---- limits, addresses, and the end ---- */

static void calls_over_the_limit_are_refused_and_memory_stays_bounded(void **state)
{
	static char body[4000];
	struct redis_call *calls = mem_zalloc(2000 * sizeof(*calls));
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_await_up(&f);
	real_server_kill(&server);
	redis_fixture_await_down(&f);
	uint64_t before = allocated_bytes();
	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; i < 2000; i++) {
		redis_fixture_command(&f, &calls[i], "SET", "k", body, NULL);
		uv_run(&f.worker.loop, UV_RUN_NOWAIT);
		assert_int_equal(gauge_value(f.waiting), f.given - f.ended);
		assert_in_range(gauge_value(f.waiting), 0, 101);
	}
	assert_in_range(allocated_bytes() - MIN(before, allocated_bytes()), 0, 102 * (sizeof(body) + 1000));
	redis_fixture_turn(&f);
	assert_int_equal(f.ended_with[ERR_UNAVAILABLE], 2000);
	redis_fixture_close(&f);
	real_server_start(&server);
	mem_free(calls);
}

static void a_password_and_a_database_are_used(void **state)
{
	struct redis_call require = { 0 }, set = { 0 }, other = { 0 }, refused = { 0 }, clear = { 0 };
	struct redis_fixture f, in_two, without;
	char uri[128];
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_command(&f, &require, "CONFIG", "SET", "requirepass", "p@ss:w/rd", NULL);
	redis_fixture_turn(&f);
	snprintf(uri, sizeof(uri), "redis://:p%%40ss:w%%2Frd@localhost:%u/2", server.port);
	redis_fixture_open_uri(&in_two, uri, 100);
	redis_fixture_command(&in_two, &set, "SET", "only_in_two", "1", NULL);
	redis_fixture_turn(&in_two);
	assert_int_equal(set.err, OK);
	redis_fixture_command(&f, &other, "EXISTS", "only_in_two", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(other.number, 0);
	redis_fixture_open(&without, &server, 100);
	redis_fixture_command(&without, &refused, "GET", "k", NULL);
	redis_fixture_turn(&without);
	assert_int_equal(refused.err, ERR_UNAVAILABLE);
	assert_false(redis_is_connected(without.redis));
	redis_fixture_command(&f, &clear, "CONFIG", "SET", "requirepass", "", NULL);
	redis_fixture_turn(&f);
	redis_fixture_close(&without);
	redis_fixture_close(&in_two);
	redis_fixture_close(&f);
}

static void closing_ends_everything_once(void **state)
{
	struct redis_call calls[50] = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 20);
	redis_fixture_await_up(&f);
	for (int i = 0; i < 25; i++)
		redis_fixture_command(&f, &calls[i], "GET", "k", NULL);
	uv_run(&f.worker.loop, UV_RUN_NOWAIT);
	for (int i = 25; i < 50; i++)
		redis_fixture_command(&f, &calls[i], "GET", "k", NULL);
	redis_fixture_close(&f);
	assert_int_equal(f.ended, 50);
	assert_int_equal(f.ended_with[OK] + f.ended_with[ERR_UNAVAILABLE] + f.ended_with[ERR_OUTCOME_UNKNOWN], 50);
}

static void closing_while_connecting_leaves_nothing_behind(void **state)
{
	struct redis_call call = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 20);
	redis_fixture_command(&f, &call, "GET", "k", NULL);
	redis_fixture_close(&f);
	assert_int_equal(call.err, ERR_UNAVAILABLE);
	redis_fixture_open(&f, &server, 20);
	uv_run(&f.worker.loop, UV_RUN_ONCE);
	redis_fixture_close(&f);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	return 0;
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_pipelined_commands_are_answered_in_order),
		cmocka_unit_test(arguments_are_bytes),
		cmocka_unit_test(a_command_larger_than_the_socket_takes_arrives_whole),
		cmocka_unit_test(an_error_fails_its_own_command_only),
		cmocka_unit_test(a_temporary_refusal_by_the_server_is_no_internal_error),
		cmocka_unit_test(scripts_are_loaded_when_the_server_does_not_know_them_and_stay_in_order),
		cmocka_unit_test(a_script_that_is_not_lua_ends_as_an_error),
		cmocka_unit_test(a_script_gets_the_generation_of_the_server_that_runs_it),
		cmocka_unit_test(a_broken_connection_is_no_new_generation),
		cmocka_unit_test(a_killed_server_leaves_only_calls_under_way_in_doubt),
		cmocka_unit_test(a_server_that_hangs_is_given_up_after_the_timeout),
		cmocka_unit_test(commands_that_wait_while_the_server_loads_are_answered_afterwards),
		cmocka_unit_test(calls_over_the_limit_are_refused_and_memory_stays_bounded),
		cmocka_unit_test(a_password_and_a_database_are_used),
		cmocka_unit_test(closing_ends_everything_once),
		cmocka_unit_test(closing_while_connecting_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
