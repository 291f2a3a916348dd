#ifndef SKEIN_IM_HTTP_CALL_H
#define SKEIN_IM_HTTP_CALL_H

#include <libpq-fe.h>

#include "base/text/json.h"
#include "im/callers/authenticator.h"
#include "im/callers/rates.h"
#include "store/pg/pg.h"

/*
 * A call: one request to an endpoint, from the moment its caller is known until it is answered. It owns everything of the
 * request, in one allocation: the caller, the fields that were read, the first error, the handler's state, the answer's body.
 *
 * A handler (call_route.h says when it runs) reads its fields, starts something, and answers in the callback:
 *
 *   void groups_rename(struct call *call)
 *   {
 *           struct pg_params params = { 0 };
 *
 *           pg_put_text(&params, call_path_ident(call, "gid"));
 *           pg_put_text(&params, call_uid(call));
 *           pg_put_text(&params, call_name(call, "name", JSON_REQUIRED));
 *           call_query(call, &group_rename, &params, group_rename_on_stored);
 *   }
 *
 * Every call is answered exactly once, by one of the functions under "Answering"; that frees it. Texts that the readers return,
 * and what call_alloc() returns, live until then. Thread: the worker's, for all of it.
 */

struct call;

/* ---- The caller, and the handler's context ---- */

struct str call_uid(const struct call *call);
const struct caller *call_caller(const struct call *call);
struct str call_token(const struct call *call); /* the bearer token, verified before the handler ran */
struct str call_trace(const struct call *call); /* a W3C traceparent that is well-formed, or empty */
struct str call_address(struct call *call); /* the peer's, as base/users/address.h counts addresses; copied into the call */
void *call_context(const struct call *call); /* as the route's row says */

/* Zeroed memory that goes with the call. */
void *call_alloc(struct call *call, size_t size);
struct str call_copy(struct call *call, struct str text); /* terminated */
struct str call_keep(struct call *call, struct buf *text); /* the same of a buffer, which is released */

/* The handler's own state: made once, zeroed; later callbacks find it by call_state(). */
void *call_make_state(struct call *call, size_t size);
void *call_state(const struct call *call);

/* ---- Reading ----
 *
 * The first reader that finds something wrong keeps the error, with its field's name; every reader after it does nothing and
 * returns an empty value. So a handler reads all fields and does not look between them: call_query() and call_finish_reading()
 * answer the error. An absent optional text has ptr NULL. Texts are copied into the call.
 */

/* A parameter of the path by its name in the pattern. */
struct str call_path_ident(struct call *call, const char *name);
/*
 * A conversation that the caller may have a part in. Rejects a text that is no conversation id (400), a room, whose messages
 * are elsewhere (404), and the one-to-one conversation of others (403). The statement finds whether the caller is in a group.
 */
struct str call_path_conversation(struct call *call, const char *name);
struct str call_path_conversation_of_any(struct call *call, const char *name); /* the same for admins: of any users */
uint64_t call_path_u64(struct call *call, const char *name, uint64_t min, uint64_t max);
struct str call_path_text(struct call *call, const char *name); /* not checked */

/* A parameter of the query. */
struct str call_query_text(struct call *call, const char *name); /* not checked */
struct str call_query_ident(struct call *call, const char *name);
int64_t call_query_int(struct call *call, const char *name, int64_t fallback, int64_t min, int64_t max);
const char *call_query_choice(struct call *call, const char *name, const char *const *choices);

/* A field of the body, which is one JSON object; the body is parsed by the first of these. */
struct str call_ident(struct call *call, const char *field, enum json_presence presence);
struct str call_name(struct call *call, const char *field, enum json_presence presence);
struct str call_text(struct call *call, const char *field, enum json_presence presence, size_t min_bytes, size_t max_bytes);
struct str call_secret(struct call *call, const char *field, enum json_presence presence, size_t min_bytes,
                       size_t max_bytes); /* a text whose copy is wiped when the call ends; one per call */
/* A text that can be taken away: absent (ptr NULL) it stays as it is, null and an empty text remove it (empty). */
struct str call_removable_text(struct call *call, const char *field, size_t max_bytes);

#define AVATAR_MAX_BYTES 2048 /* the URL of a picture, of users and groups */
#define NOTE_MAX_BYTES 1024 /* of a request to somebody, for who answers it */

