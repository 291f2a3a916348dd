#ifndef SKEIN_STORE_PG_PG_RESULT_H
#define SKEIN_STORE_PG_PG_RESULT_H

#include "store/pg/pg.h"

/*
 * What the server's answer means. Internal to store.
 *
 * `is_stale`: this connection will not do any more (its statements are gone or planned for another schema, or it leads to
 * a server that went read-only); the statement was not executed.
 */
err_t pg_classify(const PGresult *result, const char *statement, bool *is_stale);

/* The first line of a message of libpq's. */
struct str pg_first_line(const char *message);

#endif
