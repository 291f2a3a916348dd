#ifndef SKEIN_NET_HTTP_HTTP_INTERNAL_H
#define SKEIN_NET_HTTP_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <uv.h>

#include "base/list.h"
#include "net/http/http_routes.h"
#include "net/http/http_server.h"
#include "net/http/http_uri.h"

/* What the files of the HTTP server share; nobody else includes it. */

#define HTTP_MAX_QUERY_FIELDS 32
#define HTTP_REQUEST_ID_MAX 64

enum http_state {
	HTTP_WAITING, /* for the first line of a request */
	HTTP_HEAD, /* the first line came */
	HTTP_BODY, /* all headers came */
	HTTP_HANDLING, /* inside the handler */
	HTTP_SLEEPING, /* the handler returned without an answer: suspended in libmicrohttpd */
	HTTP_ANSWERED, /* the answer is on its way */
};

/*
 * A connection and the request that it carries; a connection carries one at a
 * time, so that both live in the same memory. While the client owes us something
 * (WAITING to BODY) it is in the server's list of those, in the order in which
 * their time runs out.
 */
struct http_request {
	struct http_server *server;
	struct MHD_Connection *conn;
	struct list link;
	uint64_t waiting_since_ms;
	enum http_state state;
	char address[INET6_ADDRSTRLEN];

	/* Of one request, forgotten after its answer. */
	uint64_t whole_since_us;
	struct buf target; /* the request line's, raw */
	struct str method, path, query; /* method: libmicrohttpd's, the others point into target */
	struct http_match match;
	struct uri_field fields[HTTP_MAX_QUERY_FIELDS];
	int field_count;
	struct buf decoded; /* what match.params and fields point to, unless into target */
	struct buf body;
	size_t discarded; /* bytes of a body that was too large */
	struct buf headers; /* to send: name, NUL, value, NUL, ... */
	unsigned retry_after_s;
	char id[HTTP_REQUEST_ID_MAX + 1];
	void *context;
};

struct http_server {
	struct http_server_options options;
	struct worker *worker;
	struct http_routes *routes;
	struct MHD_Daemon *daemon;
	int listen_fd; /* -1 when it does not listen any more */
	uint16_t port;

	uv_poll_t poll; /* libmicrohttpd's epoll fd */
	uv_prepare_t prepare; /* these two flush answers given in this turn of the loop */
	uv_check_t check;
	uv_idle_t idle; /* active while libmicrohttpd has work left */
	uv_timer_t sweep; /* active while there are connections */
	unsigned open_handles;

	struct list waiting; /* requests whose client owes us something, the longest wait first */
	unsigned connections;
	unsigned pending; /* handlers that owe an answer */
	unsigned answering; /* answers that are not sent yet */
	bool has_answers; /* some of them libmicrohttpd has not looked at */
	bool is_draining, is_closing, is_closed;
	uint64_t close_deadline_ms;
	uint64_t now_ms; /* as of this turn */

	char id_prefix[13]; /* of generated request ids */
	uint64_t next_id;

	void (*closed)(void *arg);
	void *closed_arg;
};

/* http_connection.c: what libmicrohttpd calls. */
void http_connection_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
void *http_connection_first_line(void *cls, const char *target, struct MHD_Connection *conn);
enum MHD_Result http_connection_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                        const char *version, const char *bytes, size_t *len, void **context);
void http_connection_completed(void *cls, struct MHD_Connection *conn, void **context,
                               enum MHD_RequestTerminationCode code);

/* Drops the clients that used their time up. */
void http_connection_drop_overdue(struct http_server *server);

/* problem.c: a problem under a status other than its own (431). */
void http_respond_problem_as(struct http_request *request, err_t err, int status, const char *field,
                             const char *detail);

#endif
