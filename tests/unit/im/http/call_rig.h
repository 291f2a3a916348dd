#ifndef SKEIN_TESTS_CALL_RIG_H
#define SKEIN_TESTS_CALL_RIG_H

#include "im/http/call.h"
#include "im/http/dispatcher.h"

/*
 * Calls without I/O: a request goes through a dispatcher into a handler of the test, and its answer is kept in the request.
 * The test takes the place of PostgreSQL: call_rig_asked is the statement that waits for call_rig_answer_query().
 */

struct http_request {
	const char *body, *authorization;
	const char *address; /* NULL: one of the rig's */
	const char *param; /* of every parameter of the path */
	const char *query[4][2];
	const struct call_route *route;

	int status; /* 0: not answered yet */
	err_t err;
	char field[64], detail[200], answer[300];
	unsigned retry_after_s;
};

struct call_rig {
	struct im_config config; /* two logins and logouts at once, three logins from an address */
	struct rates rates;
	struct jwt_keys *keys;
	struct change_feed changes;
	struct verified_tokens verified_tokens;
	struct known_users known_users; /* alice, once call_rig_token() was called */
	struct dispatcher dispatcher;
	const struct call_route *rows;
	size_t row_count;
	bool is_gate_shut;
	struct http_request request;
	void *context; /* of every row: CALL_RIG_CONTEXT */
};

#define CALL_RIG_CONTEXT offsetof(struct call_rig, context)

extern struct call_rig call_rig;

/* The last answer with a body; request.answer is empty where it is too long. */
extern char call_rig_answer[1 << 18];

extern struct call_rig_asked {
	const struct pg_statement *statement; /* NULL: none */
	int params;
	pg_done done;
	void *arg;
} call_rig_asked;

void call_rig_start(const struct call_route *rows, size_t row_count);
int call_rig_stop(void **state);

/* The request as the HTTP server would hand it over to the row with this path. */
struct http_request *call_rig_ask(const char *path, struct http_request request);

/* "Bearer ..." of alice, whom the process knows already. */
const char *call_rig_token(bool is_admin);

/* Takes the result over. */
void call_rig_answer_query(err_t err, PGresult *result);

/* A result of one row of texts; a NULL value is a NULL. */
PGresult *call_rig_row(size_t columns, const char *const names[], const char *const values[]);

void assert_problem(const struct http_request *request, err_t err, const char *field);

#endif
