/* Merged streams over real sockets. Ports 25020-25029. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/text/buf.h"
#include "base/telemetry/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "rpc_fixture.h"

#define PORT 25020
#define TARGET "127.0.0.1:25020"

/* What one end of a stream has seen. */
struct end {
	struct tally opened, closed, messages, bytes;
	atomic_int last_err;
	_Atomic(struct rpc_stream *) stream;
	_Atomic(struct buf *) collect; /* what came, if the test wants it; the handlers' */
	_Atomic(uv_sem_t *) gate; /* the message handler waits here first */
};

static void end_init(struct end *end)
{
	*end = (struct end){ 0 };
	tally_init(&end->opened);
	tally_init(&end->closed);
	tally_init(&end->messages);
	tally_init(&end->bytes);
}

static void end_release(struct end *end)
{
	tally_release(&end->opened);
	tally_release(&end->closed);
	tally_release(&end->messages);
	tally_release(&end->bytes);
}

static void on_opened(struct rpc_stream *stream, void *arg)
{
	struct end *end = arg;

	atomic_store(&end->stream, stream);
	tally_add(&end->opened, 1);
}

static void on_message(struct rpc_stream *stream, struct str message, void *arg)
{
	struct end *end = arg;
	(void)stream;

	if (end->gate) {
		uv_sem_wait(end->gate);
		uv_sem_post(end->gate);
	}
	if (end->collect)
		buf_append_str(end->collect, message);
	tally_add(&end->messages, 1);
	tally_add(&end->bytes, message.len);
}

static void on_closed(struct rpc_stream *stream, err_t err, void *arg)
{
	struct end *end = arg;
	(void)stream;

	atomic_store(&end->last_err, (int)err);
	tally_add(&end->closed, 1);
}

static const struct rpc_stream_handlers watching = { .opened = on_opened, .message = on_message, .closed = on_closed };

struct pair {
	struct test_server server;
	struct test_client client;
	struct end near; /* the client's */
	struct end far; /* the server's, of /test.Stream/Given */
	struct rpc_stream *open; /* closed by tear_down if a test failed before */
};

static int set_up(void **state)
{
	struct pair *pair = MEM_NEW(struct pair);

	end_init(&pair->near);
	end_init(&pair->far);
	pair->server.given = &watching;
	pair->server.given_arg = &pair->far;
	server_start(&pair->server, PORT);
	client_start(&pair->client, TARGET);
	*state = pair;
	return 0;
}

static void close_it(void *arg)
{
	rpc_stream_close(arg);
}

static void close_stream(struct pair *pair, struct rpc_stream *stream)
{
	pair->open = NULL;
	run_on(&pair->client.worker, close_it, stream);
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	if (pair->open)
		close_stream(pair, pair->open);
	client_stop(&pair->client);
	if (pair->server.rpc)
		server_stop(&pair->server);
	end_release(&pair->near);
	end_release(&pair->far);
	mem_free(pair);
	return 0;
}

struct opening {
	struct pair *pair;
	const char *path;
	size_t max_queued;
	const struct rpc_stream_handlers *handlers;
	void *arg;
	struct rpc_stream *stream;
};

static void open_it(void *arg)
{
	struct opening *opening = arg;

	opening->stream = rpc_stream_open(opening->pair->client.channel, &opening->pair->client.worker, opening->path,
	                                  opening->handlers, opening->max_queued, opening->arg);
}

static struct rpc_stream *open_with(struct pair *pair, const char *path, size_t max_queued,
                                    const struct rpc_stream_handlers *handlers, void *arg)
{
	struct opening opening = { pair, path, max_queued, handlers, arg, NULL };

	run_on(&pair->client.worker, open_it, &opening);
	pair->open = opening.stream;
	return opening.stream;
}

/* Opens it and waits until it is up. */
static struct rpc_stream *open_stream(struct pair *pair, const char *path, size_t max_queued)
{
	struct rpc_stream *stream = open_with(pair, path, max_queued, &watching, &pair->near);

	assert_true(tally_reach(&pair->near.opened, 1));
	return stream;
}

