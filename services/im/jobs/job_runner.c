#include "im/jobs/job_runner.h"

#include "base/mem.h"
#include "im/jobs/kinds.h"

/* how long jobs are kept, in ms, limit -> how many rows went */
static const struct pg_statement job_runner_forget = {
	"job_forget",
	"select gone from fn.job_forget($1::bigint, $2::integer)",
};

#define FORGET_PERIOD_MS 60000
#define FORGET_AGAIN_MS 100 /* while there is more */
#define FORGET_ROWS 1000

static const struct job_kind *const job_runner_kinds[] = {
	[JOB_BROADCAST] = &broadcast_kind,
	[JOB_EXPORT] = &export_kind,
	[JOB_DELETION] = &deletion_kind,
};

_Static_assert(ARRAY_LEN(job_runner_kinds) == JOB_KINDS, "each kind has its steps");

static void job_runner_on_forgotten(void *arg, err_t err, const PGresult *result)
{
	struct jobs *jobs = arg;

	if (!jobs->is_stopped && !err && pg_i64(result, 0, 0) > 0)
		worker_arm_in(jobs->worker, &jobs->forget, FORGET_AGAIN_MS);
}

static void job_runner_on_forget(struct timer *timer)
{
	struct jobs *jobs = container_of(timer, struct jobs, forget);
	struct pg_params params = { 0 };

	worker_arm_in(jobs->worker, timer, FORGET_PERIOD_MS);
	pg_put_i64(&params, jobs->config->jobs_keep_ms);
	pg_put_i32(&params, FORGET_ROWS);
	pg_query(jobs->pg, PG_ANY_LANE, &job_runner_forget, &params, job_runner_on_forgotten, jobs);
}

void job_runner_start(struct jobs *jobs, struct worker *worker, const struct im_config *config, struct pg *pg,
                      struct entry_writer *entries, struct overload *overload)
{
	*jobs = (struct jobs){
		.config = config, .worker = worker, .pg = pg, .entries = entries, .overload = overload,
		.kinds = mem_zalloc(JOB_KINDS * sizeof(struct job)),
	};
	for (int kind = 0; kind < JOB_KINDS; kind++)
		job_init(&jobs->kinds[kind], jobs, job_runner_kinds[kind]);
	timer_init(&jobs->forget, job_runner_on_forget);
	worker_arm_in(worker, &jobs->forget, FORGET_PERIOD_MS);
}

void job_runner_stop(struct jobs *jobs)
{
	jobs->is_stopped = true;
	worker_cancel(jobs->worker, &jobs->forget);
	for (int kind = 0; kind < JOB_KINDS; kind++)
		job_stop(&jobs->kinds[kind]);
}

void job_runner_release(struct jobs *jobs)
{
	for (int kind = 0; kind < JOB_KINDS; kind++)
		job_release(&jobs->kinds[kind]);
	mem_free(jobs->kinds);
}
