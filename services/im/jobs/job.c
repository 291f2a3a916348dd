#include "im/jobs/job.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/telemetry/log.h"

/* kind, owner, life in ms -> as fn.job_claim() */
static const struct pg_statement job_claim_statement = {
	"job_claim",
	"select no, epoch, cursor, done, failed, params from fn.job_claim($1::text, $2::text, $3::integer)",
};

/* number, epoch, life in ms -> a row while the job is the caller's */
static const struct pg_statement job_renew_statement = {
	"job_renew",
	"select no from fn.job_renew($1::bigint, $2::bigint, $3::integer)",
};

/* as fn.job_progress() */
static const struct pg_statement job_progress_statement = {
	"job_progress",
	"select state, $4::text as cursor, $5::bigint as done, $6::bigint as failed, 0::bigint as used"
	" from fn.job_progress($1::bigint, $2::bigint, $3::integer, $4::text, $5::bigint, $6::bigint, $7::boolean)",
};

/* number, epoch, whether it has failed */
static const struct pg_statement job_leave_statement = {
	"job_leave",
	"select from fn.job_leave($1::bigint, $2::bigint, $3::boolean)",
};

/* Between two looks for a job, with jitter. The im that is asked for a job looks at once. */
#define LOOK_MIN_MS 700
#define LOOK_MAX_MS 1300
#define REST_MS 300

/* A step that the server refuses so often will be refused for ever. */
#define REFUSALS_MAX 5

static uint64_t job_life_ms(const struct job *job)
{
	return (uint64_t)job->jobs->config->lease_life_ms;
}

bool job_is_held(const struct job *job)
{
	return !job->is_lost && !job->jobs->is_stopped && clock_mono_ms() < job->valid_until_ms;
}

/* ---- the end in this process ---- */

static void job_look_later(struct job *job)
{
	job->state = JOB_LOOKING;
	if (!job->jobs->is_stopped)
		worker_arm_in(job->jobs->worker, &job->timer, LOOK_MIN_MS + random_below(LOOK_MAX_MS - LOOK_MIN_MS));
}

static void job_forget_work(struct job *job)
{
	if (job->work && job->kind->forget)
		job->kind->forget(job);
	job->work = NULL;
}

/* The job has ended, or it is not this process's any more. */
static void job_end(struct job *job)
{
	worker_cancel(job->jobs->worker, &job->heart);
	job_forget_work(job);
	job_look_later(job);
}

static void job_on_left(void *arg, err_t err, const PGresult *result)
{
	(void)arg, (void)err, (void)result; /* otherwise its claim runs out */
}

static void job_leave(struct job *job, bool has_failed)
{
	struct pg_params params = { 0 };

	pg_put_i64(&params, job->no);
	pg_put_i64(&params, job->epoch);
	pg_put_bool(&params, has_failed);
	pg_query(job->jobs->pg, PG_ANY_LANE, &job_leave_statement, &params, job_on_left, job);
	job_end(job);
}

void job_fail(struct job *job)
{
	log_error("a job has failed", LOG_TEXT("kind", job->kind->name), LOG_NUM("job", job->no));
	job_leave(job, true);
}

void job_rest(struct job *job)
{
	if (job->jobs->is_stopped) {
		job_leave(job, false);
	} else if (!job_is_held(job)) {
		log_warn("a job is not this im's any more", LOG_TEXT("kind", job->kind->name), LOG_NUM("job", job->no));
		job_end(job);
	} else {
		job->state = JOB_RESTING;
		worker_arm_in(job->jobs->worker, &job->timer, REST_MS);
	}
}

void job_retry(struct job *job, err_t err)
{
	bool is_refused = err != ERR_UNAVAILABLE && err != ERR_OUTCOME_UNKNOWN;

	if (is_refused && ++job->refusals >= REFUSALS_MAX)
		job_fail(job);
	else
		job_rest(job);
}

/* ---- the claim ---- */

static void job_asked(struct job *job)
{
	job->asked_ms = clock_mono_ms();
}

