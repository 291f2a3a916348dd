#ifndef SKEIN_IM_JOBS_JOB_CALLS_H
#define SKEIN_IM_JOBS_JOB_CALLS_H

#include "im/http/call.h"

/* What the calls of this folder share. */

/* The first two parameters of a statement that the audit knows: the admin, and the address it came from. */
void job_put_actor(struct call *call, struct pg_params *params);

/*
 * Runs a statement that adds a job and answers 202 with it. Its columns are `verdict` and `no`. Reading ends here, and the im
 * that was asked takes the job at once if it can: `kind` is one of enum { JOB_BROADCAST, ... }.
 */
void job_call_add(struct call *call, int kind, const struct pg_statement *statement, struct pg_params *params);

#endif
