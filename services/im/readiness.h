#ifndef SKEIN_IM_READINESS_H
#define SKEIN_IM_READINESS_H

#include "net/http/internal_server.h"

/* Checks for /readyz: each makes a request to a system that im depends on. `arg` is the struct app. */

void readiness_postgres(struct readiness_run *run, void *arg);

/* Produces a record and waits until Kafka has it; one at a time. */
void readiness_kafka(struct readiness_run *run, void *arg);

/* Whether a node number is held, so that messages can be stored. */
void readiness_lease(struct readiness_run *run, void *arg);

/* Whether the revoked tokens are loaded. */
void readiness_changes(struct readiness_run *run, void *arg);

#endif