static err_t send_when_up(struct rpc_stream *stream, struct str message)
{
	/* `opened` has been called, and may not have returned yet. */
	uint64_t end = now_ms() + PATIENCE_MS;
	err_t err;

	do
		err = rpc_stream_send(stream, message);
	while (err == ERR_CLOSED && now_ms() < end);
	return err;
}

static void messages_come_back_in_order(struct pair *pair, const char *path)
{
	struct buf sent = { 0 }, got = { 0 };

	pair->near.collect = &got;
	struct rpc_stream *stream = open_stream(pair, path, 1 << 20);
	for (int i = 0; i < 1000; i++) {
		size_t start = sent.len;

		buf_printf(&sent, "message %d, ", i);
		assert_int_equal(send_when_up(stream, str_of(sent.ptr + start, sent.len - start)), OK);
	}
	assert_true(tally_reach(&pair->near.bytes, sent.len));
	close_stream(pair, stream);
	assert_int_equal(got.len, sent.len);
	assert_memory_equal(got.ptr, sent.ptr, sent.len);
	buf_release(&sent);
	buf_release(&got);
}

static void an_echo_from_the_loop_is_complete_and_in_order(void **state)
{
	messages_come_back_in_order(*state, STREAM_ECHO);
}

static void an_echo_from_the_queue_is_complete_and_in_order(void **state)
{
	messages_come_back_in_order(*state, STREAM_QUICK);
}

#define SENDERS 4
#ifdef __SANITIZE_THREAD__
#define EACH 5000 /* more, and a peer that slow is taken for dead */
#else
#define EACH 250000
#endif

struct record {
	uint32_t sender, number;
};

struct sender {
	struct rpc_stream *stream;
	uint32_t sender;
	uint64_t full;
};

static void send_records(void *arg)
{
	struct sender *sender = arg;

	for (uint32_t i = 0; i < EACH;) {
		struct record record = { sender->sender, i };
		err_t err = send_when_up(sender->stream, str_of(&record, sizeof(record)));

		if (err == OK)
			i++;
		else if (err == ERR_FULL)
			sender->full++, uv_sleep(1); /* what a sender of a service does: come again later */
		else
			break;
	}
}

static bool has_nothing_queued(const void *stream)
{
	return rpc_stream_queued(stream) == 0;
}

static void a_million_messages_from_several_threads_arrive_once_in_order_and_merged(void **state)
{
	struct pair *pair = *state;
	struct sender senders[SENDERS];
	uv_thread_t threads[SENDERS];
	struct buf got = { 0 };

	pair->far.collect = &got;
	struct rpc_stream *stream = open_stream(pair, STREAM_GIVEN, 1 << 20);
	for (uint32_t s = 0; s < SENDERS; s++) {
		senders[s] = (struct sender){ rpc_stream_ref(stream), s, 0 };
		uv_thread_create(&threads[s], send_records, &senders[s]);
	}
	for (uint32_t s = 0; s < SENDERS; s++) {
		uv_thread_join(&threads[s]);
		rpc_stream_unref(senders[s].stream);
	}
	assert_true(tally_reach(&pair->far.bytes, (uint64_t)SENDERS * EACH * sizeof(struct record)));
	assert_true(becomes_true(has_nothing_queued, stream, PATIENCE_MS)); /* the last write may be told after it arrived */
	close_stream(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));

	uint32_t next[SENDERS] = { 0 };
	assert_int_equal(got.len, (size_t)SENDERS * EACH * sizeof(struct record));
	for (size_t at = 0; at < got.len; at += sizeof(struct record)) {
		struct record record;

		memcpy(&record, got.ptr + at, sizeof(record));
		assert_in_range(record.sender, 0, SENDERS - 1);
		assert_int_equal(record.number, next[record.sender]++);
	}
	assert_true(tally_now(&pair->far.messages) < SENDERS * EACH / 2);
	print_message("%d messages left as %d\n", SENDERS * EACH, (int)tally_now(&pair->far.messages));
	buf_release(&got);
}

