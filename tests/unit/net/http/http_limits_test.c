/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"

#include "http_rig.h"

static void a_body_announced_as_too_large_is_refused_before_it_comes(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
	http_read_reply(fd, &reply, true);
	json_decref(read_problem(&reply, 413, "too_large"));
	assert_header(&reply, "Connection", "close");
	assert_true(http_sees_end(fd));
	reply_free(&reply);
	close(fd);
}

/* Sends `count` chunks of 100 bytes; false once the server has given up. */
static bool send_chunks(int fd, int count)
{
	char chunk[128];

	snprintf(chunk, sizeof(chunk), "64\r\n%0100d\r\n", 7);
	for (int i = 0; i < count; i++)
		if (!http_send_text(fd, chunk))
			return false;
	return true;
}

static void a_chunked_body_is_joined_up_to_the_limit_and_refused_over_it(void **state)
{
	static const struct {
		int chunks, status;
	} cases[] = { { 0, 200 }, { 10, 200 }, { 11, 413 }, { 1000, 413 } };
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		http_send_text(fd, POST_CHUNKED);
		assert_true(send_chunks(fd, cases[i].chunks));
		http_send_text(fd, "0\r\n\r\n");
		http_read_reply(fd, &reply, true);
		assert_int_equal(reply.status, cases[i].status);
		if (reply.status == 200)
			assert_int_equal(reply.body_len, cases[i].chunks * 100);
		reply_free(&reply);
	}
	close(fd);
}

static void an_endless_chunked_body_ends_the_connection(void **state)
{
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, POST_CHUNKED);
	/* 20 MB: far more than the kernel takes for a reader that stopped. */
	assert_false(send_chunks(fd, 200000));
	close(fd);
}

static void headers_that_two_readers_could_read_differently_are_refused(void **state)
{
	static const char *const headers[] = {
		HOST "Content-Length: 2\r\nContent-Length: 2\r\n",
		HOST "Content-Length: 2\r\nContent-Length: 20\r\n",
		HOST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		HOST "Transfer-Encoding: gzip, chunked\r\n",
		HOST "Transfer-Encoding: identity\r\n",
		HOST "Content-Length : 2\r\n",
		HOST HOST,
	};
	char request[256];
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		int fd = http_connect(rig->port);
		snprintf(request, sizeof(request), "POST /echo HTTP/1.1\r\n%s\r\n", headers[i]);
		http_send_text(fd, request);
		http_read_reply(fd, &reply, true);
		json_decref(read_problem(&reply, 400, "invalid_argument"));
		reply_free(&reply);
		close(fd);
	}
}

static void a_request_that_is_not_http_is_refused(void **state)
{
	static const char *const requests[] = {
		"GET /echo HTTP/1.1\r\n\r\n", /* no Host */
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: two\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n",
		"GET /echo HTTP/1.1\r\nno colon\r\n\r\n",
		"GET /a b c HTTP/1.1\r\n" HOST "\r\n",
		"GET /echo HTTP/9.9\r\n" HOST "\r\n",
		"nonsense\r\n\r\n",
		POST_CHUNKED "xyz\r\n\r\n",
	};
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		http_ask(rig->port, requests[i], &reply);
		assert_false(reply.status >= 200 && reply.status < 300);
		reply_free(&reply);
	}
	assert_answer(GET_THING, THING);
}

static void headers_that_are_too_large_are_431(void **state)
{
	struct buf request = { 0 };
	struct reply reply;

	(void)state;
	buf_append_text(&request, "GET /echo HTTP/1.1\r\n" HOST "X-Long: ");
	memset(buf_reserve(&request, 20 * 1024), 'x', 20 * 1024);
	request.len += 20 * 1024;
	buf_append_text(&request, "\r\n\r\n");
	http_ask(rig->port, buf_text(&request), &reply);
	json_decref(read_problem(&reply, 431, "too_large"));
	reply_free(&reply);

	/* So much that libmicrohttpd gives up first. */
	request.len -= 4;
	memset(buf_reserve(&request, 200 * 1024), 'x', 200 * 1024);
	request.len += 200 * 1024;
	http_ask(rig->port, buf_text(&request), &reply);
	assert_true(reply.status == 431 || reply.status == 0);
	reply_free(&reply);
	buf_release(&request);
}

