#ifndef SKEIN_IM_HTTP_CALL_STATE_H
#define SKEIN_IM_HTTP_CALL_STATE_H

#include <libpq-fe.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text/json.h"
#include "im/callers/authenticator.h"
#include "im/callers/rates.h"
#include "im/http/call_route.h"
#include "net/http/http_server.h"

/*
 * The members of a call, and its memory. Only for the files of im/http; handlers see call.h.
 *
 * A call is one allocation, with the arena's first room at its end. call_release() frees all of it.
 */

#define CALL_ROOM 512 /* bytes: enough for the texts that most calls read */

struct call_reason;

/* Shared by all calls; it lives as long as the server. */
struct call_shared {
	const void *contexts; /* call_route.context is an offset into it */
	struct authenticator authenticator;
	struct rates *rates;
	struct pg *pg;
};

struct call {
	const struct call_shared *shared;
	struct http_request *request;
	const struct call_route *route;
	struct caller caller;
	json_t *json; /* the body: from the first read of a field until reading ends */
	bool is_json_read;
	struct json_error error; /* the first one; OK as long as all is well */
	struct str secret; /* wiped at the end */
	void *state; /* the handler's own */
	const struct call_reason *reasons;
	void (*done)(struct call *call, const PGresult *result); /* of the statement that runs */
	struct buf out; /* the answer's body */
	struct arena arena;
	_Alignas(max_align_t) char room[CALL_ROOM]; /* the arena's first */
};

struct call *call_create(const struct call_shared *shared, struct http_request *request, const struct call_route *route);
void call_release(struct call *call);

/* Frees the tree of the body. The readers have returned copies. */
void call_drop_json(struct call *call);

#endif
