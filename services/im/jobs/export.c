/* POST /v1/admin/users/{uid}/export, its job, and what the job has found. */

#include "im/http/page.h"
#include "im/jobs/job_calls.h"
#include "im/jobs/kinds.h"

/* job_put_actor(), the most jobs that wait, uid -> as fn.export_add() */
static const struct pg_statement export_add = {
	"export_add",
	"select verdict, no from fn.export_add($1::text, $2::text, $3::integer, $4::text)",
};

/* number, epoch, life in ms, rows -> as job_commit() */
static const struct pg_statement export_step_statement = {
	"export_step",
	"select state, cursor, done, failed, used from fn.export_step($1::bigint, $2::bigint, $3::integer, $4::integer)",
};

/* number, item behind which the page begins, limit, bytes -> as fn.job_output_page() */
static const struct pg_statement export_output = {
	"job_output",
	"select verdict, detail, has_more, no::text, item"
	" from fn.job_output_page($1::bigint, coalesce(nullif($2::text, '')::bigint, 0), $3::integer, $4::bigint)",
};

/* Rows that a step reads, in some milliseconds. */
#define STEP_ROWS 1000

/* ---- the job ---- */

/* Everything is in one transaction: what it read, the items, and how far it came. */
static void export_step(struct job *job)
{
	struct pg_params params = { 0 };

	job_put_claim(job, &params);
	pg_put_i32(&params, STEP_ROWS);
	job_commit(job, &export_step_statement, &params);
}

const struct job_kind export_kind = { .name = "export", .step = export_step };

/* ---- POST /v1/admin/users/{uid}/export ---- */

void jobs_export(struct call *call)
{
	const struct jobs *jobs = call_context(call);
	struct pg_params params = { 0 };

	job_put_actor(call, &params);
	pg_put_i32(&params, (int32_t)jobs->config->limits_jobs);
	pg_put_text(&params, call_path_ident(call, "uid"));
	job_call_add(call, JOB_EXPORT, &export_add, &params);
}

/* ---- GET /v1/admin/jobs/{id}/output ---- */

enum output_column { OUTPUT_VERDICT, OUTPUT_DETAIL, OUTPUT_HAS_MORE, OUTPUT_NO, OUTPUT_ITEM };

static const struct call_reason export_output_reasons[] = {
	{ ERR_NOT_FOUND, "id", "there is no such job" },
	{ .err = OK },
};

static void export_put_item(struct buf *out, const PGresult *result, int row)
{
	buf_append_str(out, pg_text(result, row, OUTPUT_ITEM));
}

static const struct paged_list export_output_list = {
	&export_output,         "items",
	.key = OUTPUT_NO,       .is_key = page_key_is_number,
	.put = export_put_item, .has_more = OUTPUT_HAS_MORE,
};

void jobs_output(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_i64(&params, (int64_t)call_path_u64(call, "id", 1, INT64_MAX));
	call_explain(call, export_output_reasons);
	call_list(call, &export_output_list, &params);
}