/* The answer of what was asked at `asked_ms` confirms the claim. */
static void job_confirmed(struct job *job, uint64_t asked_ms)
{
	job->valid_until_ms = MAX(job->valid_until_ms, asked_ms + job_life_ms(job));
}

void job_put_claim(const struct job *job, struct pg_params *params)
{
	pg_put_i64(params, job->no);
	pg_put_i64(params, job->epoch);
	pg_put_i32(params, (int32_t)job_life_ms(job));
}

struct job_renewal {
	struct job *job;
	int64_t no, epoch;
	uint64_t asked_ms;
};

static void job_on_renewed(void *arg, err_t err, const PGresult *result)
{
	struct job_renewal *renewal = arg;
	struct job *job = renewal->job;

	job->is_renewing = false;
	if (!err && renewal->no == job->no && renewal->epoch == job->epoch) {
		if (PQntuples(result) > 0)
			job_confirmed(job, renewal->asked_ms);
		else
			job->is_lost = true; /* or it was cancelled: the step ends, and its commit tells */
	}
	mem_free(renewal);
}

static void job_on_heart(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, heart);
	struct pg_params params = { 0 };

	worker_arm_in(job->jobs->worker, timer, job_life_ms(job) / 3);
	if (job->is_renewing)
		return;
	struct job_renewal *renewal = MEM_NEW(struct job_renewal);
	*renewal = (struct job_renewal){ job, job->no, job->epoch, clock_mono_ms() };
	job->is_renewing = true;
	job_put_claim(job, &params);
	pg_query(job->jobs->pg, PG_ANY_LANE, &job_renew_statement, &params, job_on_renewed, renewal);
}

/* ---- steps ---- */

static void job_step(struct job *job)
{
	job->state = JOB_STEPPING;
	job->kind->step(job);
}

void job_go_on(struct job *job)
{
	const struct pace *pace = &job->jobs->pace;
	uint64_t now_us = clock_mono_us();

	if (job->jobs->is_stopped) {
		job_leave(job, false);
	} else if (!overload_is_calm(job->jobs->overload) || !pace_has_room(pace, now_us)) {
		uint64_t wait_us = pace_has_room(pace, now_us) ? 0 : pace->free_at_us - now_us;
		job->state = JOB_RESTING;
		worker_arm_in(job->jobs->worker, &job->timer, MIN(wait_us / 1000 + WORKER_TICK_MS, REST_MS));
	} else {
		job_step(job);
	}
}

static void job_take_progress(struct job *job, const PGresult *result)
{
	struct str cursor = pg_text(result, 0, PQfnumber(result, "cursor"));

	job->refusals = 0;
	buf_clear(&job->cursor);
	buf_append_str(&job->cursor, cursor);
	job->done = (uint64_t)pg_i64(result, 0, PQfnumber(result, "done"));
	job->failed = (uint64_t)pg_i64(result, 0, PQfnumber(result, "failed"));
	pace_use(&job->jobs->pace, (uint64_t)job->jobs->config->jobs_rate,
	         (uint64_t)pg_i64(result, 0, PQfnumber(result, "used")), clock_mono_us());
}

static void job_on_committed(void *arg, err_t err, const PGresult *result)
{
	struct job *job = arg;

	if (err) {
		job_retry(job, err);
	} else if (PQntuples(result) == 0) {
		job_end(job);
	} else {
		job_confirmed(job, job->asked_ms);
		job_take_progress(job, result);
		if (str_equal(pg_text(result, 0, 0), STR("running"))) {
			if (!job->kind->took || !job->kind->took(job, result))
				job_go_on(job);
		} else {
			log_info("a job has ended", LOG_TEXT("kind", job->kind->name), LOG_NUM("job", job->no),
			         LOG_STR("state", pg_text(result, 0, 0)), LOG_U64("done", job->done),
			         LOG_U64("failed", job->failed));
			job_end(job);
			job_wake(job);
		}
	}
}

void job_commit(struct job *job, const struct pg_statement *statement, struct pg_params *params)
{
	job_asked(job);
	pg_query(job->jobs->pg, PG_ANY_LANE, statement, params, job_on_committed, job);
}

