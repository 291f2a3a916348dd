/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "net/http_server.h"

#include "http_client.h"

#define MAX_BODY 1000
#define LARGE_ANSWER (4 * 1024 * 1024)
#define HOST "Host: skein\r\n"

/* The server on a worker of its own; the tests are its clients. */
struct fixture {
	struct worker worker;
	struct http_server *server;
	struct http_server_options options;
	uint16_t port;
	struct task stop;

	uv_sem_t held_arrived; /* once for every request to /held */
	struct http_request *held; /* the last one; the worker's, but stable between two posts */
	struct task answer_held;
	uv_sem_t step_done;

	struct timer timer; /* of /timer */
	struct http_request *timed;

	uv_mutex_t lock;
	struct buf finished; /* guarded by lock: "404 GET /x|..." */
};

static struct fixture *fixture;

/* Handlers. */

static void echo(struct http_request *request, void *arg)
{
	struct str type = http_request_header(request, "content-type");
	struct buf body = { 0 };

	assert_ptr_equal(arg, fixture);
	http_add_header(request, "X-Type", type.len ? type.ptr : "none");
	buf_append_str(&body, http_request_body(request));
	http_respond_json(request, 200, &body);
}

/* Says what it was asked: "method|path|route|thing|part|q|address". */
static void describe(struct http_request *request, void *arg)
{
	struct str q = http_request_query(request, "q");
	struct buf body = { 0 };

	(void)arg;
	buf_printf(&body, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", STR_ARG(http_request_method(request)),
	           STR_ARG(http_request_path(request)), STR_ARG(http_request_route(request)),
	           STR_ARG(http_request_param(request, 0)), STR_ARG(http_request_param(request, 1)),
	           q.ptr ? (int)q.len : 4, q.ptr ? q.ptr : "NULL", STR_ARG(http_request_address(request)));
	http_respond_text(request, 200, "text/plain", &body);
}

struct errand {
	struct task task;
	struct http_request *request;
};

static void answer_later(struct task *task)
{
	struct errand *errand = container_of(task, struct errand, task);

	echo(http_request_context(errand->request), fixture);
	mem_free(errand);
}

static void later(struct http_request *request, void *arg)
{
	struct errand *errand = MEM_NEW(struct errand);

	(void)arg;
	errand->task.run = answer_later;
	errand->request = request;
	http_request_set_context(request, request);
	worker_post(&fixture->worker, &errand->task);
}

static void on_timer(struct timer *timer)
{
	struct fixture *f = container_of(timer, struct fixture, timer);

	http_respond_json(f->timed, 204, NULL);
}

static void answer_by_timer(struct http_request *request, void *arg)
{
	struct fixture *f = arg;

	f->timed = request;
	worker_arm(&f->worker, &f->timer, clock_mono_ms());
}

static void hold(struct http_request *request, void *arg)
{
	struct fixture *f = arg;

	f->held = request;
	uv_sem_post(&f->held_arrived);
}

static void answer_large(struct http_request *request, void *arg)
{
	struct buf body = { 0 };

	(void)arg;
	memset(buf_reserve(&body, LARGE_ANSWER), 'x', LARGE_ANSWER);
	body.len = LARGE_ANSWER;
	http_respond_text(request, 200, "text/plain", &body);
}

static void refuse(struct http_request *request, void *arg)
{
	struct str code = http_request_param(request, 0);
	char text[64];

	(void)arg;
	str_copy(text, sizeof(text), code);
	if (http_request_query(request, "wait").ptr)
		http_set_retry_after(request, 17);
	http_respond_problem(request, err_from_code(text), "to.user", "Why it is \"so\".");
}

static void note_finished(const struct http_request *request, int status, uint64_t duration_us, void *arg)
{
	struct fixture *f = arg;

	uv_mutex_lock(&f->lock);
	buf_printf(&f->finished, "%d %.*s %.*s%s|", status, STR_ARG(http_request_method(request)),
	           STR_ARG(http_request_route(request)), duration_us > 10000000 ? " slow" : "");
	uv_mutex_unlock(&f->lock);
}

static const struct http_route routes[] = {
	{ "POST", "/echo", echo },
	{ "GET", "/echo", echo },
	{ "POST", "/later", later },
	{ "GET", "/timer", answer_by_timer },
	{ "POST", "/held", hold },
	{ "GET", "/large", answer_large },
	{ "GET", "/problem/{code}", refuse },
	{ "GET", "/things/{thing}/parts/{part}", describe },
	{ "DELETE", "/things/{thing}/parts/{part}", describe },
};

