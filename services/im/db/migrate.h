#ifndef SKEIN_IM_DB_MIGRATE_H
#define SKEIN_IM_DB_MIGRATE_H

#include "base/error.h"
#include "im/config.h"

/*
 * The schema's versions. Blocking, for before the loop runs; what goes wrong is
 * logged in one sentence.
 */

/*
 * `im --migrate`: applies what is missing, in order, each migration in a
 * transaction, under an advisory lock, so that any number of processes may do
 * it at once; then creates Kafka's topics. ERR_FAILED_PRECONDITION when the
 * database is newer than this binary.
 */
err_t migrate(const struct im_config *config) MUST_CHECK;

/*
 * For a normal start: the database has exactly the schema that this binary
 * knows, else ERR_FAILED_PRECONDITION. ERR_UNAVAILABLE when it cannot be asked.
 */
err_t migrate_check(const char *pg_uri) MUST_CHECK;

/* The topics of stored messages, of records on it that push cannot use, of events, and the one that /readyz writes to. */
#define TOPIC_MESSAGE "im.message"
#define TOPIC_EVENT "im.event"
#define TOPIC_DEAD "im.message.dead"
#define TOPIC_PROBE "im.probe"

#endif
