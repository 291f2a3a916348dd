#ifndef SKEIN_IM_DB_MIGRATE_H
#define SKEIN_IM_DB_MIGRATE_H

#include "base/error.h"
#include "im/config.h"

/*
 * Checks and updates the schema: the version of the tables and the hash of the functions. All calls block, so they run before
 * the loop does. Each failure is logged in one sentence.
 */

/*
 * `im --migrate`: applies the tables' migrations that are missing, in order, each in a transaction; replaces all functions
 * in one transaction when they are not those of this binary; then creates Kafka's topics. It holds an advisory
 * lock, so any number of processes may do it at once. ERR_FAILED_PRECONDITION when the tables are newer than this binary. To
 * go back to an im with the same tables, run that im's --migrate: it puts its own functions back.
 */
err_t migrate(const struct im_config *config) MUST_CHECK;

/*
 * For a normal start: OK if the database has exactly the tables and functions that this binary knows, else
 * ERR_FAILED_PRECONDITION. ERR_UNAVAILABLE when the database cannot be reached.
 */
err_t migrate_check(const char *pg_uri) MUST_CHECK;

#endif