/* Starting and stopping. */

static void on_server_closed(void *arg)
{
	struct fixture *f = arg;

	worker_stop(&f->worker);
}

static void stop_all(struct task *task)
{
	struct fixture *f = container_of(task, struct fixture, stop);

	http_server_close(f->server, on_server_closed, f);
}

static int start_with(void **state, unsigned idle_timeout_s)
{
	struct fixture *f = MEM_NEW(struct fixture);

	fixture = *state = f;
	f->stop.run = stop_all;
	timer_init(&f->timer, on_timer);
	uv_sem_init(&f->held_arrived, 0);
	uv_sem_init(&f->step_done, 0);
	uv_mutex_init(&f->lock);
	f->options = (struct http_server_options){
		.listen = "127.0.0.1:0", .max_body = MAX_BODY, .max_connections = 50, .max_connections_per_address = 40,
		.idle_timeout_s = idle_timeout_s, .routes = routes, .route_count = ARRAY_LEN(routes), .arg = f, .finished = note_finished,
	};
	if (worker_init(&f->worker, "http") || http_server_new(&f->server, &f->worker, &f->options))
		return -1;
	f->port = http_server_port(f->server);
	return worker_start(&f->worker) ? -1 : 0;
}

static int start(void **state)
{
	return start_with(state, 1);
}

static int start_patient(void **state)
{
	return start_with(state, 60);
}

static void end(struct fixture *f)
{
	if (!f->server)
		return;
	worker_post(&f->worker, &f->stop);
	worker_join(&f->worker);
	f->server = NULL;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	end(f);
	uv_sem_destroy(&f->held_arrived);
	uv_sem_destroy(&f->step_done);
	uv_mutex_destroy(&f->lock);
	buf_release(&f->finished);
	mem_free(f);
	return 0;
}

/* Runs one step on the worker's thread and waits for its end. */
static void on_worker(void (*run)(struct task *task))
{
	struct task task = { .run = run };

	worker_post(&fixture->worker, &task);
	uv_sem_wait(&fixture->step_done);
}

static void answer_held(struct task *task)
{
	(void)task;
	http_respond_json(fixture->held, 204, NULL);
	uv_sem_post(&fixture->step_done);
}

/* Checks of an answer. */

static void assert_header(const struct reply *reply, const char *name, const char *value)
{
	char found[256];

	assert_non_null(reply_header(reply, name, found, sizeof(found)));
	assert_string_equal(found, value);
}

static void assert_no_header(const struct reply *reply, const char *name)
{
	char found[256];

	assert_null(reply_header(reply, name, found, sizeof(found)));
}

/* A problem document of contract section 3; returns it. */
static json_t *read_problem(const struct reply *reply, int status, const char *code)
{
	char id[128];
	json_t *problem = json_loadb(reply->body, reply->body_len, JSON_REJECT_DUPLICATES, NULL);

	assert_int_equal(reply->status, status);
	assert_header(reply, "Content-Type", "application/problem+json");
	assert_non_null(reply_header(reply, "X-Request-Id", id, sizeof(id)));
	assert_non_null(problem);
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), status);
	assert_string_equal(json_string_value(json_object_get(problem, "code")), code);
	assert_non_null(json_string_value(json_object_get(problem, "type")));
	assert_non_null(json_string_value(json_object_get(problem, "title")));
	assert_non_null(json_string_value(json_object_get(problem, "instance")));
	return problem;
}

static void assert_problem(const char *request, int status, const char *code, const char *field)
{
	struct reply reply;

	client_ask(fixture->port, request, &reply);
	json_t *problem = read_problem(&reply, status, code);
	json_t *named = json_object_get(problem, "field");
	if (field)
		assert_string_equal(json_string_value(named), field);
	else
		assert_null(named);
	json_decref(problem);
	reply_free(&reply);
}

static void assert_answer(const char *request, const char *body)
{
	struct reply reply;

	client_ask(fixture->port, request, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, body);
	reply_free(&reply);
}

/* The tests. */

