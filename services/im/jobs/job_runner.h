#ifndef SKEIN_IM_JOBS_JOB_RUNNER_H
#define SKEIN_IM_JOBS_JOB_RUNNER_H

#include "im/jobs/jobs.h"

/* Works on jobs from now on. `pg` is a pool whose statements are cancelled in time: a job delays no lease. */
void job_runner_start(struct jobs *jobs, struct worker *worker, const struct im_config *config, struct pg *pg,
                      struct entry_writer *entries, struct overload *overload);

/* Before the entry writer and `pg` are closed. Steps that are under way end. */
void job_runner_stop(struct jobs *jobs);

/* When nothing calls back any more. */
void job_runner_release(struct jobs *jobs);

#endif
