#ifndef SKEIN_IM_JOBS_JOB_H
#define SKEIN_IM_JOBS_JOB_H

#include "base/text/buf.h"
#include "im/jobs/jobs.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * One kind of job in this process: it waits for a job of its kind, claims it, and takes its steps one after the other until the
 * job has ended or belongs to another im.
 *
 * A kind is a struct job_kind. Its step() does one bounded piece of work, a second of it at most, and ends, now or later, with one
 * call of
 *
 *   job_commit()   a statement that stores the progress, and may do the work in the same transaction
 *   job_rest()     nothing could be done for now; job_retry(): because of a statement
 *   job_fail()     it never can
 *
 * When the answer of the statement is lost, step() is called again and must have the effect that it would have had: work that
 * is committed apart from the progress has to be repeatable. The numbers of a commit are totals, not differences.
 *
 * A claim lasts for lease.life and is renewed by every commit, and by a timer while a step lasts. A step that goes on for
 * longer than a statement asks job_is_held() before each new piece of work. Thread: the worker's.
 */

#define JOB_PARAMS_MAX 3

struct job_kind {
	const char *name; /* as job.kind */
	void (*step)(struct job *job);
	void (*forget)(struct job *job); /* frees job->work; may be NULL */
	/* After a commit of a job that goes on. True: the step goes on, too, until job_go_on() or job_rest(). May be NULL. */
	bool (*took)(struct job *job, const PGresult *result);
	/* The process leaves while a step lasts: the step does not wait for its turn any more. May be NULL. */
	void (*stop)(struct job *job);
};

enum job_state {
	JOB_LOOKING, /* for a job to claim, when the timer fires */
	JOB_CLAIMING,
	JOB_STEPPING, /* a step is under way */
	JOB_RESTING, /* the next step begins when the timer fires */
};

struct job {
	struct jobs *jobs;
	const struct job_kind *kind;
	enum job_state state;
	struct timer timer; /* LOOKING, RESTING */
	struct timer heart; /* renews the claim */
	bool is_renewing, is_lost;
	unsigned refusals; /* of the server, in a row */
	int64_t no, epoch;
	uint64_t asked_ms; /* when the claim, or its last renewal or commit, was asked for */
	uint64_t valid_until_ms;
	struct buf params; /* the memory of the texts */
	struct str param[JOB_PARAMS_MAX];
	struct buf cursor;
	uint64_t done, failed;
	void *work; /* the kind's own; NULL before its first step */
};

void job_init(struct job *job, struct jobs *jobs, const struct job_kind *kind);

/* Looks for a job at once, where it was waiting. */
void job_wake(struct job *job);

/* The process leaves: no step begins any more, and another im may have the job at once. */
void job_stop(struct job *job);

/* When nothing calls back any more. */
void job_release(struct job *job);

/* ---- For a kind ---- */

/* Whether this process may go on with the step. */
bool job_is_held(const struct job *job);

/*
 * Ends the step by a statement whose first column `state` is that of the job, with no row when it is another im's. The
 * columns `cursor`, `done` and `failed` are the new progress; `used` is how much of the pace it cost. The statement's first
 * three parameters are the job's number, its epoch and the life of the claim: begin with job_put_claim().
 */
void job_put_claim(const struct job *job, struct pg_params *params);
void job_commit(struct job *job, const struct pg_statement *statement, struct pg_params *params);

/* The commit of a step whose work is stored already. */
void job_commit_progress(struct job *job, struct str cursor, uint64_t done, uint64_t failed, bool is_ended);

/* Ends a step that went on after its commit. */
void job_go_on(struct job *job);

/* The step is tried again. Where the job is not held any more it ends here. */
void job_rest(struct job *job);

/* The same after a statement of the step failed. What the server refuses again and again ends the job. */
void job_retry(struct job *job, err_t err);

void job_fail(struct job *job);

#endif
