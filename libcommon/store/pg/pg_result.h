#ifndef SKEIN_STORE_PG_PG_RESULT_H
#define SKEIN_STORE_PG_PG_RESULT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"

/* Reading the answers of PostgreSQL. */

/* "23505" of a refused query, "" if there is none. */
const char *pg_sqlstate(const PGresult *result);

/* Whether the server refused the statement for a value in it, and not for its own state or the connection's. */
bool pg_blames_a_value(const PGresult *result);

/* Results come in the binary format; these read one cell. A NULL is 0 / false / an empty str with ptr NULL. */
struct str pg_text(const PGresult *result, int row, int column);
int64_t pg_i64(const PGresult *result, int row, int column); /* int2, int4, int8 */
bool pg_bool(const PGresult *result, int row, int column);

/* Reads text[] of one cell into `out`, at most `max` elements; returns how many. */
size_t pg_text_array(const PGresult *result, int row, int column, struct str *out, size_t max);

/*
 * For store/pg only: the error that an answer stands for. It is logged, except ERR_ALREADY_EXISTS.
 *
 * `is_stale`: the connection must be replaced (its statements are gone or planned for another schema, or its server became
 * read-only); the statement was not executed.
 */
err_t pg_classify(const PGresult *result, const char *statement, bool *is_stale);

/* The first line of a message from libpq. */
struct str pg_first_line(const char *message);

#endif
