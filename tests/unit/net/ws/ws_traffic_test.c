/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ws/ws_frame.h"
#include "ws_client.h"
#include "ws_rig.h"

/* The server under load: blocked writers, floods, many connections, several workers, an end in the middle of it. */

#define FRAMES 1000000
#define BATCH_MAX 40
#define MANY 1000
#define FLOODERS 64

static struct rig rig;
static struct client client;
static struct frame frame;

/* A frame of which the number tells length and content. */
static size_t write_numbered(char *out, unsigned number)
{
	char text[64];
	int digits = snprintf(text, sizeof(text), "%u:", number);
	size_t len = (size_t)digits + number % 23;

	memset(text + digits, 'a' + number % 26, number % 23);
	size_t header = ws_frame_header((unsigned char *)out, WS_TEXT, len);
	memcpy(out + header, text, len);
	return header + len;
}

/* Batches of changing size, until the socket takes no more. */
static void write_until_blocked(struct rig *r, struct ws_conn *conn)
{
	unsigned *next = r->own;
	char batch[BATCH_MAX * 80];

	while (*next < FRAMES && !ws_is_blocked(conn)) {
		size_t len = 0;
		for (unsigned left = 1 + *next % BATCH_MAX; left && *next < FRAMES; left--)
			len += write_numbered(batch + len, (*next)++);
		if (ws_write(conn, batch, len))
			return;
	}
}

static void begin_numbered(struct rig *r, struct ws_conn *conn, bool is_binary, struct str message)
{
	(void)is_binary;
	(void)message;
	write_until_blocked(r, conn);
}

struct progress {
	bool is_blocked, has_written_all;
};

static void see_progress(struct rig *r, void *arg)
{
	*(struct progress *)arg = (struct progress){ ws_is_blocked(r->last), *(unsigned *)r->own == FRAMES };
}

/* Reads nothing until the socket takes no more. False: everything is written. */
static bool await_blocked(void)
{
	struct progress progress = { 0 };

	while (!progress.is_blocked && !progress.has_written_all)
		rig_run(&rig, see_progress, &progress);
	return progress.is_blocked;
}

static void a_slow_reader_gets_every_byte_in_order_with_pongs_between(void **state)
{
	unsigned next_to_write = 0, pings = 0, pongs = 0, blocks = 0;
	struct answer answer;
	char expected[80];
	(void)state;

	rig.message = begin_numbered;
	rig.writable = write_until_blocked;
	rig.own = &next_to_write;
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 4096);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	client_read_answer(&client, &answer);
	assert_true(client_send_frame(&client, 0x81, "go", 2));
	/* One ping at a time: a blocked connection answers the last one only. */
	for (unsigned number = 0; number < FRAMES || pongs < pings;) {
		client_read_frame(&client, &frame);
		if (frame.first == 0x8a) {
			assert_int_equal(strtoul(frame.payload, NULL, 10), pings);
			pongs = pings;
			continue;
		}
		size_t len = write_numbered(expected, number);
		assert_int_equal(frame.first, 0x81);
		assert_int_equal(frame.len, len - 2);
		assert_memory_equal(frame.payload, expected + 2, frame.len);
		if (++number % 20000 == 0 && await_blocked())
			blocks++;
		if (number % 1000 == 0 && pongs == pings) {
			char ping[16];
			int ping_len = snprintf(ping, sizeof(ping), "%u", ++pings);
			assert_true(client_send_frame(&client, 0x89, ping, (size_t)ping_len));
		}
	}
	assert_true(pongs > 0);
	assert_true(blocks > 10);
	assert_true(rig.unblocked >= blocks);
	client_close(&client);
}

/* More than two sockets hold. */
static void write_without_regard(struct rig *r, struct ws_conn *conn, bool is_binary, struct str message)
{
	static char frames[1 << 20];
	(void)r;
	(void)is_binary;
	(void)message;

	for (int i = 0; i < 32; i++)
		if (ws_write(conn, frames, sizeof(frames)))
			return;
}

static void close_last(struct rig *r, void *arg)
{
	const uint16_t *code = arg;

	if (!ws_is_blocked(r->last))
		r->wrong = "32 MiB fit into a socket";
	ws_close(r->last, *code, "");
}

static void a_blocked_peer_that_never_reads_our_close_is_dropped(void **state)
{
	uint16_t code = 4004;
	(void)state;

	rig.message = write_without_regard;
	rig.options.close_timeout_ms = 100;
	rig_start(&rig);
	client_open(&client, rig.port, "");
	assert_true(client_send_frame(&client, 0x81, "go", 2));
	rig_await(&rig, &rig.messages, 1);
	rig_run(&rig, close_last, &code);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 4004);
	client_close(&client);
}