static void a_request_is_answered_with_its_body_and_the_usual_headers(void **state)
{
	struct reply reply;
	char id[64];

	(void)state;
	client_ask(fixture->port, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/x\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
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
	client_ask(fixture->port, "GET /timer HTTP/1.1\r\n" HOST "\r\n", &reply);
	assert_int_equal(reply.status, 204);
	assert_no_header(&reply, "Content-Type");
	assert_no_header(&reply, "Content-Length");
	reply_free(&reply);
}

static void head_is_answered_like_get_without_the_body(void **state)
{
	struct reply reply;
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, "HEAD /large HTTP/1.1\r\n" HOST "\r\n");
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_header(&reply, "Content-Length", "4194304");
	reply_free(&reply);
	/* The next answer follows directly: no byte of a body came. */
	client_send_text(fd, "GET /timer HTTP/1.1\r\n" HOST "\r\n");
	client_read(fd, &reply, true);
	assert_int_equal(reply.status, 204);
	reply_free(&reply);
	close(fd);
}

#define POST_LATER "POST /later HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n"
#define POST_ECHO "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n"

static void a_connection_carries_one_request_after_another_pipelined_or_not(void **state)
{
	static const char *const bodies[] = { "aa", "bb", "cc", "dd", "ee" };
	struct reply reply;
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, POST_ECHO "aa");
	client_read(fd, &reply, true);
	assert_string_equal(reply.body, bodies[0]);
	reply_free(&reply);
	client_send_text(fd, POST_ECHO "bb" POST_LATER "cc" POST_ECHO "dd" POST_LATER "ee");
	for (int i = 1; i < 5; i++) {
		client_read(fd, &reply, true);
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
	int fd = client_connect(fixture->port), on = 1;

	(void)state;
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	for (size_t i = 0; i < strlen(request); i++)
		assert_true(client_send(fd, request + i, 1));
	client_read(fd, &reply, true);
	assert_string_equal(reply.body, "abc");
	reply_free(&reply);
	close(fd);
}

static void a_later_answer_leaves_in_the_same_turn_of_the_loop(void **state)
{
	struct reply reply;
	int fd = client_connect(fixture->port);
	uint64_t before_ms = clock_mono_ms();

	(void)state;
	/* Left to the next event or tick, each would take 10 ms at least: the client sends nothing until it is answered. */
	for (int i = 0; i < 300; i++) {
		client_send_text(fd, i % 3 ? POST_LATER "aa" : "GET /timer HTTP/1.1\r\n" HOST "\r\n");
		client_read(fd, &reply, true);
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
		client_ask(fixture->port, request, &reply);
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
	client_ask(fixture->port, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", &reply);
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

static void a_body_announced_as_too_large_is_refused_before_it_comes(void **state)
{
	struct reply reply;
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
	client_read(fd, &reply, true);
	json_decref(read_problem(&reply, 413, "too_large"));
	assert_header(&reply, "Connection", "close");
	assert_true(client_sees_end(fd));
	reply_free(&reply);
	close(fd);
}

/* Sends the head of a chunked request and `count` chunks of 100 bytes; false once the server has given up. */
static bool send_chunks(int fd, int count)
{
	char chunk[128];

	snprintf(chunk, sizeof(chunk), "64\r\n%0100d\r\n", 7);
	for (int i = 0; i < count; i++)
		if (!client_send_text(fd, chunk))
			return false;
	return true;
}

#define POST_CHUNKED "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static void a_chunked_body_is_joined_up_to_the_limit_and_refused_over_it(void **state)
{
	static const struct {
		int chunks, status;
	} cases[] = { { 0, 200 }, { 10, 200 }, { 11, 413 }, { 1000, 413 } };
	struct reply reply;
	int fd = client_connect(fixture->port);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		client_send_text(fd, POST_CHUNKED);
		assert_true(send_chunks(fd, cases[i].chunks));
		client_send_text(fd, "0\r\n\r\n");
		client_read(fd, &reply, true);
		assert_int_equal(reply.status, cases[i].status);
		if (reply.status == 200)
			assert_int_equal(reply.body_len, cases[i].chunks * 100);
		reply_free(&reply);
	}
	close(fd);
}

static void an_endless_chunked_body_ends_the_connection(void **state)
{
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, POST_CHUNKED);
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
		int fd = client_connect(fixture->port);
		snprintf(request, sizeof(request), "POST /echo HTTP/1.1\r\n%s\r\n", headers[i]);
		client_send_text(fd, request);
		client_read(fd, &reply, true);
		json_decref(read_problem(&reply, 400, "invalid_argument"));
		reply_free(&reply);
		close(fd);
	}
}

