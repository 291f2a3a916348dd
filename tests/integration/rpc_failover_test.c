/* Servers that are killed, come back, freeze: processes of their own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "rpc_fixture.h"

/* Added to the times that the design promises: a sanitizer on a busy machine is slow. */
#define LENIENCY_MS 1500

static struct tally opened, closed;

static void on_opened(struct rpc_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
	tally_add(&opened, 1);
}

static void on_closed(struct rpc_stream *stream, err_t err, void *arg)
{
	(void)stream;
	(void)arg;
	assert_int_equal(err, ERR_UNAVAILABLE);
	tally_add(&closed, 1);
}

static const struct rpc_stream_handlers watching = { .opened = on_opened, .closed = on_closed };

static int set_up(void **state)
{
	(void)state;
	tally_init(&opened);
	tally_init(&closed);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tally_release(&opened);
	tally_release(&closed);
	return 0;
}

struct opening {
	struct test_client *client;
	struct rpc_stream *stream;
};

static void open_it(void *arg)
{
	struct opening *opening = arg;

	opening->stream = rpc_stream_open(opening->client->channel, &opening->client->worker, STREAM_ECHO, &watching, 1 << 20,
	                                  NULL);
}

static struct rpc_stream *open_stream(struct test_client *client)
{
	struct opening opening = { client, NULL };

	run_on(&client->worker, open_it, &opening);
	return opening.stream;
}

static void close_it(void *arg)
{
	rpc_stream_close(arg);
}

static bool is_up(const void *arg)
{
	return rpc_channel_is_up(arg);
}

static const char *both_targets(void)
{
	static char both[80];

	snprintf(both, sizeof(both), "%s,%s", rpc_target(0), rpc_target(1));
	return both;
}

static bool is_down(const void *arg)
{
	return !rpc_channel_is_up(arg);
}

static void a_killed_server_fails_calls_fast_and_is_found_again_when_it_is_back(void **state)
{
	struct test_client client = { 0 };
	struct process process;
	struct outcome out;
	(void)state;

	process_start(&process, rpc_port(0));
	client_start(&client, rpc_target(0));
	struct rpc_stream *stream = open_stream(&client);
	assert_true(tally_reach(&opened, 1));
	call_start(&client, UNARY_KEEP, STR(""), 20000, true, &out);
	process_kill(&process);
	outcome_wait(&out);
	assert_int_equal(out.err, ERR_UNAVAILABLE);
	assert_true(tally_reach(&closed, 1));
	assert_true(becomes_true(is_down, client.channel, 1000));
	for (int i = 0; i < 20; i++) {
		uint64_t start = now_ms();

		call_start(&client, UNARY_ECHO, STR(""), 20000, false, &out);
		outcome_wait(&out);
		assert_int_equal(out.err, ERR_UNAVAILABLE);
		assert_in_range(now_ms() - start, 0, 1000);
	}
	/* Away for so long that the pauses between tries have grown to their limit. */
	assert_false(becomes_true(is_up, client.channel, 3000));
	process_start(&process, rpc_port(0));
	uint64_t back = now_ms();
	assert_true(becomes_true(is_up, client.channel, 1000 + LENIENCY_MS));
	print_message("the channel was up %d ms after the server\n", (int)(now_ms() - back));
	call(&client, UNARY_ECHO, STR("back"), 5000, &out);
	assert_int_equal(out.err, OK);
	assert_true(tally_reach(&opened, 2));
	print_message("the stream was up %d ms after the server\n", (int)(now_ms() - back));
	assert_in_range(now_ms() - back, 0, 1500 + LENIENCY_MS);

	run_on(&client.worker, close_it, stream);
	client_stop(&client);
	process_kill(&process);
}