static void a_blocked_peer_that_closes_is_let_go(void **state)
{
	(void)state;

	rig.message = write_without_regard;
	rig.options.close_timeout_ms = 100;
	rig_start(&rig);
	client_open(&client, rig.port, "");
	assert_true(client_send_frame(&client, 0x81, "go", 2));
	rig_await(&rig, &rig.messages, 1);
	assert_true(client_send_frame(&client, 0x88, "\x03\xe8", 2));
	rig_await(&rig, &rig.closings, 1);
	client_close(&client);
}

static void write_to_last(struct rig *r, void *arg)
{
	(void)arg;
	if (r->last && ws_write(r->last, "\x81\x01x", 3))
		return;
}

static void a_write_to_a_peer_that_reset_breaks_nothing(void **state)
{
	(void)state;

	rig_start(&rig);
	for (unsigned i = 1; i <= 100; i++) {
		client_open(&client, rig.port, "");
		rig_await(&rig, &rig.openings, i);
		client_reset(&client);
		rig_run(&rig, write_to_last, NULL);
		rig_run(&rig, write_to_last, NULL);
		rig_await(&rig, &rig.closings, i);
		assert_int_equal(rig.last_code, 1006);
	}
}

/* All connections, in the order of opening. */
struct crowd {
	struct ws_conn *conns[MANY];
	unsigned len;
};

static void join_crowd(struct rig *r, struct ws_conn *conn)
{
	struct crowd *crowd = r->own;

	crowd->conns[crowd->len++] = conn;
}

static void close_crowd(struct rig *r, void *arg)
{
	struct crowd *crowd = arg;
	(void)r;

	for (unsigned i = 0; i < crowd->len; i++)
		ws_close(crowd->conns[i], 1001, "draining");
}

static void every_connection_is_closed_with_1001(void **state)
{
	static struct client clients[MANY];
	static struct crowd crowd;
	(void)state;

	rig.opened = join_crowd;
	rig.own = &crowd;
	rig_start(&rig);
	for (int i = 0; i < MANY; i++)
		client_open(&clients[i], rig.port, "");
	rig_await(&rig, &rig.openings, MANY);
	assert_int_equal(rig_connections(&rig), MANY);
	rig_run(&rig, close_crowd, &crowd);
	for (int i = 0; i < MANY; i++) {
		client_expect_close(&clients[i], 1001);
		assert_true(client_send_frame(&clients[i], 0x88, "\x03\xe9", 2));
	}
	for (int i = 0; i < MANY; i++) {
		client_expect_end(&clients[i]);
		client_close(&clients[i]);
	}
	rig_await(&rig, &rig.closings, MANY);
	assert_int_equal(rig.last_code, 1001);
	assert_int_equal(rig_connections(&rig), 0);
}

static void the_server_may_end_with_all_sorts_of_connections(void **state)
{
	struct client open, half, fragment, blocked, closing, refused;
	struct answer answer;
	uint16_t code = 1001;
	(void)state;

	rig.message = write_without_regard;
	rig_start(&rig);
	client_open(&closing, rig.port, "");
	assert_true(client_send_frame(&closing, 0x81, "go", 2));
	rig_await(&rig, &rig.messages, 1);
	rig_run(&rig, close_last, &code);
	client_open(&open, rig.port, "");
	client_open(&fragment, rig.port, "");
	assert_true(client_send_frame(&fragment, 0x01, "begin", 5));
	client_connect(&half, rig.port, NULL, 0);
	assert_true(client_send_text(&half, "GET /ws HTTP/1.1\r\n"));
	client_connect(&refused, rig.port, NULL, 0);
	assert_true(client_send_text(&refused, CLIENT_REQUEST("/") "\r\n"));
	client_read_answer(&refused, &answer);
	client_open(&blocked, rig.port, "");
	assert_true(client_send_frame(&blocked, 0x81, "go", 2));
	rig_await(&rig, &rig.messages, 2);
	rig_await(&rig, &rig.signs_of_life, 3);
	rig_stop(&rig);
	assert_int_equal(rig.closings, 4);

	struct client *all[] = { &open, &half, &fragment, &blocked, &closing, &refused };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		client_close(all[i]);
}

static void keep_quiet(struct rig *r, struct ws_conn *conn, bool is_binary, struct str message)
{
	(void)r;
	if (!is_binary)
		rig_send(conn, false, message);
}

struct flood {
	struct client clients[FLOODERS];
	atomic_bool is_over;
	uint64_t bytes;
	pthread_t thread;
};