int64_t call_int(struct call *call, const char *field, enum json_presence presence, int64_t min, int64_t max);
bool call_bool(struct call *call, const char *field, enum json_presence presence);
bool call_has_body(const struct call *call); /* for a body that may be absent */
bool call_has(struct call *call, const char *field); /* the field is there and not null */
bool call_is_null(struct call *call, const char *field); /* the field is there and null: what is to be removed */

/* One of the choices (NULL ends them). An absent one is the first: choices with a default begin with it. */
const char *call_choice(struct call *call, const char *field, enum json_presence presence, const char *const *choices);

/* Part of the body; it lives until reading ends. */
json_t *call_object(struct call *call, const char *field, enum json_presence presence);
json_t *call_array(struct call *call, const char *field, enum json_presence presence, size_t max_items);
const json_t *call_json(struct call *call); /* the whole */

struct ident_list {
	struct str *idents;
	size_t count;
};

struct ident_list call_ident_list(struct call *call, const char *field, enum json_presence presence, size_t max_items);
void ident_list_put(struct pg_params *params, const struct ident_list *list); /* as text[] */

/* Keeps an error that the handler found itself, as a reader does. */
void call_reject(struct call *call, err_t err, const char *field, const char *format, ...) PRINTF_LIKE(4, 5);

/* For readers of other modules (send_request.h), which keep their error here. */
struct json_error *call_error(struct call *call);

/* False when there was an error: then it was answered and the call is gone. The body's tree stays. */
bool call_check_reading(struct call *call) MUST_CHECK;

/*
 * Ends reading: the body's tree is freed. False when there was an error: then it was answered and the call is gone. For a
 * handler that does not call call_query(), which does the same.
 */
bool call_finish_reading(struct call *call) MUST_CHECK;

/*
 * The same for a handler that ends here: either there was an error, or something was started that answers the call.
 */
void call_leave(struct call *call);

/* ---- Rates ---- */

/* Takes one from a bucket. False when it is empty: then 429 was answered and the call is gone. */
bool call_take(struct call *call, enum rate_class class, struct str key) MUST_CHECK;

/*
 * The same for limits that are exact over all im (rates_ask()), from several buckets: one of each or none. `taken` is
 * called later, or from here; when one of them is empty 429 is answered instead. `keys` live in the call.
 * call_give_back() puts them back, where they are not to count after all.
 */
void call_take_exactly(struct call *call, struct rate_key *keys, size_t count, void (*taken)(struct call *call));
void call_give_back(struct call *call, const struct rate_key *keys, size_t count);

/* ---- PostgreSQL ---- */

/* The meaning of a verdict for this call: a table that ends with {OK}. `field` and `detail` may be NULL. */
struct call_reason {
	err_t err;
	const char *field;
	const char *detail;
};

/* Sets the table for the verdicts of later statements. It is static. */
void call_explain(struct call *call, const struct call_reason *reasons);

/*
 * Ends reading (an error is answered, and nothing is asked) and runs one statement in the pool `calls`. `done` gets good
 * results only, on a later turn; it answers or goes on. Other outcomes are answered here:
 *
 *   503             PostgreSQL is away, refused for now, or the outcome is not known
 *   409             a unique key is taken (already_exists)
 *   a verdict       where the statement's first column is named `verdict`, its first row says `ok` or a public error code.
 *                   The caller is told the row's columns `detail` and `field`; where the row has no such column, or
 *                   NULL, those of call_explain()
 *
 * Takes `params` over. `result` is valid during the callback.
 */
typedef void (*call_rows)(struct call *call, const PGresult *result);
void call_query(struct call *call, const struct pg_statement *statement, struct pg_params *params, call_rows done);

/* The same for a handler that goes on to read the body in `done`. */
void call_query_reading(struct call *call, const struct pg_statement *statement, struct pg_params *params, call_rows done);

/* ---- Answering ---- */

/* The answer's body, to be written before call_ok(). */
struct buf *call_out(struct call *call);

/* The answer has a secret of the caller's: no cache may keep it. */
void call_forbid_caching(struct call *call);

void call_ok(struct call *call, int status);
void call_no_content(struct call *call);

/* A problem document. `field` and `detail` may be NULL; they may point into the call. */
void call_fail(struct call *call, err_t err, const char *field, const char *detail);

/* The 401 that every bad token gets. */
void call_fail_unauthenticated(struct call *call);

/* For the 429 or 503 that follows; 0 changes nothing. */
void call_retry_after(struct call *call, uint64_t wait_ms);

#endif
