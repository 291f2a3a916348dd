#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "rpc_stream_fixture.h"

static void messages_come_back_in_order(struct pair *pair, const char *path)
{
	struct buf sent = { 0 }, got = { 0 };

	pair->near.collect = &got;
	struct rpc_stream *stream = pair_open_and_wait(pair, path, 1 << 20);
	for (int i = 0; i < 1000; i++) {
		size_t start = sent.len;

		buf_printf(&sent, "message %d, ", i);
		assert_int_equal(send_when_up(stream, str_of(sent.ptr + start, sent.len - start)), OK);
	}
	assert_true(tally_reach(&pair->near.bytes, sent.len));
	pair_close(pair, stream);
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
#define EACH 5000 /* with more, so slow a peer would be taken for dead */
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
			sender->full++, uv_sleep(1); /* as a service does: try again later */
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
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 1 << 20);
	for (uint32_t s = 0; s < SENDERS; s++) {
		senders[s] = (struct sender){ rpc_stream_ref(stream), s, 0 };
		uv_thread_create(&threads[s], send_records, &senders[s]);
	}
	for (uint32_t s = 0; s < SENDERS; s++) {
		uv_thread_join(&threads[s]);
		rpc_stream_unref(senders[s].stream);
	}
	assert_true(tally_reach(&pair->far.bytes, (uint64_t)SENDERS * EACH * sizeof(struct record)));
	assert_true(becomes_true(has_nothing_queued, stream, PATIENCE_MS)); /* the last write may be reported after it arrived */
	pair_close(pair, stream);
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
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 64 << 20);

	assert_int_equal(send_when_up(stream, str_of(big, len)), OK);
	assert_int_equal(rpc_stream_send(stream, STR("small")), OK);
	assert_int_equal(rpc_stream_send(stream, str_of(big, len)), OK);
	assert_int_equal(rpc_stream_send(stream, STR("small")), OK);
	assert_int_equal(rpc_stream_send(stream, str_of(big, len + 1)), ERR_TOO_LARGE);
	assert_true(tally_reach(&pair->far.bytes, 2 * len + 10));
	assert_int_equal(tally_now(&pair->far.messages), 4);
	pair_close(pair, stream);
	mem_free(big);
}

/* The server's side sends to a client whose handler blocks. */
static void a_peer_that_does_not_read_fills_the_queue_and_no_more(void **state)
{
	struct pair *pair = *state;
	static char kilobyte[1024];
	uv_sem_t gate;
	uint64_t accepted = 0;
	err_t err;

	uv_sem_init(&gate, 0);
	pair->near.gate = &gate;
	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 1 << 20);
	assert_true(tally_reach(&pair->far.opened, 1));
	struct rpc_stream *sender = rpc_stream_ref(atomic_load(&pair->far.stream));
	size_t before = resident_bytes();

	/* ERR_FULL for as long as one merged write takes is not final. */
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
#ifndef __SANITIZE_THREAD__ /* needs several times as much memory */
	assert_true(resident_bytes() - before < 64u << 20);
#endif
	print_message("%d KiB taken, %d KiB of memory\n", (int)accepted, (int)((resident_bytes() - before) / 1024));

	uv_sem_post(&gate); /* the client reads on: all accepted messages come */
	assert_true(tally_reach(&pair->near.bytes, accepted * sizeof(kilobyte)));
	assert_int_equal(rpc_stream_send(sender, str_of(kilobyte, sizeof(kilobyte))), OK);
	assert_true(tally_reach(&pair->near.bytes, (accepted + 1) * sizeof(kilobyte)));
	rpc_stream_unref(sender);
	pair_close(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));
	uv_sem_destroy(&gate);
}

static void bytes_that_a_handler_keeps_stop_the_peer_until_they_are_given_back(void **state)
{
	static const char piece[64 << 10] = { 0 };
	struct pair *pair = *state;
	size_t kept = 5u << 20;
	uint64_t accepted = 0, stuck_since = 0;

	struct rpc_stream *stream = pair_open_and_wait(pair, STREAM_GIVEN, 1 << 20);
	assert_true(tally_reach(&pair->far.opened, 1));
	struct rpc_stream *receiver = rpc_stream_ref(pair->far.stream);
	rpc_stream_keep_bytes(receiver, kept);
	while (!stuck_since || now_ms() - stuck_since < 500) {
		err_t err = send_when_up(stream, str_of(piece, sizeof(piece)));

		assert_true(err == OK || err == ERR_FULL);
		if (err == OK) {
			accepted += sizeof(piece);
			stuck_since = 0;
		} else if (!stuck_since) {
			stuck_since = now_ms();
		}
		assert_true(accepted < 64u << 20);
		if (err)
			uv_sleep(1); /* the transport may take some more */
	}
	assert_true(tally_now(&pair->far.messages) <= 1); /* the read that was under way */
	rpc_stream_give_back_bytes(receiver, kept);
	assert_true(tally_reach(&pair->far.bytes, accepted));
	rpc_stream_unref(receiver);
	pair_close(pair, stream);
	assert_true(tally_reach(&pair->far.closed, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_echo_from_the_loop_is_complete_and_in_order, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(an_echo_from_the_queue_is_complete_and_in_order, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(a_million_messages_from_several_threads_arrive_once_in_order_and_merged,
		                                pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(messages_larger_than_a_merged_write_are_not_cut, pair_set_up, pair_tear_down),
		cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_fills_the_queue_and_no_more, pair_set_up,
		                                pair_tear_down),
		cmocka_unit_test_setup_teardown(bytes_that_a_handler_keeps_stop_the_peer_until_they_are_given_back, pair_set_up,
		                                pair_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