static void what_is_not_http_is_refused(void **state)
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
		client_ask(fixture->port, requests[i], &reply);
		assert_false(reply.status >= 200 && reply.status < 300);
		reply_free(&reply);
	}
	assert_answer("GET /things/x/parts/y HTTP/1.1\r\n" HOST "\r\n",
	              "GET|/things/x/parts/y|/things/{thing}/parts/{part}|x|y|NULL|127.0.0.1");
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
	client_ask(fixture->port, buf_text(&request), &reply);
	json_decref(read_problem(&reply, 431, "too_large"));
	reply_free(&reply);

	/* So much that libmicrohttpd gives up first. */
	request.len -= 4;
	memset(buf_reserve(&request, 200 * 1024), 'x', 200 * 1024);
	request.len += 200 * 1024;
	client_ask(fixture->port, buf_text(&request), &reply);
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
	client_ask(fixture->port, buf_text(&request), &reply);
	assert_int_equal(reply.status, 200);
	assert_in_range(reply.body_len, 13001, 13100);
	reply_free(&reply);
	buf_release(&request);
}

static void whoever_drips_or_sleeps_is_dropped_at_the_deadline(void **state)
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
		fds[i] = client_connect(fixture->port);
		if (i < ARRAY_LEN(beginnings))
			client_send_text(fds[i], beginnings[i]);
	}
	/* All but the last one, which is silent, send a byte every 100 ms until they are dropped. */
	while (left && clock_mono_ms() - start_ms < CLIENT_PATIENCE_S * 1000) {
		struct timeval wait = { .tv_usec = 100000 / left };
		left = 0;
		for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
			if (fds[i] < 0)
				continue;
			if (i < ARRAY_LEN(beginnings))
				client_send(fds[i], "x", 1);
			setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
			if (client_sees_end(fds[i])) {
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

static void a_request_outlives_its_client_until_it_is_answered(void **state)
{
	struct linger reset = { .l_onoff = 1 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		int fd = client_connect(fixture->port);
		client_send_text(fd, "POST /held HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
		uv_sem_wait(&fixture->held_arrived);
		assert_int_equal(http_server_pending(fixture->server), 1);
		if (round)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		/* The server hears of others meanwhile. */
		assert_problem("GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
		assert_true(str_equal(http_request_body(fixture->held), STR("hi")));
		on_worker(answer_held);
	}
	assert_problem("GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "not_found", NULL);
}

static void connections_of_one_address_are_capped(void **state)
{
	struct reply reply;
	int fds[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect(fixture->port);
		client_send_text(fds[i], POST_ECHO "aa");
		client_read(fds[i], &reply, true);
		assert_int_equal(reply.status, 200);
		reply_free(&reply);
	}
	int over = client_connect(fixture->port);
	assert_true(client_sees_end(over));
	close(over);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void problems_say_what_and_where(void **state)
{
	struct reply reply;

	(void)state;
	client_ask(fixture->port, "GET /problem/not_member HTTP/1.1\r\n" HOST "X-Request-Id: a b\"\r\n\r\n", &reply);
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

	client_ask(fixture->port, "GET /problem/unauthenticated HTTP/1.1\r\n" HOST "\r\n", &reply);
	json_decref(read_problem(&reply, 401, "unauthenticated"));
	assert_header(&reply, "WWW-Authenticate", "Bearer");
	reply_free(&reply);
	client_ask(fixture->port, "GET /problem/rate_limited?wait HTTP/1.1\r\n" HOST "\r\n", &reply);
	json_decref(read_problem(&reply, 429, "rate_limited"));
	assert_header(&reply, "Retry-After", "17");
	reply_free(&reply);
	client_ask(fixture->port, "GET /problem/unavailable HTTP/1.1\r\n" HOST "\r\n", &reply);
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
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, POST_LATER "aa");
	client_read(fd, &reply, true);
	reply_free(&reply);
	client_send_text(fd, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
	client_read(fd, &reply, true);
	reply_free(&reply);
	client_send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n");
	client_read(fd, &reply, true);
	reply_free(&reply);
	close(fd);
	uv_mutex_lock(&fixture->lock);
	assert_string_equal(buf_text(&fixture->finished), "200 POST /later|404 GET |413 POST |");
	uv_mutex_unlock(&fixture->lock);
}

static void stop_listening(struct task *task)
{
	(void)task;
	http_server_stop_listening(fixture->server);
	uv_sem_post(&fixture->step_done);
}

static void a_server_that_stops_listening_finishes_what_it_has(void **state)
{
	struct reply reply;
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, "POST /held HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
	uv_sem_wait(&fixture->held_arrived);
	on_worker(stop_listening);
	assert_int_equal(client_connect(fixture->port), -1);
	on_worker(answer_held);
	client_read(fd, &reply, true);
	assert_int_equal(reply.status, 204);
	assert_header(&reply, "Connection", "close");
	assert_true(client_sees_end(fd));
	reply_free(&reply);
	close(fd);
}

static void answer_large_and_close(struct task *task)
{
	(void)task;
	answer_large(fixture->held, fixture);
	http_server_close(fixture->server, on_server_closed, fixture);
	uv_sem_post(&fixture->step_done);
}

static void closing_lets_the_last_answer_out(void **state)
{
	struct reply reply;
	int fd = client_connect(fixture->port);

	(void)state;
	client_send_text(fd, "POST /held HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
	uv_sem_wait(&fixture->held_arrived);
	on_worker(answer_large_and_close);
	client_read(fd, &reply, true);
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.body_len, LARGE_ANSWER);
	reply_free(&reply);
	close(fd);
	worker_join(&fixture->worker);
	fixture->server = NULL;
}

static void closing_does_not_wait_for_a_client_that_reads_nothing(void **state)
{
	int fd = client_connect(fixture->port);
	uint64_t before_ms;

	(void)state;
	client_send_text(fd, "POST /held HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
	uv_sem_wait(&fixture->held_arrived);
	before_ms = clock_mono_ms();
	on_worker(answer_large_and_close);
	worker_join(&fixture->worker);
	fixture->server = NULL;
	assert_in_range(clock_mono_ms() - before_ms, 0, 5000);
	close(fd);
}

static void a_port_is_shared_only_by_those_who_say_so(void **state)
{
	struct http_server *servers[2] = { NULL, NULL }, *third = NULL;
	struct http_server_options options = fixture->options;
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
		int fd = client_connect(fixture->port);

		assert_true(fd >= 0);
		memcpy(request, source, len);
		for (unsigned i = next_random(&seed) % 4; i < 4; i++)
			request[next_random(&seed) % len] = (char)next_random(&seed);
		client_send(fd, request, next_random(&seed) % 8 ? len : next_random(&seed) % len);
		client_send_text(fd, last);
		/* Until the server closes, or for a moment where it waits for more. */
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &a_moment, sizeof(a_moment));
		while (recv(fd, request, sizeof(request), 0) > 0)
			;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	assert_answer("GET /things/x/parts/y HTTP/1.1\r\n" HOST "\r\n",
	              "GET|/things/x/parts/y|/things/{thing}/parts/{part}|x|y|NULL|127.0.0.1");
	client_ask(fixture->port, POST_LATER "zz", &reply);
	assert_string_equal(reply.body, "zz");
	reply_free(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

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
		TEST(a_body_announced_as_too_large_is_refused_before_it_comes),
		TEST(a_chunked_body_is_joined_up_to_the_limit_and_refused_over_it),
		TEST(an_endless_chunked_body_ends_the_connection),
		TEST(headers_that_two_readers_could_read_differently_are_refused),
		TEST(what_is_not_http_is_refused),
		TEST(headers_that_are_too_large_are_431),
		TEST(a_long_target_within_the_limit_is_served),
		TEST(whoever_drips_or_sleeps_is_dropped_at_the_deadline),
		TEST(a_request_outlives_its_client_until_it_is_answered),
		TEST(connections_of_one_address_are_capped),
		TEST(problems_say_what_and_where),
		TEST(a_problem_in_a_buffer_is_one_json_object),
		TEST(every_answer_is_told_to_finished),
		TEST(a_server_that_stops_listening_finishes_what_it_has),
		TEST(closing_lets_the_last_answer_out),
		cmocka_unit_test_setup_teardown(closing_does_not_wait_for_a_client_that_reads_nothing, start_patient, stop),
		TEST(a_port_is_shared_only_by_those_who_say_so),
		TEST(broken_requests_break_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