void job_commit_progress(struct job *job, struct str cursor, uint64_t done, uint64_t failed, bool is_ended)
{
	struct pg_params params = { 0 };

	job_put_claim(job, &params);
	pg_put_text(&params, cursor);
	pg_put_i64(&params, (int64_t)done);
	pg_put_i64(&params, (int64_t)failed);
	pg_put_bool(&params, is_ended);
	job_commit(job, &job_progress_statement, &params);
}

/* ---- looking ---- */

enum claim_column { CLAIM_NO, CLAIM_EPOCH, CLAIM_CURSOR, CLAIM_DONE, CLAIM_FAILED, CLAIM_PARAMS };

static void job_read_claim(struct job *job, const PGresult *result)
{
	struct str texts[JOB_PARAMS_MAX] = { 0 };
	size_t count = pg_text_array(result, 0, CLAIM_PARAMS, texts, JOB_PARAMS_MAX), at = 0;

	job->no = pg_i64(result, 0, CLAIM_NO);
	job->epoch = pg_i64(result, 0, CLAIM_EPOCH);
	job->done = (uint64_t)pg_i64(result, 0, CLAIM_DONE);
	job->failed = (uint64_t)pg_i64(result, 0, CLAIM_FAILED);
	buf_clear(&job->cursor);
	buf_append_str(&job->cursor, pg_text(result, 0, CLAIM_CURSOR));
	buf_clear(&job->params);
	for (size_t i = 0; i < count; i++)
		buf_append_str(&job->params, texts[i]);
	for (size_t i = 0; i < JOB_PARAMS_MAX; at += texts[i].len, i++)
		job->param[i] = str_of(job->params.ptr + at, texts[i].len);
}

static void job_on_claimed(void *arg, err_t err, const PGresult *result)
{
	struct job *job = arg;

	if (err || PQntuples(result) == 0) {
		job_look_later(job);
		return;
	}
	job_read_claim(job, result);
	job->is_lost = false;
	job->refusals = 0;
	job->valid_until_ms = 0;
	job_confirmed(job, job->asked_ms);
	worker_arm_in(job->jobs->worker, &job->heart, job_life_ms(job) / 3);
	log_info("a job is claimed", LOG_TEXT("kind", job->kind->name), LOG_NUM("job", job->no), LOG_NUM("epoch", job->epoch),
	         LOG_U64("done", job->done));
	job_go_on(job);
}

static void job_look(struct job *job)
{
	struct pg_params params = { 0 };

	job->state = JOB_CLAIMING;
	job_asked(job);
	pg_put_text(&params, str_from(job->kind->name));
	pg_put_text(&params, str_from(job->jobs->config->common.node_name));
	pg_put_i32(&params, (int32_t)job_life_ms(job));
	pg_query(job->jobs->pg, PG_ANY_LANE, &job_claim_statement, &params, job_on_claimed, job);
}

static void job_on_timer(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	if (job->state == JOB_LOOKING)
		job_look(job);
	else if (job_is_held(job))
		job_go_on(job);
	else
		job_rest(job);
}

void job_wake(struct job *job)
{
	if (job->state == JOB_LOOKING && !job->jobs->is_stopped)
		worker_arm(job->jobs->worker, &job->timer, 0);
}

void job_init(struct job *job, struct jobs *jobs, const struct job_kind *kind)
{
	*job = (struct job){ .jobs = jobs, .kind = kind };
	timer_init(&job->timer, job_on_timer);
	timer_init(&job->heart, job_on_heart);
	job_look_later(job);
}

void job_stop(struct job *job)
{
	worker_cancel(job->jobs->worker, &job->timer);
	worker_cancel(job->jobs->worker, &job->heart);
	if (job->state == JOB_RESTING)
		job_leave(job, false);
	else if (job->state == JOB_STEPPING && job->kind->stop)
		job->kind->stop(job);
}

void job_release(struct job *job)
{
	worker_cancel(job->jobs->worker, &job->heart);
	job_forget_work(job);
	buf_release(&job->params);
	buf_release(&job->cursor);
}
