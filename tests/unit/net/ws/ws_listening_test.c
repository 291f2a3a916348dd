/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ws_client.h"
#include "ws_rig.h"

static struct rig rig;

static void slow_handshakes_die_at_their_deadline(void **state)
{
	struct client silent, half, dripping;
	uint64_t start_ms = clock_mono_ms();
	(void)state;

	rig.options.handshake_timeout_ms = 300;
	rig_start(&rig);
	client_connect(&silent, rig.port, NULL, 0);
	client_connect(&half, rig.port, NULL, 0);
	assert_true(client_send_text(&half, "GET /ws HTTP/1.1\r\nHost: x\r\n"));
	client_connect(&dripping, rig.port, NULL, 0);
	assert_true(client_send_text(&dripping, "GET /ws HTTP/1.1\r\nX-Drip: "));
	while (!client_has_input(&dripping, 10))
		if (!client_send_text(&dripping, "x"))
			break;
	uint64_t took = clock_mono_ms() - start_ms;
	assert_in_range(took, 290, 9000);
	client_expect_end(&silent);
	client_expect_end(&half);
	client_close(&silent);
	client_close(&half);
	client_close(&dripping);
	assert_int_equal(rig.accepts, 0);
}

static void a_refused_client_that_does_not_hang_up_is_dropped(void **state)
{
	struct client client;
	struct answer answer;
	uint64_t start_ms = clock_mono_ms();
	(void)state;

	rig.options.handshake_timeout_ms = 300;
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/elsewhere") "\r\n"));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 404);
	while (client_send_text(&client, "more"))
		assert_true(clock_mono_ms() - start_ms < 9000);
	client_close(&client);
}

static void a_refused_client_may_finish_what_it_is_sending(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/elsewhere") "\r\n"));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 404);
	/* A socket that was closed would answer the first by a reset. */
	assert_true(client_send_text(&client, "more"));
	assert_true(client_send_text(&client, "and more"));
	client_expect_end(&client);
	client_close(&client);
}

static void handshakes_are_counted_per_address(void **state)
{
	struct client pending[3], other, ready;
	struct answer answer;
	(void)state;

	rig.options.handshake_timeout_ms = 60000; /* later than a test waits */
	rig.options.max_handshakes_per_address = 3;
	rig_start(&rig);
	for (int i = 0; i < 3; i++) {
		client_connect(&pending[i], rig.port, NULL, 0);
		assert_true(client_send_text(&pending[i], "GET"));
	}
	client_connect(&other, rig.port, NULL, 0);
	client_expect_end(&other);
	client_close(&other);

	/* Another address has a count of its own. */
	client_connect(&other, rig.port, "127.0.0.2", 0);
	assert_true(client_send_text(&other, CLIENT_REQUEST("/ws") "\r\n"));
	client_read_answer(&other, &answer);
	assert_int_equal(answer.status, 101);
	rig_await(&rig, &rig.openings, 1);
	assert_string_equal(rig.last_address, "127.0.0.2");

	/* A finished handshake makes room. */
	assert_true(client_send_text(&pending[0], strchr(CLIENT_REQUEST("/ws") "\r\n", ' ')));
	client_read_answer(&pending[0], &answer);
	assert_int_equal(answer.status, 101);
	client_open(&ready, rig.port, "");
	client_close(&ready);
	client_close(&other);
	for (int i = 0; i < 3; i++)
		client_close(&pending[i]);
}

static void handshakes_over_the_budget_are_closed_at_once(void **state)
{
	struct client open, waiting, late;
	(void)state;

	rig.options.handshake_timeout_ms = 60000; /* later than a test waits */
	rig.budget.max_handshakes = 2;
	assert_true(ws_budget_enter(&rig.budget)); /* one at another server of the process */
	rig_start(&rig);
	client_connect(&waiting, rig.port, NULL, 0);
	client_connect(&late, rig.port, NULL, 0);
	client_expect_end(&late);
	client_close(&late);
	ws_budget_leave(&rig.budget);
	client_open(&open, rig.port, "");
	client_open(&late, rig.port, ""); /* a connection is no handshake any more */
	client_close(&waiting);
	client_close(&late);
	client_close(&open);
}

