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

#include "call_rig.h"

struct call_rig call_rig;
char call_rig_answer[1 << 18];

/* ---- in place of the HTTP server: a request of the test, and its answer ---- */

struct str http_request_body(const struct http_request *request)
{
	return str_from(request->body);
}

struct str http_request_header(const struct http_request *request, const char *name)
{
	return strcmp(name, "Authorization") == 0 ? str_from(request->authorization) : (struct str){ 0 };
}

struct str http_request_param(const struct http_request *request, unsigned index)
{
	(void)index;
	return str_from(request->param);
}

struct str http_request_address(const struct http_request *request)
{
	return str_from(request->address ? request->address : "192.0.2.1");
}

struct str http_request_query(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(request->query) && request->query[i][0]; i++)
		if (strcmp(request->query[i][0], name) == 0)
			return str_from(request->query[i][1]);
	return (struct str){ 0 };
}

const void *http_request_call(const struct http_request *request)
{
	return request->route;
}

struct str http_request_id(const struct http_request *request)
{
	(void)request;
	return STR("r-1");
}

struct str http_request_method(const struct http_request *request)
{
	return str_from(request->route->method);
}

struct str http_request_route(const struct http_request *request)
{
	return str_from(request->route->path);
}

void http_set_retry_after(struct http_request *request, unsigned seconds)
{
	request->retry_after_s = seconds;
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
	(void)request, (void)name, (void)value;
}

static void answered(struct http_request *request, int status)
{
	assert_int_equal(request->status, 0); /* answered once */
	request->status = status;
}

void http_respond_json(struct http_request *request, int status, struct buf *body)
{
	answered(request, status);
	if (body) {
		(void)str_copy(request->answer, sizeof(request->answer), buf_str(body));
		(void)str_copy(call_rig_answer, sizeof(call_rig_answer), buf_str(body));
		buf_release(body);
	}
}

void http_respond_problem(struct http_request *request, err_t err, const char *field, const char *detail)
{
	answered(request, err_http_status(err));
	request->err = err;
	(void)str_copy(request->field, sizeof(request->field), str_from(field));
	(void)str_copy(request->detail, sizeof(request->detail), str_from(detail));
}

void http_write_problem(struct buf *out, err_t err, const char *field, const char *detail)
{
	(void)out, (void)err, (void)field, (void)detail;
	fail();
}

/* ---- in place of PostgreSQL: the statement that was call_rig_asked, to be answered by the test ---- */

struct call_rig_asked call_rig_asked;

void pg_query(struct pg *pg, uint64_t lane, const struct pg_statement *statement, struct pg_params *params, pg_done done,
              void *arg)
{
	(void)pg, (void)lane;
	assert_null(call_rig_asked.statement);
	call_rig_asked = (struct call_rig_asked){ statement, params->count, done, arg };
	pg_params_release(params);
}

bool pg_is_connected(const struct pg *pg)
{
	(void)pg;
	return true;
}

void call_rig_answer_query(err_t err, PGresult *result)
{
	struct call_rig_asked was = call_rig_asked;

	call_rig_asked = (struct call_rig_asked){ 0 };
	was.done(was.arg, err, result);
	PQclear(result);
}

/* One row of texts; a NULL value is a NULL. */
PGresult *call_rig_row(size_t columns, const char *const names[], const char *const values[])
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc attributes[4] = { 0 };
	char name[4][16], text[100];

	for (size_t i = 0; i < columns; i++) {
		(void)str_copy(name[i], sizeof(name[i]), str_from(names[i]));
		attributes[i] = (PGresAttDesc){ .name = name[i], .format = 1, .typid = PG_TEXT, .typlen = -1 };
	}
	assert_true(PQsetResultAttrs(result, (int)columns, attributes));
	for (size_t i = 0; i < columns; i++) {
		(void)str_copy(text, sizeof(text), str_from(values[i]));
		assert_true(PQsetvalue(result, 0, (int)i, values[i] ? text : NULL, values[i] ? (int)strlen(text) : -1));
	}
	return result;
}

/* ---- the rig ---- */

static bool gate_is_shut(void *arg)
{
	(void)arg;
	return call_rig.is_gate_shut;
}

static unsigned gate_retry_after_s(void *arg)
{
	(void)arg;
	return 3;
}

void call_rig_start(const struct call_route *rows, size_t row_count)
{
	const struct dispatcher_gate gate = { .is_shut = gate_is_shut, .retry_after_s = gate_retry_after_s };

	call_rig = (struct call_rig){ .context = &call_rig, .rows = rows, .row_count = row_count };
	call_rig.config = (struct im_config){ .limits_enabled = true, .limits_login_interval_ms = 5000, .limits_login_burst = 2,
		                         .limits_login_address_interval_ms = 5000, .limits_login_address_burst = 3,
		                         .limits_logout_interval_ms = 5000, .limits_logout_burst = 2, .limits_call_rate = 1,
		                         .limits_call_burst = 1000, .limits_address_rate = 1, .limits_address_burst = 1000 };
	rates_init(&call_rig.rates, &call_rig.config, NULL);
	assert_int_equal(jwt_keys_new(&call_rig.keys, STR("a secret of the test"), ""), OK);
	call_rig.changes.are_loaded = true;
	id_set_init(&call_rig.changes.revoked);
	verified_tokens_init(&call_rig.verified_tokens, call_rig.keys, 10);
	known_users_init(&call_rig.known_users, NULL);
	const struct call_shared shared = {
		.contexts = &call_rig,
		.authenticator = { &call_rig.verified_tokens, &call_rig.changes, &call_rig.known_users },
		.rates = &call_rig.rates,
	};
	dispatcher_init(&call_rig.dispatcher, rows, row_count, &shared, &gate);
}

int call_rig_stop(void **state)
{
	(void)state;

	assert_null(call_rig_asked.statement);
	rates_release(&call_rig.rates);
	known_users_release(&call_rig.known_users);
	verified_tokens_release(&call_rig.verified_tokens);
	id_set_release(&call_rig.changes.revoked);
	jwt_keys_free(call_rig.keys);
	return 0;
}

struct http_request *call_rig_ask(const char *path, struct http_request request)
{
	call_rig.request = request;
	for (size_t i = 0; i < call_rig.row_count; i++)
		if (strcmp(call_rig.rows[i].path, path) == 0)
			call_rig.request.route = &call_rig.rows[i];
	call_rig.dispatcher.routes[call_rig.request.route - call_rig.rows].handle(&call_rig.request, &call_rig.dispatcher);
	return &call_rig.request;
}

void assert_problem(const struct http_request *request, err_t err, const char *field)
{
	assert_int_equal(request->err, err);
	assert_string_equal(request->field, field);
}

const char *call_rig_token(bool is_admin)
{
	static struct buf header;
	struct jwt_claims claims = { .uid = "alice", .expires_ms = clock_wall_ms() + 60000, .is_admin = is_admin };

	struct user_lru_entry *alice = user_lru_make(&call_rig.known_users.users, STR("alice"));
	container_of(alice, struct known_user, entry)->logged_out_ms = -1;
	buf_release(&header);
	buf_append_str(&header, STR("Bearer "));
	assert_int_equal(jwt_sign(call_rig.keys, &claims, &header), OK);
	return buf_text(&header);
}