/* Small frames on every connection, as fast as they go. */
static void *run_flood(void *arg)
{
	static const char one[] = "\x82\x88\0\0\0\0flooding";
	static char many[14 * 1000];
	struct flood *flood = arg;

	for (size_t i = 0; i < sizeof(many); i += sizeof(one) - 1)
		memcpy(many + i, one, sizeof(one) - 1);
	while (!atomic_load(&flood->is_over)) {
		for (int i = 0; i < FLOODERS; i++) {
			/* A partial write continues at the same place next time. */
			size_t at = flood->clients[i].len;
			ssize_t sent = send(flood->clients[i].fd, many + at, sizeof(many) - at,
			                    MSG_DONTWAIT | MSG_NOSIGNAL);
			if (sent > 0) {
				flood->clients[i].len = (at + (size_t)sent) % sizeof(many);
				flood->bytes += (uint64_t)sent;
			}
		}
	}
	return NULL;
}

static void a_flood_on_many_connections_lets_the_others_through(void **state)
{
	static struct flood flood;
	uint64_t worst_ms = 0;
	(void)state;

	rig.message = keep_quiet;
	rig_start(&rig);
	for (int i = 0; i < FLOODERS; i++)
		client_open(&flood.clients[i], rig.port, "");
	client_open(&client, rig.port, "");
	assert_int_equal(pthread_create(&flood.thread, NULL, run_flood, &flood), 0);
	rig_await(&rig, &rig.messages, 10000); /* the flood is there */
	for (int i = 0; i < 100; i++) {
		uint64_t before = clock_mono_ms();
		assert_true(client_send_frame(&client, 0x81, "through", 7));
		client_expect_text(&client, "through");
		uint64_t took = clock_mono_ms() - before;
		if (took > worst_ms)
			worst_ms = took;
	}
	atomic_store(&flood.is_over, true);
	pthread_join(flood.thread, NULL);
	assert_true(worst_ms < 1000);
	for (int i = 0; i < FLOODERS; i++)
		client_close(&flood.clients[i]);
	client_close(&client);
}

static void several_workers_share_a_port(void **state)
{
	static struct rig second;
	struct client clients[100];
	char listen[32];
	(void)state;

	rig.options.shares_port = true;
	rig_start(&rig);
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", rig.port);
	rig_init(&second);
	second.options.shares_port = true;
	second.options.listen = listen;
	rig_start(&second);
	for (int i = 0; i < 100; i++)
		client_open(&clients[i], rig.port, "");
	for (int i = 0; i < 100; i++) {
		assert_true(client_send_frame(&clients[i], 0x81, "hello", 5));
		client_expect_text(&clients[i], "hello");
	}
	unsigned here = rig_connections(&rig), there = rig_connections(&second);
	assert_int_equal(here + there, 100);
	assert_true(here > 0);
	assert_true(there > 0);

	/* One ends, the other goes on. */
	rig_stop(&second);
	unsigned alive = 0;
	for (int i = 0; i < 100; i++) {
		if (client_send_frame(&clients[i], 0x82, "?", 1) && client_has_input(&clients[i], 1000) &&
		    recv(clients[i].fd, &frame, sizeof(frame), 0) == 3)
			alive++;
		client_close(&clients[i]);
	}
	assert_int_equal(alive, here);
}

static void a_peer_may_come_over_ipv6(void **state)
{
	struct answer answer;
	(void)state;

	rig.options.listen = "[::1]:0";
	rig_start(&rig);
	client_connect(&client, rig.port, "::1", 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	rig_await(&rig, &rig.openings, 1);
	assert_string_equal(rig.last_address, "::1");
	client_close(&client);
}

static void out_of_descriptors_the_server_waits_and_comes_back(void **state)
{
	struct rlimit before, tight;
	struct answer answer;
	int filler[256] = { 0 };
	int count = 0;
	(void)state;

	rig_start(&rig);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while ((filler[count] = dup(0)) >= 0)
		count++;
	assert_in_range(count, 2, 255);
	close(filler[--count]);
	client_connect(&client, rig.port, NULL, 0); /* takes the last one: none is left to accept it with */
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	assert_false(client_has_input(&client, 200));
	while (count)
		close(filler[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	client_close(&client);
}

int main(void)
{
#define T(name) cmocka_unit_test_prestate_setup_teardown(name, rig_setup, rig_teardown, &rig)
	const struct CMUnitTest tests[] = {
		T(a_slow_reader_gets_every_byte_in_order_with_pongs_between),
		T(a_blocked_peer_that_never_reads_our_close_is_dropped),
		T(a_blocked_peer_that_closes_is_let_go),
		T(a_write_to_a_peer_that_reset_breaks_nothing),
		T(every_connection_is_closed_with_1001),
		cmocka_unit_test_prestate_setup_teardown(the_server_may_end_with_all_sorts_of_connections, rig_setup, NULL, &rig),
		T(a_flood_on_many_connections_lets_the_others_through),
		T(several_workers_share_a_port),
		T(a_peer_may_come_over_ipv6),
		T(out_of_descriptors_the_server_waits_and_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
