/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <string.h>

#include "ws_client.h"
#include "ws_rig.h"

/* Handshakes that are answered later: handlers.ask and ws_admit(). */

static struct rig rig;
static struct ws_conn *asked;
static unsigned asks;

static void on_ask(struct ws_conn *conn, void *session, void *arg)
{
	(void)session;
	(void)arg;
	asked = conn;
	asks++;
}

static void let_in(struct rig *r, void *arg)
{
	(void)r;
	(void)arg;
	ws_admit(asked, OK, NULL);
}

static void send_away(struct rig *r, void *arg)
{
	(void)r;
	(void)arg;
	ws_admit(asked, ERR_UNAUTHENTICATED, NULL);
}

static void read_asks(struct rig *r, void *arg)
{
	(void)r;
	*(unsigned *)arg = asks;
}

/* Waits until so many clients were asked about. */
static void await_asks(unsigned wanted)
{
	unsigned count = 0;

	while (count < wanted)
		rig_run(&rig, read_asks, &count);
}

static int setup(void **state)
{
	asks = 0;
	asked = NULL;
	(void)rig_setup(state);
	rig.options.handlers.ask = on_ask;
	return 0;
}

/* A client whose handshake is held. */
static void hold(struct client *client)
{
	client_connect(client, rig.port, NULL, 0);
	assert_true(client_send_text(client, CLIENT_REQUEST("/ws") "\r\n"));
	await_asks(1);
}

static void a_client_waits_until_it_is_admitted(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	hold(&client);
	assert_int_equal(rig_count(&rig, &rig.openings), 0);
	rig_run(&rig, let_in, NULL);
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	rig_await(&rig, &rig.openings, 1);
	assert_int_equal(rig_connections(&rig), 1);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
}

static void a_client_that_is_not_admitted_gets_a_problem_and_no_upgrade(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	hold(&client);
	rig_run(&rig, send_away, NULL);
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 401);
	assert_non_null(strstr(answer.body, "unauthenticated"));
	client_expect_end(&client);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig_count(&rig, &rig.openings), 0);
}

static void a_client_that_leaves_while_it_waits_is_closed_once(void **state)
{
	struct client client;
	(void)state;

	rig_start(&rig);
	hold(&client);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig_count(&rig, &rig.openings), 0);
}

static void stop_listening(struct rig *r, void *arg)
{
	(void)arg;
	ws_server_stop_listening(r->server);
}

static void a_server_that_stops_listening_refuses_those_who_wait(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	hold(&client);
	rig_run(&rig, stop_listening, NULL);
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 503);
	rig_await(&rig, &rig.closings, 1);
	client_close(&client);
}

static void a_server_that_closes_drops_those_who_wait(void **state)
{
	struct client client;
	(void)state;

	rig_start(&rig);
	hold(&client); /* rig_teardown() closes the server, and fails if the session is not closed */
	client_close(&client);
}

static void who_waits_does_not_count_as_unknown(void **state)
{
	struct client clients[3];
	(void)state;

	rig.options.max_handshakes_per_address = 1;
	rig_start(&rig);
	for (unsigned i = 0; i < 3; i++) {
		client_connect(&clients[i], rig.port, NULL, 0);
		assert_true(client_send_text(&clients[i], CLIENT_REQUEST("/ws") "\r\n"));
		await_asks(i + 1);
	}
	for (unsigned i = 0; i < 3; i++)
		client_close(&clients[i]);
	rig_await(&rig, &rig.closings, 3);
}

static void who_waits_keeps_no_memory_for_its_request(void **state)
{
	enum { CLIENTS = 32, FIELD = 12000 };
	static char field[FIELD + 1];
	struct client clients[CLIENTS];
	(void)state;

	memset(field, 'x', FIELD);
	rig_start(&rig);
	size_t before = mallinfo2().uordblks;
	for (unsigned i = 0; i < CLIENTS; i++) {
		client_connect(&clients[i], rig.port, NULL, 0);
		assert_true(client_send_text(&clients[i], CLIENT_REQUEST("/ws") "Cookie: "));
		assert_true(client_send_text(&clients[i], field));
		assert_true(client_send_text(&clients[i], "\r\n\r\n"));
	}
	await_asks(CLIENTS);
	size_t now = mallinfo2().uordblks; /* 0 under a sanitizer */
	assert_in_range(now - MIN(now, before), 0, CLIENTS * FIELD / 2);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
	rig_await(&rig, &rig.closings, CLIENTS);
}

static void what_came_with_a_long_request_is_read_after_the_admission(void **state)
{
	static const char rest[] = "\r\n\r\n\x81\x82\x00\x00\x00\x00hi"; /* a masked text frame behind the head */
	static char field[12001];
	struct client client;
	struct answer answer;
	(void)state;

	memset(field, 'x', sizeof(field) - 1);
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "Cookie: "));
	assert_true(client_send_text(&client, field));
	assert_true(client_send(&client, rest, sizeof(rest) - 1));
	await_asks(1);
	rig_run(&rig, let_in, NULL);
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	client_expect_text(&client, "hi");
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_prestate_setup_teardown(name, setup, rig_teardown, &rig)
	const struct CMUnitTest tests[] = {
		TEST(a_client_waits_until_it_is_admitted),
		TEST(a_client_that_is_not_admitted_gets_a_problem_and_no_upgrade),
		TEST(a_client_that_leaves_while_it_waits_is_closed_once),
		TEST(a_server_that_stops_listening_refuses_those_who_wait),
		TEST(a_server_that_closes_drops_those_who_wait),
		TEST(who_waits_does_not_count_as_unknown),
		TEST(who_waits_keeps_no_memory_for_its_request),
		TEST(what_came_with_a_long_request_is_read_after_the_admission),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