static void messages_larger_than_a_merged_write_are_not_cut(void **state)
{
	struct pair *pair = *state;
	size_t len = RPC_MESSAGE_MAX;
	char *big = mem_zalloc(len + 1);
	struct rpc_stream *stream = open_stream(pair, STREAM_GIVEN, 64 << 20);

	assert_int_equal(send_when_up(stream, str_of(big, len)), OK);
	assert_int_equal(rpc_stream_send(stream, STR("small")), OK);
	assert_int_equal(rpc_stream_send(stream, str_of(big, len)), OK);
	assert_int_equal(rpc_stream_send(stream, STR("small")), OK);
	assert_int_equal(rpc_stream_send(stream, str_of(big, len + 1)), ERR_TOO_LARGE);
	assert_true(tally_reach(&pair->far.bytes, 2 * len + 10));
	assert_int_equal(tally_now(&pair->far.messages), 4);
	close_stream(pair, stream);
	mem_free(big);
}

/* The server's side sends to a client whose handler stands still. */
static void a_peer_that_does_not_read_fills_the_queue_and_no_more(void **state)
{
	struct pair *pair = *state;
	static char kilobyte[1024];
	uv_sem_t gate;
	uint64_t accepted = 0;
	err_t err;

	uv_sem_init(&gate, 0);
	pair->near.gate = &gate;
	struct rpc_stream *stream = open_stream(pair, STREAM_GIVEN, 1 << 20);
	assert_true(tally_reach(&pair->far.opened, 1));
	struct rpc_stream *sender = rpc_stream_ref(atomic_load(&pair->far.stream));
	size_t before = resident_bytes();

	/* Full for as long as it takes a merged write to pass is not full for good. */
	uint64_t stuck_since = now_ms();
	for (;;) {
		err = send_when_up(sender, str_of(kilobyte, sizeof(kilobyte)));
		if (err == OK) {
			accepted++;
			stuck_since = now_ms();
		} else if (err != ERR_FULL || now_ms() - stuck_since > 500) {
			break;
		} else {
			uv_sleep(1);
		}
	}
	assert_int_equal(err, ERR_FULL);
	assert_in_range(rpc_stream_queued(sender), 7 << 20, 8 << 20);
	/* Queue, both windows and the backlog. */
	assert_in_range(accepted, 8 << 10, 40 << 10);
#ifndef __SANITIZE_THREAD__ /* which takes several times as much */
	assert_true(resident_bytes() - before < 64u << 20);
#endif
	print_message("%d KiB taken, %d KiB of memory\n", (int)accepted, (int)((resident_bytes() - before) / 1024));

	uv_sem_post(&gate); /* it reads on: all that was accepted comes */
	assert_true(tally_reach(&pair->near.bytes, accepted * sizeof(kilobyte)));
	assert_int_equal(rpc_stream_send(sender, str_of(kilobyte, sizeof(kilobyte))), OK);
	assert_true(tally_reach(&pair->near.bytes, (accepted + 1) * sizeof(kilobyte)));
	rpc_stream_unref(sender);
	close_stream(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));
	uv_sem_destroy(&gate);
}

static void say_hello(struct rpc_stream *stream, void *arg)
{
	struct end *end = arg;

	atomic_store(&end->stream, stream);
	tally_add(&end->opened, 1);
	/* Others try meanwhile. */
	tally_reach(&end->closed, 1);
	assert_int_equal(rpc_stream_send(stream, STR("hello")), OK);
}

static void what_opened_sends_comes_first(void **state)
{
	static const struct rpc_stream_handlers handlers = { .opened = say_hello };
	struct pair *pair = *state;
	struct buf got = { 0 };

	pair->far.collect = &got;
	struct rpc_stream *stream = open_with(pair, STREAM_GIVEN, 1 << 20, &handlers, &pair->near);
	assert_true(tally_reach(&pair->near.opened, 1));
	assert_int_equal(rpc_stream_send(stream, STR(" world")), ERR_CLOSED);
	tally_add(&pair->near.closed, 1);
	assert_int_equal(send_when_up(stream, STR(" world")), OK);
	assert_true(tally_reach(&pair->far.bytes, 11));
	close_stream(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));
	assert_true(str_equal(buf_str(&got), STR("hello world")));
	buf_release(&got);
}

