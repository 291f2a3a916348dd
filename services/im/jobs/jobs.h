#ifndef SKEIN_IM_JOBS_JOBS_H
#define SKEIN_IM_JOBS_JOBS_H

#include "im/config.h"
#include "im/entries/entry_writer.h"
#include "im/jobs/pace.h"
#include "im/overload/overload.h"

struct call;
struct job;

enum { JOB_BROADCAST, JOB_EXPORT, JOB_DELETION, JOB_KINDS };

/* Jobs of admins: the context of the calls in this folder, and the jobs that this process works on. Thread: the worker's. */
struct jobs {
	const struct im_config *config;
	struct worker *worker;
	struct pg *pg;
	struct entry_writer *entries;
	struct overload *overload;
	struct pace pace;
	struct job *kinds; /* JOB_KINDS of them */
	struct timer forget; /* the next look for jobs that ended long ago */
	bool is_stopped;
};

void jobs_list(struct call *call); /* GET /v1/admin/jobs */
void jobs_get(struct call *call); /* GET /v1/admin/jobs/{id} */
void jobs_cancel(struct call *call); /* POST /v1/admin/jobs/{id}/cancel */
void jobs_output(struct call *call); /* GET /v1/admin/jobs/{id}/output */
void jobs_export(struct call *call); /* POST /v1/admin/users/{uid}/export */
void jobs_delete_user(struct call *call); /* DELETE /v1/admin/users/{uid} */
void jobs_broadcast(struct call *call); /* POST /v1/admin/broadcast */

#endif
