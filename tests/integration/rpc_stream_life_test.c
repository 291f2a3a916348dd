#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/telemetry/log.h"
#include "rpc_stream_fixture.h"

static void say_hello(struct rpc_stream *stream, void *arg)
{
	struct end *end = arg;

	atomic_store(&end->stream, stream);
	tally_add(&end->opened, 1);
	/* The test tries to send meanwhile. */
	tally_reach(&end->closed, 1);
	assert_int_equal(rpc_stream_send(stream, STR("hello")), OK);
}

static void messages_that_the_opened_handler_sends_come_first(void **state)
{
	static const struct rpc_stream_handlers handlers = { .opened = say_hello };
	struct pair *pair = *state;
	struct buf got = { 0 };

	pair->far.collect = &got;
	struct rpc_stream *stream = pair_open(pair, STREAM_GIVEN, 1 << 20, &handlers, &pair->near);
	assert_true(tally_reach(&pair->near.opened, 1));
	assert_int_equal(rpc_stream_send(stream, STR(" world")), ERR_CLOSED);
	tally_add(&pair->near.closed, 1);
	assert_int_equal(send_when_up(stream, STR(" world")), OK);
	assert_true(tally_reach(&pair->far.bytes, 11));
	pair_close(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));
	assert_true(str_equal(buf_str(&got), STR("hello world")));
	buf_release(&got);
}

static void closing_a_stream_is_seen_by_the_server_and_silences_the_client(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 1 << 20);

	rpc_stream_ref(stream);
	assert_true(tally_reach(&pair->far.opened, 1));
	pair_close(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));
	assert_int_equal(atomic_load(&pair->far.last_err), ERR_CLOSED);
	assert_int_equal(tally_now(&pair->near.closed), 0);
	assert_int_equal(rpc_stream_send(stream, STR("late")), ERR_CLOSED);
	rpc_stream_unref(stream);
}

static void close_in_handler(struct rpc_stream *stream, struct str message, void *arg)
{
	struct end *end = arg;
	(void)message;

	rpc_stream_close(stream);
	tally_add(&end->messages, 1);
}

static void a_stream_may_be_closed_by_its_own_handler(void **state)
{
	static const struct rpc_stream_handlers handlers = { .opened = end_opened,
		                                             .message = close_in_handler,
		                                             .closed = end_closed };
	struct pair *pair = *state;
	struct rpc_stream *stream = pair_open(pair, STREAM_ECHO, 1 << 20, &handlers, &pair->near);

	rpc_stream_ref(stream);
	pair->open = NULL;
	assert_int_equal(send_when_up(stream, STR("one")), OK);
	assert_true(tally_reach(&pair->near.messages, 1));
	assert_int_equal(rpc_stream_send(stream, STR("two")), ERR_CLOSED);
	rpc_stream_unref(stream);
	assert_int_equal(tally_now(&pair->near.closed), 0);
}

static void the_server_can_end_a_stream_with_a_reason(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 1 << 20);

	assert_true(tally_reach(&pair->far.opened, 1));
	rpc_stream_end(atomic_load(&pair->far.stream), ERR_PERMISSION_DENIED, "not you");
	assert_true(tally_reach(&pair->near.closed, 1));
	assert_int_equal(atomic_load(&pair->near.last_err), ERR_PERMISSION_DENIED);
	assert_true(tally_reach(&pair->far.closed, 1));
	assert_true(tally_reach(&pair->near.opened, 2)); /* it comes back by itself */
	assert_true(tally_reach(&pair->far.opened, 2));
	pair_close(pair, stream);
}

static void a_closing_server_sends_what_is_queued_and_ends_its_streams(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 1 << 20);
	/* No more than one read takes: TCP drops unread bytes of a client that writes to a connection that has ended. */
	static char part[100];

	assert_true(tally_reach(&pair->far.opened, 1));
	struct rpc_stream *sender = rpc_stream_ref(atomic_load(&pair->far.stream));
	assert_int_equal(send_when_up(sender, str_of(part, sizeof(part))), OK);
	for (int i = 1; i < 100; i++)
		assert_int_equal(rpc_stream_send(sender, str_of(part, sizeof(part))), OK);
	server_close(&pair->server, PATIENCE_MS);
	assert_int_equal(rpc_stream_send(sender, STR("late")), ERR_CLOSED);
	assert_true(tally_reach(&pair->near.closed, 1));
	assert_int_equal(tally_now(&pair->near.bytes), 100 * sizeof(part));
	assert_int_equal(atomic_load(&pair->near.last_err), ERR_UNAVAILABLE);
	server_join(&pair->server);
	assert_int_equal(tally_now(&pair->far.closed), 1);
	pair->server.rpc = NULL;
	rpc_stream_unref(sender);
	pair_close(pair, stream);
}

