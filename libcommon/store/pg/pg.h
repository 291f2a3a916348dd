#ifndef SKEIN_STORE_PG_PG_H
#define SKEIN_STORE_PG_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/error.h"
#include "base/telemetry/metrics.h"
#include "loop/worker.h"
#include "store/pg/pg_result.h"

/*
 * PostgreSQL from one loop: a few connections in libpq's pipeline mode, each
 * query sent at once behind those before it, each with a sync of its own so
 * that one error fails one query. A statement is an object beside the code that
 * uses it; a connection prepares it with its first query. A lost connection
 * comes back by itself (backoff 50 ms - 1 s).
 *
 * Statements that must not wait for each other belong to pools of their own: a
 * storm of reads with max_sent and statement_timeout_ms delays no send.
 *
 * A lane picks the connection: queries of one lane run in the order in which
 * they were given, on one connection, as long as it lives. PG_ANY_LANE takes
 * the shortest queue.
 *
 * Every query ends in exactly one call of `done`, never from inside pg_query():
 *   OK                    `result` holds the rows
 *   ERR_UNAVAILABLE       it was certainly not executed: no connection in time, or the queue was full
 *   ERR_OUTCOME_UNKNOWN   it was sent and the connection was lost, or no answer came in time: it may have been executed
 *   anything else         the server refused it; pg_sqlstate() tells why (23505 is ERR_ALREADY_EXISTS, 40001/40P01/57014/55P03
 *                         and class 53, 57P are ERR_UNAVAILABLE, a serious surprise is ERR_INTERNAL and logged)
 *
 * While the server is away queries wait, up to max_waiting of them and until
 * their time-out. Thread: the worker's, for all of it.
 */

struct pg;

/* Static, with a name that no other statement of the process has. */
struct pg_statement {
	const char *name;
	const char *sql;
};

struct pg_options {
	const char *uri; /* postgresql://... */
	unsigned connections;
	unsigned max_waiting; /* queries not answered yet, over all connections */
	struct gauge *waiting_gauge; /* of those; may be NULL */
	uint64_t timeout_ms; /* of one query, waiting included */
	unsigned max_sent; /* queries on one connection that the server has not answered; 0: no cap */
	const char *settings; /* of the server's for each session, "-c NAME=VALUE ..."; may be NULL */
	unsigned statement_timeout_ms; /* after it the server cancels a statement (ERR_UNAVAILABLE); 0: it never does */
};

#define PG_ANY_LANE UINT64_MAX

/*
 * For pg_options.settings: a session plans a statement once, and finds rows by index only. The statistics of a young table
 * suggest scans and hash joins, which would stay when the table has grown.
 */
#define PG_BY_INDEX \
	"-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"

/* Parameters, in the binary format, copied in. {0} is none; pg_query() takes the memory over. At most PG_MAX_PARAMS. */
#define PG_MAX_PARAMS 24

struct pg_params {
	struct buf bytes;
	struct {
		size_t at;
		int len; /* -1: NULL */
	} params[PG_MAX_PARAMS];
	int count;
};

void pg_params_release(struct pg_params *params);
void pg_put_null(struct pg_params *params);
void pg_put_text(struct pg_params *params, struct str text); /* text, varchar, json */
void pg_put_text_or_null(struct pg_params *params, struct str text); /* NULL for a text whose ptr is NULL */
void pg_put_i16(struct pg_params *params, int16_t number);
void pg_put_i32(struct pg_params *params, int32_t number);
void pg_put_i64(struct pg_params *params, int64_t number);
void pg_put_bool(struct pg_params *params, bool value);

/*
 * Arrays for set-based statements, one element after the other:
 *   pg_array_begin(&p, PG_TEXT); pg_array_text(&p, uid); ... pg_array_end(&p);
 */
enum pg_element { PG_TEXT = 25, PG_INT8 = 20, PG_INT4 = 23, PG_BOOL = 16 };

void pg_array_begin(struct pg_params *params, enum pg_element element);
void pg_array_text(struct pg_params *params, struct str text);
void pg_array_i64(struct pg_params *params, int64_t number);
void pg_array_i32(struct pg_params *params, int32_t number);
void pg_array_bool(struct pg_params *params, bool value);
void pg_array_null(struct pg_params *params);
void pg_array_end(struct pg_params *params);

typedef void (*pg_done)(void *arg, err_t err, const PGresult *result);

/* Connects in the background; succeeds even while the server is away. */
err_t pg_new(struct pg **out, struct worker *worker, const struct pg_options *options) MUST_CHECK;

/*
 * Queries that were not answered get ERR_OUTCOME_UNKNOWN or ERR_UNAVAILABLE now; `closed` is called on a later turn.
 * Queries that those calls give are refused; one given after that is a bug.
 */
void pg_close(struct pg *pg, void (*closed)(void *arg), void *arg);

/* Takes `params` (may be NULL) over. */
void pg_query(struct pg *pg, uint64_t lane, const struct pg_statement *statement, struct pg_params *params, pg_done done,
              void *arg);

/* At least one connection is up. */
bool pg_is_connected(const struct pg *pg);

#endif
