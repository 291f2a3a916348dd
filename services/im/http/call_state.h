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
 * What a call is made of, and its memory. For the files of im/http; handlers see call.h.
 *
 * A call is one allocation, with the first room of its arena at the end. call_release() frees all of it.
 */

#define CALL_ROOM 512 /* enough for what most calls read */

struct call_reason;

/* What all calls share; it lives as long as the server. */
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
	json_t *json; /* the body, once a field of it was read and until reading ends */
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

/* Frees the tree of the body; what the readers returned was copied. */
void call_drop_json(struct call *call);

#endif
