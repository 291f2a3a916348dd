#include "net/http/http_connection.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "net/http/http_internal.h"
#include "net/http/http_request.h"
#include "net/http/problem.h"

/*
 * The life of a connection, as libmicrohttpd reports it: notify(started); then for each request first_line, request (once
 * with the headers, then with each piece of the body, then with no bytes) and completed; then notify(closed). After any
 * of these steps the next one may be completed or closed.
 */

#define KEPT_BUFFER 4096 /* a larger buffer is freed between requests: most connections are idle */
#define MAX_HEADER_BYTES (20 * 1024)
#define MAX_DISCARDED (1024 * 1024) /* bytes of a refused chunked body that are read before the connection is dropped */

static void connection_keep_small(struct buf *buf)
{
	if (buf->cap > KEPT_BUFFER)
		buf_release(buf);
	else
		buf_clear(buf);
}

static void connection_wait_for_client(struct http_request *request)
{
	struct http_connections *server = request->server;

	request->waiting_since_ms = server->now_ms;
	list_remove(&request->link);
	list_push_back(&server->waiting, &request->link);
}

static struct http_request *connection_request_of(struct MHD_Connection *conn)
{
	return MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void http_connection_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
	struct http_connections *server = cls;
	struct http_request *request = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const struct sockaddr *from = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
		const void *address = from->sa_family == AF_INET6 ?
		                              (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr :
		                              &((const struct sockaddr_in *)from)->sin_addr;
		*socket_context = request = MEM_NEW(struct http_request);
		request->server = server;
		request->conn = conn;
		if (!inet_ntop(from->sa_family, address, request->address, sizeof(request->address)))
			request->address[0] = '\0';
		list_init(&request->link);
		connection_wait_for_client(request);
		server->count++;
		gauge_add(server->connection_gauge, 1);
	} else {
		list_remove(&request->link);
		buf_release(&request->target);
		buf_release(&request->decoded);
		buf_release(&request->body);
		buf_release(&request->headers);
		mem_free(request);
		server->count--;
		gauge_add(server->connection_gauge, -1);
	}
}

void http_connection_drop_overdue(struct http_connections *server)
{
	while (!list_is_empty(&server->waiting)) {
		struct http_request *request = container_of(server->waiting.next, struct http_request, link);
		if (server->now_ms - request->waiting_since_ms < server->idle_timeout_ms)
			return;
		list_remove(&request->link);
		/* libmicrohttpd sees the end of the stream and closes the connection. */
		shutdown(MHD_get_connection_info(request->conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd, SHUT_RDWR);
	}
}

void *http_connection_first_line(void *cls, const char *target, struct MHD_Connection *conn)
{
	struct http_request *request = connection_request_of(conn);
	(void)cls;

	request->state = HTTP_HEAD;
	connection_wait_for_client(request);
	buf_append_text(&request->target, target ? target : "");
	buf_text(&request->target);
	uri_split(buf_str(&request->target), &request->path, &request->query);
	return request;
}

void http_connection_completed(void *cls, struct MHD_Connection *conn, void **context,
                               enum MHD_RequestTerminationCode code)
{
	struct http_request *request = connection_request_of(conn);
	(void)cls, (void)context, (void)code;

	assert(request->state != HTTP_HANDLING && request->state != HTTP_SLEEPING);
	if (request->state == HTTP_ANSWERED)
		request->server->answering--;
	request->state = HTTP_WAITING;
	connection_wait_for_client(request);
	connection_keep_small(&request->target);
	connection_keep_small(&request->decoded);
	connection_keep_small(&request->body);
	connection_keep_small(&request->headers);
	request->whole_since_us = 0;
	request->match.route = NULL;
	request->match.param_count = 0;
	request->field_count = 0;
	request->discarded = 0;
	request->id[0] = '\0';
	request->context = NULL;
}

/* The headers that the server itself reads. */
struct head {
	unsigned hosts, lengths, codings;
	uint64_t length;
	bool is_malformed;
	struct str request_id;
};

static bool connection_has_blank(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ')
			return true;
	return false;
}

static enum MHD_Result connection_read_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                              const char *bytes, size_t len)
{
	struct head *head = cls;
	struct str name = str_of(key, key_len), value = str_of(bytes, len);
	(void)kind;

	/* A proxy in front may read "Content-Length : 5" as a Content-Length; libmicrohttpd does not. */
	if (name.len == 0 || connection_has_blank(name)) {
		head->is_malformed = true;
	} else if (str_equal_ignoring_case(name, STR("Host"))) {
		head->hosts++;
	} else if (str_equal_ignoring_case(name, STR("Content-Length"))) {
		head->lengths++;
		head->is_malformed |= !str_to_u64(value, &head->length);
	} else if (str_equal_ignoring_case(name, STR("Transfer-Encoding"))) {
		head->codings++;
		head->is_malformed |= !str_equal_ignoring_case(value, STR("chunked"));
	} else if (str_equal_ignoring_case(name, STR("X-Request-Id"))) {
		head->request_id = value;
	}
	return MHD_YES;
}

static bool connection_is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] > '~')
			return false;
	return s.len > 0;
}