static void a_server_closes_under_load(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_ECHO, 1 << 20);
	static char part[1000];
	bool is_closing = false;

	for (int i = 0; i < 100000 && tally_now(&pair->near.closed) == 0; i++) {
		if (i == 5000) {
			server_close(&pair->server, 100);
			is_closing = true;
		}
		if (rpc_stream_send(stream, str_of(part, sizeof(part))) == ERR_FULL)
			uv_sleep(1);
	}
	assert_true(is_closing);
	assert_true(tally_reach(&pair->near.closed, 1));
	server_join(&pair->server);
	pair->server.rpc = NULL;
	pair_close(pair, stream);
}

/* The server logs the end of every call, also of one that was never opened; the test waits for that line. */
static void wait_for_log_line(int fd, const char *part)
{
	char log[4096];
	size_t len = 0;

	do {
		ssize_t got = read(fd, log + len, sizeof(log) - 1 - len);

		assert_true(got > 0);
		len += (size_t)got;
		log[len] = '\0';
	} while (!strstr(log, part));
}

static int log_pipe[2];

static int set_up_with_log(void **state)
{
	assert_int_equal(pipe(log_pipe), 0);
	log_set_fd(log_pipe[1]);
	return pair_set_up(state);
}

static int tear_down_with_log(void **state)
{
	int failed = pair_tear_down(state);

	log_set_fd(2);
	close(log_pipe[0]);
	close(log_pipe[1]);
	return failed;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void a_refused_stream_is_never_opened(void **state)
{
	struct pair *pair = *state;
	struct outcome out;
	struct rpc_stream *stream = pair_open(pair, "/test.Stream/Nothing", 1 << 20, &end_handlers, &pair->near);
	wait_for_log_line(log_pipe[0], "ERR_METHOD_NOT_ALLOWED");
	run_on(&pair->client.worker, nothing, NULL); /* everything posted earlier is done */
	assert_int_equal(tally_now(&pair->near.opened), 0);
	assert_int_equal(tally_now(&pair->near.closed), 0);
	call(&pair->client, UNARY_ECHO, STR("hello"), 5000, &out); /* the connection lives */
	assert_int_equal(out.err, OK);
	pair_close(pair, stream);
}

static void a_stream_waits_for_its_server_and_can_be_closed_while_waiting(void **state)
{
	struct pair *pair = *state;

	server_stop(&pair->server);
	struct rpc_stream *never = pair_open(pair, STREAM_ECHO, 1 << 20, &end_handlers, &pair->near);
	assert_int_equal(rpc_stream_send(never, STR("too early")), ERR_CLOSED);
	pair_close(pair, never);
	struct rpc_stream *patient = pair_open(pair, STREAM_ECHO, 1 << 20, &end_handlers, &pair->near);
	pair->server.rpc = NULL;
	server_start(&pair->server, rpc_port(0));
	assert_true(tally_reach(&pair->near.opened, 1));
	pair_close(pair, patient);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_that_the_opened_handler_sends_come_first, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(closing_a_stream_is_seen_by_the_server_and_silences_the_client, pair_set_up,
		                                pair_tear_down),
		cmocka_unit_test_setup_teardown(a_stream_may_be_closed_by_its_own_handler, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(the_server_can_end_a_stream_with_a_reason, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(a_closing_server_sends_what_is_queued_and_ends_its_streams, pair_set_up,
		                                pair_tear_down),
		cmocka_unit_test_setup_teardown(a_server_closes_under_load, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(a_refused_stream_is_never_opened, set_up_with_log, tear_down_with_log),
		cmocka_unit_test_setup_teardown(a_stream_waits_for_its_server_and_can_be_closed_while_waiting, pair_set_up,
		                                pair_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