static void parts_of_requests_over_the_budget_are_refused(void **state)
{
	struct answer answer;
	struct client first, second;
	char part[600];
	(void)state;

	memset(part, 'x', sizeof(part));
	memcpy(part, "GET /", 5);
	rig.options.handshake_timeout_ms = 60000;
	rig.budget.max_bytes = 1000;
	rig_start(&rig);
	client_connect(&first, rig.port, NULL, 0);
	client_connect(&second, rig.port, NULL, 0);
	assert_true(client_send(&first, part, sizeof(part)));
	while (atomic_load(&rig.budget.bytes) < sizeof(part))
		sched_yield();
	assert_true(client_send(&second, part, sizeof(part)));
	client_read_answer(&second, &answer);
	assert_int_equal(answer.status, 503);
	client_close(&second);
	client_open(&second, rig.port, ""); /* a request that comes in one piece keeps nothing */
	client_close(&second);
	client_close(&first);
	while (atomic_load(&rig.budget.bytes) || atomic_load(&rig.budget.handshakes))
		sched_yield();
}

static void stop_listening(struct rig *r, void *arg)
{
	(void)arg;
	ws_server_stop_listening(r->server);
}

static void an_open_handshake_is_refused_when_the_server_stops_listening(void **state)
{
	struct client pending, ready;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_open(&ready, rig.port, "");
	client_connect(&pending, rig.port, NULL, 0);
	assert_true(client_send_text(&pending, "GET /ws HTTP/1.1\r\n"));
	/* The echo proves that the server has seen both. */
	assert_true(client_send_frame(&ready, 0x81, "1", 1));
	client_expect_text(&ready, "1");
	rig_run(&rig, stop_listening, NULL);
	client_read_answer(&pending, &answer);
	assert_int_equal(answer.status, 503);
	answer_expect_field(&answer, "Retry-After: 1");
	client_expect_end(&pending);
	client_close(&pending);

	assert_true(client_send_frame(&ready, 0x81, "2", 1));
	client_expect_text(&ready, "2");
	client_close(&ready);
}

static err_t stop_in_accept(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	(void)handshake;
	(void)detail;
	ws_server_stop_listening(r->server);
	return OK;
}

static void a_handler_may_stop_the_listener_under_its_own_handshake(void **state)
{
	(void)state;

	rig.accept = stop_in_accept;
	rig_start(&rig);
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws") "\r\n", 503, "unavailable");
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1006);
	assert_int_equal(rig.openings, 0);
}

static err_t close_in_accept(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	(void)handshake;
	(void)detail;
	rig_close_server(r);
	return OK;
}

static void a_handler_may_close_the_server_under_its_own_handshake(void **state)
{
	struct client client;
	(void)state;

	rig.accept = close_in_accept;
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	client_expect_end(&client);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.openings, 0);
}

static void a_port_in_use_is_refused_unless_it_is_shared(void **state)
{
	struct ws_server_options options;
	struct ws_server *second;
	struct worker worker;
	char listen[32];
	(void)state;

	rig_start(&rig);
	options = rig.options;
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", rig.port);
	options.listen = listen;
	assert_int_equal(worker_init(&worker, "second"), OK);
	assert_int_equal(ws_server_new(&second, &worker, &options), ERR_IO);
	options.listen = "nowhere";
	assert_int_equal(ws_server_new(&second, &worker, &options), ERR_BAD_CONFIG);
	worker_stop(&worker);
	worker_join(&worker);
}

int main(void)
{
#define T(name) cmocka_unit_test_prestate_setup_teardown(name, rig_setup, rig_teardown, &rig)
	const struct CMUnitTest tests[] = {
		T(slow_handshakes_die_at_their_deadline),
		T(a_refused_client_that_does_not_hang_up_is_dropped),
		T(a_refused_client_may_finish_what_it_is_sending),
		T(handshakes_are_counted_per_address),
		T(handshakes_over_the_budget_are_closed_at_once),
		T(parts_of_requests_over_the_budget_are_refused),
		T(an_open_handshake_is_refused_when_the_server_stops_listening),
		T(a_handler_may_stop_the_listener_under_its_own_handshake),
		T(a_handler_may_close_the_server_under_its_own_handshake),
		T(a_port_in_use_is_refused_unless_it_is_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
