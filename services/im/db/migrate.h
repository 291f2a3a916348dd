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
 * lock, so any number of processes may do it at once. To go back to an im with the same tables, run that im's --migrate: it puts
 * its own functions back. Tables that are newer than this binary and compatible with it are left as they are, with their
 * functions; when they are not compatible: ERR_FAILED_PRECONDITION.
 */
err_t migrate(const struct im_config *config) MUST_CHECK;

/*
 * For a normal start, also in the middle of an upgrade: OK if the database has the tables and functions that this binary knows, or
 * newer ones in their place that serve it (deploy/schema/README.md), else ERR_FAILED_PRECONDITION. ERR_UNAVAILABLE when the
 * database cannot be reached.
 */
err_t migrate_check(const char *pg_uri) MUST_CHECK;

#endif
