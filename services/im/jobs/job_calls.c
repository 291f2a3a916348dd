#include "im/jobs/job_calls.h"

#include "im/http/page.h"
#include "im/jobs/job.h"

#define JOB_COLUMNS "no::text, kind, state, done, total, failed, created_by, created_at, ended_at"

/* number before which the page begins or '', limit -> jobs, the last one first */
static const struct pg_statement job_list = {
	"job_list",
	"select " JOB_COLUMNS " from job where job.no < coalesce(nullif($1::text, '')::bigint, 9223372036854775807)"
	" order by job.no desc limit $2::integer",
};

/* number -> the job; no row when there is none */
static const struct pg_statement job_read = {
	"job_read",
	"select " JOB_COLUMNS " from job where no = $1::bigint",
};

/* job_put_actor(), number -> as fn.job_cancel() */
static const struct pg_statement job_cancel = {
	"job_cancel",
	"select verdict, detail from fn.job_cancel($1::text, $2::text, $3::bigint)",
};

enum job_column { JOB_NO, JOB_KIND, JOB_STATE, JOB_DONE, JOB_TOTAL, JOB_FAILED, JOB_CREATED_BY, JOB_CREATED_AT, JOB_ENDED_AT };

static void job_put(struct buf *out, const PGresult *result, int row)
{
	buf_append_char(out, '{');
	json_put_field(out, "job_id", pg_text(result, row, JOB_NO));
	json_put_field(out, "kind", pg_text(result, row, JOB_KIND));
	json_put_field(out, "state", pg_text(result, row, JOB_STATE));
	json_put_u64_field(out, "done", (uint64_t)pg_i64(result, row, JOB_DONE));
	json_put_u64_field(out, "total", (uint64_t)pg_i64(result, row, JOB_TOTAL));
	json_put_u64_field(out, "failed", (uint64_t)pg_i64(result, row, JOB_FAILED));
	json_put_field(out, "created_by", pg_text(result, row, JOB_CREATED_BY));
	json_put_u64_field(out, "created_at", (uint64_t)pg_i64(result, row, JOB_CREATED_AT));
	if (!PQgetisnull(result, row, JOB_ENDED_AT))
		json_put_u64_field(out, "ended_at", (uint64_t)pg_i64(result, row, JOB_ENDED_AT));
	buf_append_char(out, '}');
}

static const struct paged_list jobs_page = { &job_list, "jobs", .key = JOB_NO, .is_key = page_key_is_number, .put = job_put };

void jobs_list(struct call *call)
{
	struct pg_params params = { 0 };

	call_list(call, &jobs_page, &params);
}

static void job_respond(struct call *call, const PGresult *result, int status)
{
	if (PQntuples(result) == 0) {
		call_fail(call, ERR_NOT_FOUND, "id", "there is no such job");
		return;
	}
	job_put(call_out(call), result, 0);
	call_ok(call, status);
}

static void job_on_read(struct call *call, const PGresult *result)
{
	job_respond(call, result, 200);
}

static void job_on_added_read(struct call *call, const PGresult *result)
{
	job_respond(call, result, 202);
}

static void job_call_read(struct call *call, int64_t no, call_rows done)
{
	struct pg_params params = { 0 };

	pg_put_i64(&params, no);
	call_query(call, &job_read, &params, done);
}

void jobs_get(struct call *call)
{
	job_call_read(call, (int64_t)call_path_u64(call, "id", 1, INT64_MAX), job_on_read);
}

void job_put_actor(struct call *call, struct pg_params *params)
{
	pg_put_text(params, call_uid(call));
	pg_put_text(params, call_address(call));
}

/* ---- cancel ---- */

static const struct call_reason job_cancel_reasons[] = {
	{ ERR_NOT_FOUND, "id", "there is no such job" },
	{ .err = OK },
};

static void job_on_cancelled(struct call *call, const PGresult *result)
{
	const int64_t *no = call_state(call);
	(void)result;

	job_call_read(call, *no, job_on_read);
}

void jobs_cancel(struct call *call)
{
	int64_t *no = call_make_state(call, sizeof(*no));
	struct pg_params params = { 0 };

	*no = (int64_t)call_path_u64(call, "id", 1, INT64_MAX);
	job_put_actor(call, &params);
	pg_put_i64(&params, *no);
	call_explain(call, job_cancel_reasons);
	call_query(call, &job_cancel, &params, job_on_cancelled);
}

/* ---- a new job ---- */

static const struct call_reason job_add_reasons[] = {
	{ ERR_NOT_FOUND, "uid", "there is no such user" },
	{ ERR_FAILED_PRECONDITION, NULL, "as many jobs wait as may" },
	{ .err = OK },
};

static void job_on_added(struct call *call, const PGresult *result)
{
	const struct jobs *jobs = call_context(call);
	const int *kind = call_state(call);

	job_wake(&jobs->kinds[*kind]);
	job_call_read(call, pg_i64(result, 0, PQfnumber(result, "no")), job_on_added_read);
}

void job_call_add(struct call *call, int kind, const struct pg_statement *statement, struct pg_params *params)
{
	int *kind_of_call = call_make_state(call, sizeof(kind));

	*kind_of_call = kind;
	call_explain(call, job_add_reasons);
	call_query(call, statement, params, job_on_added);
}