/* Takes the caller's id, or makes one that is unique but not secret: the server's random prefix, then a number. */
static void connection_name_request(struct http_request *request, struct str callers_id)
{
	static const char hex[] = "0123456789abcdef";
	struct http_connections *server = request->server;

	if (connection_is_printable(callers_id) && str_copy(request->id, sizeof(request->id), callers_id))
		return;
	uint64_t number = server->next_id++;
	memcpy(request->id, server->id_prefix, 12);
	for (int digit = 23; digit >= 12; digit--, number >>= 4)
		request->id[digit] = hex[number & 15];
	request->id[24] = '\0';
}

/* All headers have arrived. A request refused here, before its body, is the last one of its connection. */
static void connection_begin(struct http_request *request, const char *method)
{
	size_t header_bytes = MHD_get_connection_info(request->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	struct head head = { 0 };

	request->state = HTTP_BODY;
	request->method = str_from(method);
	request->retry_after_s = 1;
	MHD_get_connection_values_n(request->conn, MHD_HEADER_KIND, connection_read_header, &head);
	connection_name_request(request, head.request_id);
	if (header_bytes > MAX_HEADER_BYTES)
		http_respond_problem_as(request, ERR_TOO_LARGE, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, NULL,
		                        "The headers are too large.");
	else if (head.is_malformed || head.hosts > 1 || head.lengths + head.codings > 1)
		http_respond_problem(request, ERR_INVALID_ARGUMENT, NULL, "The headers are malformed.");
	else if (head.length > request->server->max_body)
		http_respond_problem(request, ERR_TOO_LARGE, NULL, "The body is too large.");
	else if (head.length)
		buf_reserve(&request->body, head.length);
}

static bool connection_is_too_large(const struct http_request *request)
{
	return request->discarded > 0;
}

/* False if the request was refused. */
static bool connection_decode_params(struct http_request *request)
{
	struct http_match *match = &request->match;
	char field[64];

	for (unsigned i = 0; i < match->param_count; i++) {
		if (uri_decode(match->params[i], PLUS_IS_PLUS, &request->decoded, &match->params[i]))
			continue;
		str_copy(field, sizeof(field), http_route_param_name(match->route, i));
		http_respond_problem(request, ERR_INVALID_ARGUMENT, field,
		                     "This part of the path is not UTF-8 in percent-encoding.");
		return false;
	}
	return true;
}

static bool connection_decode_query(struct http_request *request)
{
	struct str bad;
	char field[64];

	request->field_count =
		uri_query_read(request->query, &request->decoded, request->fields, HTTP_MAX_QUERY_FIELDS, &bad);
	if (request->field_count >= 0)
		return true;
	request->field_count = 0;
	str_copy(field, sizeof(field), bad);
	http_respond_problem(request, ERR_INVALID_ARGUMENT, field, "The query is malformed.");
	return false;
}

static void connection_refuse_method(struct http_request *request)
{
	struct buf allowed = { 0 };

	http_routes_allowed(request->server->routes, request->path, &allowed);
	http_add_header(request, MHD_HTTP_HEADER_ALLOW, buf_text(&allowed));
	buf_release(&allowed);
	http_respond_problem(request, ERR_METHOD_NOT_ALLOWED, NULL, NULL);
}

/*
 * The request is complete: answers it, or calls the route's handler. False if the request was refused before its body, so
 * that libmicrohttpd accepts no answer any more.
 */
static bool connection_handle(struct http_request *request)
{
	struct http_connections *server = request->server;

	if (request->state == HTTP_ANSWERED)
		return false;
	list_remove(&request->link);
	request->whole_since_us = clock_mono_us();
	request->state = HTTP_HANDLING;
	server->pending++; /* this request counts towards max_pending */
	gauge_add(server->pending_gauge, 1);
	err_t err = http_routes_find(server->routes, request->method, request->path, &request->match);
	/* Reserved once: decoding a later part must not move the earlier ones. */
	if (strpbrk(request->target.ptr, "%+"))
		buf_reserve(&request->decoded, request->target.len);
	if (connection_is_too_large(request))
		http_respond_problem(request, ERR_TOO_LARGE, NULL, "The body is too large.");
	else if (err == ERR_METHOD_NOT_ALLOWED)
		connection_refuse_method(request);
	else if (err)
		http_respond_problem(request, err, NULL, NULL);
	else if (server->phase >= HTTP_REFUSING || (server->max_pending && server->pending > server->max_pending))
		http_respond_problem(request, ERR_UNAVAILABLE, NULL, NULL);
	else if (connection_decode_params(request) && connection_decode_query(request))
		request->match.route->handle(request, server->arg);
	if (request->state == HTTP_HANDLING) {
		request->state = HTTP_SLEEPING;
		MHD_suspend_connection(request->conn);
	}
	return true;
}

enum MHD_Result http_connection_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                        const char *version, const char *bytes, size_t *len, void **context)
{
	struct http_request *request = *context;
	bool goes_on = true; /* false: drop the connection */
	(void)cls, (void)conn, (void)url, (void)version;

	if (request->state == HTTP_HEAD) {
		connection_begin(request, method);
	} else if (*len) {
		if (connection_is_too_large(request) || *len > request->server->max_body - request->body.len) {
			request->discarded += *len;
			goes_on = request->discarded <= MAX_DISCARDED;
		} else {
			buf_append(&request->body, bytes, *len);
		}
		*len = 0;
	} else {
		goes_on = connection_handle(request);
	}
	return goes_on ? MHD_YES : MHD_NO;
}
