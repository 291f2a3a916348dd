#ifndef SKEIN_TESTS_HTTP_RIG_H
#define SKEIN_TESTS_HTTP_RIG_H

#include <jansson.h>
#include <uv.h>

#include "base/text/buf.h"
#include "net/http/http_server.h"

#include "http_client.h"

/*
 * An HTTP server on a worker of its own; the tests are its clients. Its routes:
 *
 *   POST GET /echo        the body, with X-Type: the request's Content-Type
 *   POST /later           the same, answered by a task that is posted meanwhile
 *   GET /timer            204, answered by a timer
 *   POST /held            answered by the test
 *   GET /large            LARGE_ANSWER bytes
 *   GET /problem/{code}   that problem; with ?wait Retry-After: 17
 *   GET DELETE /things/{thing}/parts/{part}   "method|path|route|thing|part|q|address"
 *   PUT /groups/{gid}/members/{uid}/role, DELETE /groups/{gid}/members/{uid}, PATCH /groups/{gid}
 *                         one dispatcher for all three: "name of the route's call|gid|uid|body"
 */

#define MAX_BODY 1000
#define MAX_PER_ADDRESS 40
#define LARGE_ANSWER (4 * 1024 * 1024)

#define HOST "Host: skein\r\n"
#define GET_THING "GET /things/x/parts/y HTTP/1.1\r\n" HOST "\r\n"
#define THING "GET|/things/x/parts/y|/things/{thing}/parts/{part}|x|y|NULL|127.0.0.1"
#define POST_ECHO "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n"
#define POST_LATER "POST /later HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n"
#define POST_HELD "POST /held HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n"
#define POST_CHUNKED "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

struct http_rig {
	struct worker worker;
	struct http_server *server; /* NULL once it is closed */
	struct http_server_options options;
	uint16_t port;
	struct task stop;

	uv_sem_t held_arrived; /* once for every request to /held */
	struct http_request *held; /* the last one; the worker's, but stable between two steps */
	uv_sem_t step_done;

	struct timer timer; /* of /timer */
	struct http_request *timed;

	uv_mutex_t lock;
	struct buf finished; /* guarded by lock: "404 GET /x|..." */
};

/* The rig of the test that runs. */
extern struct http_rig *rig;

/* Setups for cmocka: clients have a second, or a minute. */
int http_rig_start(void **state);
int http_rig_start_patient(void **state);
int http_rig_stop(void **state);

/* Runs one step on the worker's thread and waits until it posts step_done. */
void http_rig_step(void (*run)(struct task *task));

/* Steps: answers /held with 204; or with LARGE_ANSWER bytes, closing the server in the same breath. */
void answer_held(struct task *task);
void answer_held_large_and_close(struct task *task);

/* Waits for the worker's end after a step that closed the server. */
void http_rig_join(void);

void assert_header(const struct reply *reply, const char *name, const char *value);
void assert_no_header(const struct reply *reply, const char *name);

/* That the reply is a problem document of contract section 3; json_decref() it. */
json_t *read_problem(const struct reply *reply, int status, const char *code);

/* That a request is answered with a problem; `field` may be NULL for none. */
void assert_problem(const char *request, int status, const char *code, const char *field);

/* That it is answered 200 with this body. */
void assert_answer(const char *request, const char *body);

#endif