static void a_long_target_within_the_limit_is_served(void **state)
{
	struct buf request = { 0 };
	struct reply reply;

	(void)state;
	/* 200 uids of 64 characters, and a token of 4 KiB. */
	buf_append_text(&request, "GET /things/x/parts/y?q=u");
	memset(buf_reserve(&request, 13000), 'u', 13000);
	request.len += 13000;
	buf_append_text(&request, " HTTP/1.1\r\n" HOST "Authorization: Bearer ");
	memset(buf_reserve(&request, 4096), 't', 4096);
	request.len += 4096;
	buf_append_text(&request, "\r\n\r\n");
	http_ask(rig->port, buf_text(&request), &reply);
	assert_int_equal(reply.status, 200);
	assert_in_range(reply.body_len, 13001, 13100);
	reply_free(&reply);
	buf_release(&request);
}

static void a_client_that_drips_or_sleeps_is_dropped_at_the_deadline(void **state)
{
	static const char *const beginnings[] = {
		"", /* nothing at all: the next byte is the first of the request line */
		"GET /", /* drips its request line */
		"GET /echo HTTP/1.1\r\nX-Slow: ", /* drips a header */
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n", /* drips its body */
		POST_CHUNKED "384\r\n",
	};
	int fds[ARRAY_LEN(beginnings) + 1], left = ARRAY_LEN(fds);
	uint64_t start_ms = clock_mono_ms();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = http_connect(rig->port);
		if (i < ARRAY_LEN(beginnings))
			http_send_text(fds[i], beginnings[i]);
	}
	/* All but the last one, which is silent, send a byte every 100 ms until they are dropped. */
	while (left && clock_mono_ms() - start_ms < HTTP_PATIENCE_S * 1000) {
		struct timeval wait = { .tv_usec = 100000 / left };
		left = 0;
		for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
			if (fds[i] < 0)
				continue;
			if (i < ARRAY_LEN(beginnings))
				http_send(fds[i], "x", 1);
			setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
			if (http_sees_end(fds[i])) {
				close(fds[i]);
				fds[i] = -1;
			} else {
				left++;
			}
		}
	}
	assert_int_equal(left, 0);
	/* A second for the first line, one for the rest, one of the sweep; none earlier than the first. */
	assert_in_range(clock_mono_ms() - start_ms, 1000, 5000);
}

static void connections_of_one_address_are_capped(void **state)
{
	struct reply reply;
	int fds[MAX_PER_ADDRESS];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = http_connect(rig->port);
		http_send_text(fds[i], POST_ECHO "aa");
		http_read_reply(fds[i], &reply, true);
		assert_int_equal(reply.status, 200);
		reply_free(&reply);
	}
	int over = http_connect(rig->port);
	assert_true(http_sees_end(over));
	close(over);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* A small generator of its own: the same requests every time. */
static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void broken_requests_break_nothing(void **state)
{
	static const char *const seeds[] = {
		POST_ECHO "aa", POST_LATER "bb", POST_CHUNKED "2\r\nab\r\n0\r\nTrailer: x\r\n\r\n",
		"GET /things/a%2Fb/parts/%E6?q=1&b=%41 HTTP/1.1\r\n" HOST "Accept: a,\r\n b\r\n\r\n",
	};
	static const char last[] = "\r\n\r\nGET /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
	struct linger reset = { .l_onoff = 1 };
	struct timeval a_moment = { .tv_usec = 3000 };
	unsigned seed = 1;
	char request[256];
	struct reply reply;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		const char *source = seeds[round % ARRAY_LEN(seeds)];
		size_t len = strlen(source);
		int fd = http_connect(rig->port);

		assert_true(fd >= 0);
		memcpy(request, source, len);
		for (unsigned i = next_random(&seed) % 4; i < 4; i++)
			request[next_random(&seed) % len] = (char)next_random(&seed);
		http_send(fd, request, next_random(&seed) % 8 ? len : next_random(&seed) % len);
		http_send_text(fd, last);
		/* Until the server closes, or for a moment where it waits for more. */
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &a_moment, sizeof(a_moment));
		while (recv(fd, request, sizeof(request), 0) > 0)
			;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	assert_answer(GET_THING, THING);
	http_ask(rig->port, POST_LATER "zz", &reply);
	assert_string_equal(reply.body, "zz");
	reply_free(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_rig_start, http_rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_body_announced_as_too_large_is_refused_before_it_comes),
		TEST(a_chunked_body_is_joined_up_to_the_limit_and_refused_over_it),
		TEST(an_endless_chunked_body_ends_the_connection),
		TEST(headers_that_two_readers_could_read_differently_are_refused),
		TEST(a_request_that_is_not_http_is_refused),
		TEST(headers_that_are_too_large_are_431),
		TEST(a_long_target_within_the_limit_is_served),
		TEST(a_client_that_drips_or_sleeps_is_dropped_at_the_deadline),
		TEST(connections_of_one_address_are_capped),
		TEST(broken_requests_break_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
