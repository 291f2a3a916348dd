/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/macros.h"

#include "http_rig.h"

static void a_request_is_answered_with_its_body_and_the_usual_headers(void **state)
{
	struct reply reply;
	char id[64];

	(void)state;
	http_ask(rig->port, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/x\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
	         &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "{\"a\":1}");
	assert_header(&reply, "Content-Type", "application/json");
	assert_header(&reply, "Content-Length", "7");
	assert_header(&reply, "X-Type", "text/x");
	assert_header(&reply, "X-Content-Type-Options", "nosniff");
	assert_no_header(&reply, "Connection");
	assert_int_equal(strlen(reply_header(&reply, "X-Request-Id", id, sizeof(id))), 24);
	reply_free(&reply);
}

static void an_answer_without_a_body_has_no_content_type(void **state)
{
	struct reply reply;

	(void)state;
	http_ask(rig->port, "GET /timer HTTP/1.1\r\n" HOST "\r\n", &reply);
	assert_int_equal(reply.status, 204);
	assert_no_header(&reply, "Content-Type");
	assert_no_header(&reply, "Content-Length");
	reply_free(&reply);
}

static void head_is_answered_like_get_without_the_body(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, "HEAD /large HTTP/1.1\r\n" HOST "\r\n");
	http_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_header(&reply, "Content-Length", "4194304");
	reply_free(&reply);
	/* The next answer follows directly: no byte of a body came. */
	http_send_text(fd, "GET /timer HTTP/1.1\r\n" HOST "\r\n");
	http_read_reply(fd, &reply, true);
	assert_int_equal(reply.status, 204);
	reply_free(&reply);
	close(fd);
}

static void a_connection_carries_one_request_after_another_pipelined_or_not(void **state)
{
	static const char *const bodies[] = { "aa", "bb", "cc", "dd", "ee" };
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, POST_ECHO "aa");
	http_read_reply(fd, &reply, true);
	assert_string_equal(reply.body, bodies[0]);
	reply_free(&reply);
	http_send_text(fd, POST_ECHO "bb" POST_LATER "cc" POST_ECHO "dd" POST_LATER "ee");
	for (int i = 1; i < 5; i++) {
		http_read_reply(fd, &reply, true);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, bodies[i]);
		reply_free(&reply);
	}
	close(fd);
}

static void a_request_may_come_in_any_pieces(void **state)
{
	static const char request[] = "POST /later HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
	struct reply reply;
	int fd = http_connect(rig->port), on = 1;

	(void)state;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (size_t i = 0; i < strlen(request); i++)
		assert_true(http_send(fd, request + i, 1));
	http_read_reply(fd, &reply, true);
	assert_string_equal(reply.body, "abc");
	reply_free(&reply);
	close(fd);
}

static void a_later_answer_leaves_in_the_same_turn_of_the_loop(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);
	uint64_t before_ms = clock_mono_ms();

	(void)state;
	/* Left to the next event or tick, each would take 10 ms at least: the client sends nothing until it is answered. */
	for (int i = 0; i < 300; i++) {
		http_send_text(fd, i % 3 ? POST_LATER "aa" : "GET /timer HTTP/1.1\r\n" HOST "\r\n");
		http_read_reply(fd, &reply, true);
		assert_int_equal(reply.status, i % 3 ? 200 : 204);
		reply_free(&reply);
	}
	/* The timer's own share is a tick and a bit for each of its 100. */
	assert_in_range(clock_mono_ms() - before_ms, 0, 100 * 2 * WORKER_TICK_MS + 1000);
	close(fd);
}

static void the_callers_request_id_is_used_if_it_is_fit(void **state)
{
	static const struct {
		const char *id;
		bool is_fit;
	} cases[] = {
		{ "a", true },
		{ "x y/z \"~\"", true },
		{ "1234567890123456789012345678901234567890123456789012345678901234", true },
		{ "12345678901234567890123456789012345678901234567890123456789012345", false },
		{ "a\tb", false },
		{ "\xc3\xa4", false },
		{ "", false },
	};
	char request[256], id[128];
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(request, sizeof(request), "GET /none HTTP/1.1\r\n" HOST "X-Request-Id: %s\r\n\r\n", cases[i].id);
		http_ask(rig->port, request, &reply);
		json_decref(read_problem(&reply, 404, "not_found"));
		assert_non_null(reply_header(&reply, "X-Request-Id", id, sizeof(id)));
		assert_int_equal(strcmp(id, cases[i].id) == 0, cases[i].is_fit);
		assert_in_range(strlen(id), 1, 64);
		reply_free(&reply);
	}
}

