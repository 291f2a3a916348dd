/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

#include "http_rig.h"

struct http_rig *rig;

/* Handlers. */

static void echo(struct http_request *request, void *arg)
{
	struct str type = http_request_header(request, "content-type");
	struct buf body = { 0 };

	assert_ptr_equal(arg, rig);
	http_add_header(request, "X-Type", type.len ? type.ptr : "none");
	buf_append_str(&body, http_request_body(request));
	http_respond_json(request, 200, &body);
}

/* Answers with the parts of the request: "method|path|route|thing|part|q|address". */
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

/* One dispatcher for a table of calls, each known by its name. */
struct named_call {
	const char *name;
};

static const struct named_call member_role = { "member role" }, member_remove = { "member remove" },
			       group_patch = { "group patch" };

/* Answers with the name of its call in the table: "name|gid|uid|body". */
static void dispatch(struct http_request *request, void *arg)
{
	const struct named_call *call = http_request_call(request);
	struct buf body = { 0 };

	(void)arg;
	buf_printf(&body, "%s|%.*s|%.*s|%.*s", call->name, STR_ARG(http_request_param(request, 0)),
	           STR_ARG(http_request_param(request, 1)), STR_ARG(http_request_body(request)));
	http_respond_text(request, 200, "text/plain", &body);
}

struct errand {
	struct task task;
	struct http_request *request;
};

static void answer_later(struct task *task)
{
	struct errand *errand = container_of(task, struct errand, task);

	echo(http_request_context(errand->request), rig);
	mem_free(errand);
}

static void later(struct http_request *request, void *arg)
{
	struct errand *errand = MEM_NEW(struct errand);

	(void)arg;
	errand->task.run = answer_later;
	errand->request = request;
	http_request_set_context(request, request);
	worker_post(&rig->worker, &errand->task);
}

static void on_timer(struct timer *timer)
{
	struct http_rig *r = container_of(timer, struct http_rig, timer);

	http_respond_json(r->timed, 204, NULL);
}

static void answer_by_timer(struct http_request *request, void *arg)
{
	struct http_rig *r = arg;

	r->timed = request;
	worker_arm(&r->worker, &r->timer, clock_mono_ms());
}

static void hold(struct http_request *request, void *arg)
{
	struct http_rig *r = arg;

	r->held = request;
	uv_sem_post(&r->held_arrived);
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
	struct http_rig *r = arg;

	uv_mutex_lock(&r->lock);
	buf_printf(&r->finished, "%d %.*s %.*s%s|", status, STR_ARG(http_request_method(request)),
	           STR_ARG(http_request_route(request)), duration_us > 10000000 ? " slow" : "");
	uv_mutex_unlock(&r->lock);
}

static const struct http_route routes[] = {
	{ "POST", "/echo", echo, NULL },
	{ "GET", "/echo", echo, NULL },
	{ "POST", "/later", later, NULL },
	{ "GET", "/timer", answer_by_timer, NULL },
	{ "POST", "/held", hold, NULL },
	{ "GET", "/large", answer_large, NULL },
	{ "GET", "/problem/{code}", refuse, NULL },
	{ "GET", "/things/{thing}/parts/{part}", describe, NULL },
	{ "DELETE", "/things/{thing}/parts/{part}", describe, NULL },
	{ "PUT", "/groups/{gid}/members/{uid}/role", dispatch, &member_role },
	{ "DELETE", "/groups/{gid}/members/{uid}", dispatch, &member_remove },
	{ "PATCH", "/groups/{gid}", dispatch, &group_patch },
};

/* Starting and stopping. */

static void on_server_closed(void *arg)
{
	struct http_rig *r = arg;

	worker_stop(&r->worker);
}

static void stop_all(struct task *task)
{
	struct http_rig *r = container_of(task, struct http_rig, stop);

	http_server_close(r->server, on_server_closed, r);
}

static int start_with(void **state, unsigned idle_timeout_s)
{
	struct http_rig *r = MEM_NEW(struct http_rig);

	rig = *state = r;
	r->stop.run = stop_all;
	timer_init(&r->timer, on_timer);
	uv_sem_init(&r->held_arrived, 0);
	uv_sem_init(&r->step_done, 0);
	uv_mutex_init(&r->lock);
	r->options = (struct http_server_options){
		.listen = "127.0.0.1:0", .max_body = MAX_BODY, .max_connections = 50,
		.max_connections_per_address = MAX_PER_ADDRESS, .idle_timeout_s = idle_timeout_s,
		.routes = routes, .route_count = ARRAY_LEN(routes), .arg = r, .finished = note_finished,
	};
	if (worker_init(&r->worker, "http") || http_server_new(&r->server, &r->worker, &r->options))
		return -1;
	r->port = http_server_port(r->server);
	return worker_start(&r->worker) ? -1 : 0;
}

int http_rig_start(void **state)
{
	return start_with(state, 1);
}

int http_rig_start_patient(void **state)
{
	return start_with(state, 60);
}

static void end(struct http_rig *r)
{
	if (!r->server)
		return;
	worker_post(&r->worker, &r->stop);
	worker_join(&r->worker);
	r->server = NULL;
}

int http_rig_stop(void **state)
{
	struct http_rig *r = *state;

	end(r);
	uv_sem_destroy(&r->held_arrived);
	uv_sem_destroy(&r->step_done);
	uv_mutex_destroy(&r->lock);
	buf_release(&r->finished);
	mem_free(r);
	return 0;
}

void http_rig_step(void (*run)(struct task *task))
{
	struct task task = { .run = run };

	worker_post(&rig->worker, &task);
	uv_sem_wait(&rig->step_done);
}

void answer_held(struct task *task)
{
	(void)task;
	http_respond_json(rig->held, 204, NULL);
	uv_sem_post(&rig->step_done);
}

void answer_held_large_and_close(struct task *task)
{
	(void)task;
	answer_large(rig->held, rig);
	http_server_close(rig->server, on_server_closed, rig);
	uv_sem_post(&rig->step_done);
}

void http_rig_join(void)
{
	worker_join(&rig->worker);
	rig->server = NULL;
}

/* Checks of an answer. */

void assert_header(const struct reply *reply, const char *name, const char *value)
{
	char found[256];

	assert_non_null(reply_header(reply, name, found, sizeof(found)));
	assert_string_equal(found, value);
}

void assert_no_header(const struct reply *reply, const char *name)
{
	char found[256];

	assert_null(reply_header(reply, name, found, sizeof(found)));
}

json_t *read_problem(const struct reply *reply, int status, const char *code)
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

void assert_problem(const char *request, int status, const char *code, const char *field)
{
	struct reply reply;

	http_ask(rig->port, request, &reply);
	json_t *problem = read_problem(&reply, status, code);
	json_t *named = json_object_get(problem, "field");
	if (field)
		assert_string_equal(json_string_value(named), field);
	else
		assert_null(named);
	json_decref(problem);
	reply_free(&reply);
}

void assert_answer(const char *request, const char *body)
{
	struct reply reply;

	http_ask(rig->port, request, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, body);
	reply_free(&reply);
}
