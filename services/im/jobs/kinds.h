#ifndef SKEIN_IM_JOBS_KINDS_H
#define SKEIN_IM_JOBS_KINDS_H

#include "im/jobs/job.h"

/* What each kind of job does, for job_runner.c. */

extern const struct job_kind broadcast_kind;
extern const struct job_kind export_kind;
extern const struct job_kind deletion_kind;

#endif