static void an_unknown_path_is_404_and_another_method_405_with_allow(void **state)
{
	struct reply reply;

	(void)state;
	assert_problem("GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
	assert_problem("GET /echo/ HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
	assert_problem("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
	http_ask(rig->port, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", &reply);
	json_decref(read_problem(&reply, 405, "method_not_allowed"));
	assert_header(&reply, "Allow", "POST, GET, HEAD");
	reply_free(&reply);
}

static void parameters_and_query_reach_the_handler_decoded(void **state)
{
	(void)state;
	assert_answer("GET /things/a%2Fb/parts/%E6%90%9C+x?q=1%2B1+%26&q=second&p=%41 HTTP/1.1\r\n" HOST "\r\n",
	              "GET|/things/a%2Fb/parts/%E6%90%9C+x|/things/{thing}/parts/{part}|a/b|\xe6\x90\x9c+x|1+1 &|127.0.0.1");
	assert_answer("DELETE /things/x/parts/y HTTP/1.1\r\n" HOST "\r\n",
	              "DELETE|/things/x/parts/y|/things/{thing}/parts/{part}|x|y|NULL|127.0.0.1");
	assert_answer("GET http://skein/things/x/parts/y?q HTTP/1.1\r\n" HOST "\r\n",
	              "GET|/things/x/parts/y|/things/{thing}/parts/{part}|x|y||127.0.0.1");
}

static void a_badly_encoded_parameter_or_query_is_400_and_named(void **state)
{
	char request[1024] = "GET /things/x/parts/y?";

	(void)state;
	assert_problem("GET /things/a%00b/parts/y HTTP/1.1\r\n" HOST "\r\n", 400, "invalid_argument", "thing");
	assert_problem("GET /things/x/parts/%ff HTTP/1.1\r\n" HOST "\r\n", 400, "invalid_argument", "part");
	assert_problem("GET /things/x/parts/%4 HTTP/1.1\r\n" HOST "\r\n", 400, "invalid_argument", "part");
	assert_problem("GET /things/x/parts/y?q=%c3%28 HTTP/1.1\r\n" HOST "\r\n", 400, "invalid_argument", "q");
	assert_problem("GET /things/x/parts/y?q=%00 HTTP/1.1\r\n" HOST "\r\n", 400, "invalid_argument", "q");
	for (int i = 0; i < 40; i++)
		strncat(request, "a=1&", sizeof(request) - strlen(request) - 1);
	strncat(request, " HTTP/1.1\r\n" HOST "\r\n", sizeof(request) - strlen(request) - 1);
	assert_problem(request, 400, "invalid_argument", NULL);
}

static void one_dispatcher_serves_a_table_of_calls_by_the_routes_call(void **state)
{
	(void)state;
	assert_answer("PUT /groups/g%2F1/members/%E6%90%9C/role HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nadmin",
	              "member role|g/1|\xe6\x90\x9c|admin");
	assert_answer("DELETE /groups/g1/members/bob HTTP/1.1\r\n" HOST "\r\n", "member remove|g1|bob|");
	assert_answer("PATCH /groups/g1 HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nname", "group patch|g1||name");
}

static void put_patch_and_delete_take_bodies_announced_and_chunked(void **state)
{
	static const struct {
		const char *line, *answer;
	} cases[] = {
		{ "PUT /groups/g1/members/bob/role", "member role|g1|bob|" },
		{ "PATCH /groups/g1", "group patch|g1||" },
		{ "DELETE /groups/g1/members/bob", "member remove|g1|bob|" },
	};
	char request[256], answer[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(answer, sizeof(answer), "%sabc", cases[i].answer);
		snprintf(request, sizeof(request), "%s HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", cases[i].line);
		assert_answer(request, answer);
		snprintf(request, sizeof(request),
		         "%s HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", cases[i].line);
		assert_answer(request, answer);
		snprintf(request, sizeof(request), "%s HTTP/1.1\r\n" HOST "\r\n", cases[i].line);
		assert_answer(request, cases[i].answer);
		snprintf(request, sizeof(request), "%s HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", cases[i].line,
		         MAX_BODY + 1);
		assert_problem(request, 413, "too_large", NULL);
	}
}

static void a_known_path_with_parameters_and_another_method_is_405_with_allow(void **state)
{
	static const struct {
		const char *line, *allow;
	} cases[] = {
		{ "GET /groups/g1/members/bob/role", "PUT" },
		{ "POST /groups/g1/members/bob", "DELETE" },
		{ "DELETE /groups/g%20x", "PATCH" },
		{ "PATCH /things/x/parts/y", "GET, HEAD, DELETE" },
	};
	char request[256];
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(request, sizeof(request), "%s HTTP/1.1\r\n" HOST "\r\n", cases[i].line);
		http_ask(rig->port, request, &reply);
		json_decref(read_problem(&reply, 405, "method_not_allowed"));
		assert_header(&reply, "Allow", cases[i].allow);
		reply_free(&reply);
	}
}

static void a_request_outlives_its_client_until_it_is_answered(void **state)
{
	struct linger reset = { .l_onoff = 1 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		int fd = http_connect(rig->port);
		http_send_text(fd, POST_HELD "hi");
		uv_sem_wait(&rig->held_arrived);
		assert_int_equal(http_server_pending(rig->server), 1);
		if (round)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		/* The server hears of others meanwhile. */
		assert_problem("GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
		assert_true(str_equal(http_request_body(rig->held), STR("hi")));
		http_rig_step(answer_held);
	}
	assert_problem("GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
}

static void a_problem_names_the_error_and_the_field(void **state)
{
	struct reply reply;

	(void)state;
	http_ask(rig->port, "GET /problem/not_member HTTP/1.1\r\n" HOST "X-Request-Id: a b\"\r\n\r\n", &reply);
	json_t *problem = read_problem(&reply, 403, "not_member");
	assert_string_equal(json_string_value(json_object_get(problem, "type")), "urn:skein:error:not_member");
	assert_string_equal(json_string_value(json_object_get(problem, "title")), "Not member");
	assert_string_equal(json_string_value(json_object_get(problem, "detail")), "Why it is \"so\".");
	assert_string_equal(json_string_value(json_object_get(problem, "field")), "to.user");
	assert_string_equal(json_string_value(json_object_get(problem, "instance")), "urn:skein:request:a%20b%22");
	assert_no_header(&reply, "Retry-After");
	assert_no_header(&reply, "WWW-Authenticate");
	json_decref(problem);
	reply_free(&reply);

	http_ask(rig->port, "GET /problem/unauthenticated HTTP/1.1\r\n" HOST "\r\n", &reply);
	json_decref(read_problem(&reply, 401, "unauthenticated"));
	assert_header(&reply, "WWW-Authenticate", "Bearer");
	reply_free(&reply);
	http_ask(rig->port, "GET /problem/rate_limited?wait HTTP/1.1\r\n" HOST "\r\n", &reply);
	json_decref(read_problem(&reply, 429, "rate_limited"));
	assert_header(&reply, "Retry-After", "17");
	reply_free(&reply);
	http_ask(rig->port, "GET /problem/unavailable HTTP/1.1\r\n" HOST "\r\n", &reply);
	json_decref(read_problem(&reply, 503, "unavailable"));
	assert_header(&reply, "Retry-After", "1");
	reply_free(&reply);
}

static void a_problem_in_a_buffer_is_one_json_object(void **state)
{
	struct buf out = { 0 };

	(void)state;
	http_write_problem(&out, ERR_TIMEOUT, "", NULL);
	assert_string_equal(buf_text(&out), "{\"type\":\"urn:skein:error:unavailable\",\"title\":\"Unavailable\","
	                                    "\"status\":503,\"code\":\"unavailable\"}");
	buf_release(&out);
}

static void every_answer_is_told_to_finished(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, POST_LATER "aa");
	http_read_reply(fd, &reply, true);
	reply_free(&reply);
	http_send_text(fd, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
	http_read_reply(fd, &reply, true);
	reply_free(&reply);
	http_send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n");
	http_read_reply(fd, &reply, true);
	reply_free(&reply);
	close(fd);
	uv_mutex_lock(&rig->lock);
	assert_string_equal(buf_text(&rig->finished), "200 POST /later|404 GET |413 POST |");
	uv_mutex_unlock(&rig->lock);
}

static void stop_listening(struct task *task)
{
	(void)task;
	http_server_stop_listening(rig->server);
	uv_sem_post(&rig->step_done);
}

static void a_server_that_stops_listening_finishes_its_requests(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, POST_HELD "hi");
	uv_sem_wait(&rig->held_arrived);
	http_rig_step(stop_listening);
	assert_int_equal(http_connect(rig->port), -1);
	http_rig_step(answer_held);
	http_read_reply(fd, &reply, true);
	assert_int_equal(reply.status, 204);
	assert_header(&reply, "Connection", "close");
	assert_true(http_sees_end(fd));
	reply_free(&reply);
	close(fd);
}

static void refuse(struct task *task)
{
	(void)task;
	http_server_refuse(rig->server);
	uv_sem_post(&rig->step_done);
}

static void a_server_that_refuses_calls_no_handler(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	http_read_reply(fd, &reply, true);
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
	http_rig_step(refuse);
	assert_int_equal(http_connect(rig->port), -1);
	http_send_text(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	http_read_reply(fd, &reply, true);
	assert_int_equal(reply.status, 503);
	assert_header(&reply, "Connection", "close");
	assert_true(http_sees_end(fd));
	reply_free(&reply);
	close(fd);
}

static void closing_lets_the_last_answer_out(void **state)
{
	struct reply reply;
	int fd = http_connect(rig->port);

	(void)state;
	http_send_text(fd, POST_HELD "hi");
	uv_sem_wait(&rig->held_arrived);
	http_rig_step(answer_held_large_and_close);
	http_read_reply(fd, &reply, true);
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.body_len, LARGE_ANSWER);
	reply_free(&reply);
	close(fd);
	http_rig_join();
}

static void closing_does_not_wait_for_a_client_that_reads_nothing(void **state)
{
	int fd = http_connect(rig->port);
	uint64_t before_ms;

	(void)state;
	http_send_text(fd, POST_HELD "hi");
	uv_sem_wait(&rig->held_arrived);
	before_ms = clock_mono_ms();
	http_rig_step(answer_held_large_and_close);
	http_rig_join();
	assert_in_range(clock_mono_ms() - before_ms, 0, 5000);
	close(fd);
}

static void a_port_is_shared_only_on_request(void **state)
{
	struct http_server *servers[2] = { NULL, NULL }, *third = NULL;
	struct http_server_options options = rig->options;
	struct worker worker;
	char address[32];

	(void)state;
	log_set_fd(open("/dev/null", O_WRONLY));
	assert_int_equal(worker_init(&worker, "sharing"), OK);
	options.shares_port = true;
	assert_int_equal(http_server_new(&servers[0], &worker, &options), OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(servers[0]));
	options.listen = address;
	assert_int_equal(http_server_new(&servers[1], &worker, &options), OK);
	options.shares_port = false;
	assert_int_equal(http_server_new(&third, &worker, &options), ERR_IO);
	options.listen = "no port";
	assert_int_equal(http_server_new(&third, &worker, &options), ERR_BAD_CONFIG);
	options.listen = "::1:8080";
	assert_int_equal(http_server_new(&third, &worker, &options), ERR_BAD_CONFIG);
	options.listen = "127.0.0.1:65536";
	assert_int_equal(http_server_new(&third, &worker, &options), ERR_BAD_CONFIG);
	for (int i = 0; i < 2; i++)
		http_server_close(servers[i], NULL, NULL);
	worker_stop(&worker);
	worker_join(&worker);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_rig_start, http_rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_with_its_body_and_the_usual_headers),
		TEST(an_answer_without_a_body_has_no_content_type),
		TEST(head_is_answered_like_get_without_the_body),
		TEST(a_connection_carries_one_request_after_another_pipelined_or_not),
		TEST(a_request_may_come_in_any_pieces),
		TEST(a_later_answer_leaves_in_the_same_turn_of_the_loop),
		TEST(the_callers_request_id_is_used_if_it_is_fit),
		TEST(an_unknown_path_is_404_and_another_method_405_with_allow),
		TEST(parameters_and_query_reach_the_handler_decoded),
		TEST(a_badly_encoded_parameter_or_query_is_400_and_named),
		TEST(one_dispatcher_serves_a_table_of_calls_by_the_routes_call),
		TEST(put_patch_and_delete_take_bodies_announced_and_chunked),
		TEST(a_known_path_with_parameters_and_another_method_is_405_with_allow),
		TEST(a_request_outlives_its_client_until_it_is_answered),
		TEST(a_problem_names_the_error_and_the_field),
		TEST(a_problem_in_a_buffer_is_one_json_object),
		TEST(every_answer_is_told_to_finished),
		TEST(a_server_that_stops_listening_finishes_its_requests),
		TEST(a_server_that_refuses_calls_no_handler),
		TEST(closing_lets_the_last_answer_out),
		cmocka_unit_test_setup_teardown(closing_does_not_wait_for_a_client_that_reads_nothing,
		                                http_rig_start_patient, http_rig_stop),
		TEST(a_port_is_shared_only_on_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