static void closing_a_stream_is_seen_by_the_server_and_silences_the_client(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = open_stream(pair, STREAM_GIVEN, 1 << 20);

	rpc_stream_ref(stream);
	assert_true(tally_reach(&pair->far.opened, 1));
	close_stream(pair, stream);
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
	static const struct rpc_stream_handlers handlers = { .opened = on_opened,
		                                             .message = close_in_handler,
		                                             .closed = on_closed };
	struct pair *pair = *state;
	struct rpc_stream *stream = open_with(pair, STREAM_ECHO, 1 << 20, &handlers, &pair->near);

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
	struct rpc_stream *stream = open_stream(pair, STREAM_GIVEN, 1 << 20);

	assert_true(tally_reach(&pair->far.opened, 1));
	rpc_stream_end(atomic_load(&pair->far.stream), ERR_PERMISSION_DENIED, "not you");
	assert_true(tally_reach(&pair->near.closed, 1));
	assert_int_equal(atomic_load(&pair->near.last_err), ERR_PERMISSION_DENIED);
	assert_true(tally_reach(&pair->far.closed, 1));
	assert_true(tally_reach(&pair->near.opened, 2)); /* it comes back by itself */
	assert_true(tally_reach(&pair->far.opened, 2));
	close_stream(pair, stream);
}

static void a_closing_server_sends_what_is_queued_and_ends_its_streams(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = open_stream(pair, STREAM_GIVEN, 1 << 20);
	/* No more than one read takes: what a client has not read when it writes to a connection that has ended, TCP drops. */
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
	close_stream(pair, stream);
}

static void a_server_closes_under_load(void **state)
{
	struct pair *pair = *state;
	struct rpc_stream *stream = open_stream(pair, STREAM_ECHO, 1 << 20);
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
	close_stream(pair, stream);
}

/* The end of a call is logged, an end without an opening too: the test waits for that line. */
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
	return set_up(state);
}

static int tear_down_with_log(void **state)
{
	int failed = tear_down(state);

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
	struct rpc_stream *stream = open_with(pair, "/test.Stream/Nothing", 1 << 20, &watching, &pair->near);
	wait_for_log_line(log_pipe[0], "ERR_METHOD_NOT_ALLOWED");
	run_on(&pair->client.worker, nothing, NULL); /* what was due before is done */
	assert_int_equal(tally_now(&pair->near.opened), 0);
	assert_int_equal(tally_now(&pair->near.closed), 0);
	call(&pair->client, UNARY_ECHO, STR("hello"), 5000, &out); /* the connection lives */
	assert_int_equal(out.err, OK);
	close_stream(pair, stream);
}

static void a_stream_waits_for_its_server_and_can_be_closed_while_waiting(void **state)
{
	struct pair *pair = *state;

	server_stop(&pair->server);
	struct rpc_stream *never = open_with(pair, STREAM_ECHO, 1 << 20, &watching, &pair->near);
	assert_int_equal(rpc_stream_send(never, STR("too early")), ERR_CLOSED);
	close_stream(pair, never);
	struct rpc_stream *patient = open_with(pair, STREAM_ECHO, 1 << 20, &watching, &pair->near);
	pair->server.rpc = NULL;
	server_start(&pair->server, PORT);
	assert_true(tally_reach(&pair->near.opened, 1));
	close_stream(pair, patient);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_echo_from_the_loop_is_complete_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_echo_from_the_queue_is_complete_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_million_messages_from_several_threads_arrive_once_in_order_and_merged,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(messages_larger_than_a_merged_write_are_not_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_fills_the_queue_and_no_more, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(what_opened_sends_comes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_a_stream_is_seen_by_the_server_and_silences_the_client, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_stream_may_be_closed_by_its_own_handler, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_server_can_end_a_stream_with_a_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_closing_server_sends_what_is_queued_and_ends_its_streams, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_server_closes_under_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_stream_is_never_opened, set_up_with_log, tear_down_with_log),
		cmocka_unit_test_setup_teardown(a_stream_waits_for_its_server_and_can_be_closed_while_waiting, set_up,
		                                tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
