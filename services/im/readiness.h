#ifndef SKEIN_IM_READINESS_H
#define SKEIN_IM_READINESS_H

#include "net/http/internal_server.h"

/* What im depends on, really asked: for /readyz. `arg` is the struct app. */

void readiness_postgres(struct readiness_run *run, void *arg);

/* Produces a record and waits for Kafka to have it; one at a time. */
void readiness_kafka(struct readiness_run *run, void *arg);

/* A node number is held, so messages can be stored. */
void readiness_lease(struct readiness_run *run, void *arg);

/* It is known which tokens were revoked. */
void readiness_revocations(struct readiness_run *run, void *arg);

#endif
