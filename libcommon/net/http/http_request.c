#include "net/http/http_request.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "net/http/http_internal.h"

struct str http_request_method(const struct http_request *request)
{
	return request->method;
}

struct str http_request_path(const struct http_request *request)
{
	return request->path;
}

struct str http_request_route(const struct http_request *request)
{
	return request->match.route ? str_from(request->match.route->path) : STR("");
}

const void *http_request_call(const struct http_request *request)
{
	return request->match.route ? request->match.route->call : NULL;
}

struct str http_request_body(const struct http_request *request)
{
	return buf_str(&request->body);
}

struct str http_request_id(const struct http_request *request)
{
	return str_from(request->id);
}

struct str http_request_header(const struct http_request *request, const char *name)
{
	const char *value = NULL;
	size_t len = 0;

	MHD_lookup_connection_value_n(request->conn, MHD_HEADER_KIND, name, strlen(name), &value, &len);
	return str_of(value, len);
}

struct str http_request_param(const struct http_request *request, unsigned index)
{
	return index < request->match.param_count ? request->match.params[index] : STR("");
}

struct str http_request_query(const struct http_request *request, const char *name)
{
	for (int i = 0; i < request->field_count; i++)
		if (str_equal(request->fields[i].name, str_from(name)))
			return request->fields[i].value;
	return str_of(NULL, 0);
}

struct str http_request_address(const struct http_request *request)
{
	return str_from(request->address);
}

void http_request_set_context(struct http_request *request, void *context)
{
	request->context = context;
}

void *http_request_context(const struct http_request *request)
{
	return request->context;
}

void http_set_retry_after(struct http_request *request, unsigned seconds)
{
	request->retry_after_s = seconds;
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
	buf_append(&request->headers, name, strlen(name) + 1);
	buf_append(&request->headers, value, strlen(value) + 1);
}

static void request_add_header(struct MHD_Response *response, const char *name, const char *value)
{
	/* libmicrohttpd refuses control characters, for instance in a value that came with the request. */
	if (MHD_add_response_header(response, name, value) == MHD_NO)
		log_error("header of an answer left out: it has control characters", LOG_TEXT("header", name));
}

static void request_add_headers(const struct http_request *request, struct MHD_Response *response, int status, const char *type)
{
	char seconds[12];

	if (type) {
		request_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
		request_add_header(response, "X-Content-Type-Options", "nosniff");
	}
	request_add_header(response, "X-Request-Id", request->id);
	if (status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE) {
		snprintf(seconds, sizeof(seconds), "%u", request->retry_after_s);
		request_add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (request->server->phase >= HTTP_DRAINING)
		request_add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	/* The handler's own: name, NUL, value, NUL, and so on. */
	for (size_t at = 0; at < request->headers.len;) {
		const char *name = request->headers.ptr + at;
		const char *value = name + strlen(name) + 1;
		request_add_header(response, name, value);
		at = (size_t)(value + strlen(value) + 1 - request->headers.ptr);
	}
}

static struct MHD_Response *request_make_response(struct buf *body)
{
	struct MHD_Response *response;

	if (body && body->len) {
		response = MHD_create_response_from_buffer(body->len, body->ptr, MHD_RESPMEM_MUST_FREE);
		*body = (struct buf){ 0 };
	} else {
		if (body)
			buf_release(body);
		response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	}
	return response;
}

static void request_answer(struct http_request *request, int status, const char *type, struct buf *body)
{
	struct http_connections *server = request->server;
	bool was_sleeping = request->state == HTTP_SLEEPING;
	/* In HTTP_BODY the request was refused before a handler saw it. */
	bool was_handled = was_sleeping || request->state == HTTP_HANDLING;

	assert(request->state >= HTTP_BODY && request->state < HTTP_ANSWERED); /* answered twice? */
	struct MHD_Response *response = request_make_response(body);
	/* On failure libmicrohttpd finds the request without an answer and drops the connection. */
	if (response) {
		request_add_headers(request, response, status, type);
		if (MHD_queue_response(request->conn, (unsigned)status, response) == MHD_NO)
			log_error("answer not accepted by libmicrohttpd", LOG_NUM("status", status));
		MHD_destroy_response(response);
	}
	request->state = HTTP_ANSWERED;
	server->answering++;
	if (was_handled) {
		server->pending--;
		gauge_add(server->pending_gauge, -1);
	}
	if (was_sleeping) {
		MHD_resume_connection(request->conn);
		server->has_answers = true;
	}
	if (server->finished) {
		uint64_t duration_us = request->whole_since_us ? clock_mono_us() - request->whole_since_us : 0;
		server->finished(request, status, duration_us, server->arg);
	}
}

void http_respond_text(struct http_request *request, int status, const char *content_type, struct buf *body)
{
	request_answer(request, status, body ? content_type : NULL, body);
}

void http_respond_json(struct http_request *request, int status, struct buf *body)
{
	request_answer(request, status, body ? "application/json" : NULL, body);
}