static void a_frozen_server_is_noticed_and_used_again_when_it_thaws(void **state)
{
	struct test_client client = { 0 };
	struct process process;
	struct outcome out;
	(void)state;

	process_start(&process, rpc_port(0));
	client_start(&client, rpc_target(0));
	struct rpc_stream *stream = open_stream(&client);
	assert_true(tally_reach(&opened, 1));
	uint64_t frozen = now_ms();
	process_signal(&process, SIGSTOP);
	assert_true(tally_reach(&closed, 1));
	print_message("noticed after %d ms\n", (int)(now_ms() - frozen));
	assert_in_range(now_ms() - frozen, 0, 4000 + LENIENCY_MS);
	assert_true(becomes_true(is_down, client.channel, 1000));
	process_signal(&process, SIGCONT);
	uint64_t thawed = now_ms();
	call(&client, UNARY_ECHO, STR("thawed"), 10000, &out);
	assert_int_equal(out.err, OK);
	assert_true(tally_reach(&opened, 2));
	print_message("back after %d ms\n", (int)(now_ms() - thawed));
	run_on(&client.worker, close_it, stream);
	client_stop(&client);
	process_kill(&process);
}

/* An idle connection is pinged every 2 s; the server must not close it for too many pings. */
static void an_idle_channel_stays_up(void **state)
{
	struct test_client client = { 0 };
	struct process process;
	(void)state;

	process_start(&process, rpc_port(0));
	client_start(&client, rpc_target(0));
	struct rpc_stream *stream = open_stream(&client);
	assert_true(tally_reach(&opened, 1));
	assert_false(becomes_true(is_down, client.channel, 9000));
	assert_int_equal(tally_now(&closed), 0);
	run_on(&client.worker, close_it, stream);
	client_stop(&client);
	process_kill(&process);
}

static void calls_go_on_at_the_other_server_when_one_dies(void **state)
{
	struct test_client client = { 0 };
	struct process first, second;
	struct outcome out;
	int lost = 0;
	(void)state;

	process_start(&first, rpc_port(0));
	process_start(&second, rpc_port(1));
	client_start(&client, both_targets());
	for (int i = 0; i < 20; i++) {
		call(&client, UNARY_ECHO, STR("both"), 5000, &out);
		assert_int_equal(out.err, OK);
	}
	process_kill(&first);
	/* At most the first call may still have been sent to the dead server. */
	for (int i = 0; i < 200; i++) {
		call(&client, UNARY_ECHO, STR("one"), 5000, &out);
		if (out.err) {
			assert_int_equal(out.err, ERR_UNAVAILABLE);
			lost++;
		}
	}
	assert_in_range(lost, 0, 2);
	assert_true(rpc_channel_is_up(client.channel));

	/* The other way round: the first server alone can serve, soon after it returns. */
	process_start(&first, rpc_port(0));
	process_kill(&second);
	call(&client, UNARY_ECHO, STR("perhaps lost"), 5000, &out);
	call(&client, UNARY_ECHO, STR("first again"), 5000, &out);
	assert_int_equal(out.err, OK);
	client_stop(&client);
	process_kill(&first);
}

static void a_frozen_server_does_not_stop_the_other(void **state)
{
	struct test_client client = { 0 };
	struct process first, second;
	struct outcome out;
	(void)state;

	process_start(&first, rpc_port(0));
	process_start(&second, rpc_port(1));
	client_start(&client, both_targets());
	for (int i = 0; i < 20; i++)
		call(&client, UNARY_ECHO, STR("both"), 5000, &out);
	process_signal(&first, SIGSTOP);
	uint64_t frozen = now_ms();
	/* Every second call times out until keepalive notices, then all go to the other server. */
	int good_in_a_row = 0;
	while (good_in_a_row < 20 && now_ms() - frozen < PATIENCE_MS) {
		call(&client, UNARY_ECHO, STR("one"), 500, &out);
		good_in_a_row = out.err == OK ? good_in_a_row + 1 : 0;
	}
	assert_int_equal(good_in_a_row, 20);
	assert_in_range(now_ms() - frozen, 0, 5000 + LENIENCY_MS);
	client_stop(&client);
	process_kill(&first);
	process_kill(&second);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_killed_server_fails_calls_fast_and_is_found_again_when_it_is_back,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_frozen_server_is_noticed_and_used_again_when_it_thaws, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(an_idle_channel_stays_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_go_on_at_the_other_server_when_one_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_frozen_server_does_not_stop_the_other, set_up, tear_down),
	};
	if (process_main(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
