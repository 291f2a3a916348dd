/* DELETE /v1/admin/users/{uid}, and its job: what the user left is taken away, or loses its name. */

#include "im/changes/change_feed.h"
#include "im/groups/group_change.h"
#include "im/jobs/job_calls.h"
#include "im/jobs/kinds.h"

/* job_put_actor(), the most jobs that wait, change, uid -> as fn.deletion_add() */
static const struct pg_statement deletion_add = {
	"deletion_add",
	"select verdict, detail, no from fn.deletion_add($1::text, $2::text, $3::integer, $4::bytea, $5::text, $6::text)",
};

/* number, epoch, life in ms, rows, time to settle in ms, change, uid, time until it is offline in ms -> as fn.deletion_step() */
static const struct pg_statement deletion_step_statement = {
	"deletion_step",
	"select state, cursor, done, failed, used, act, gid, successor from fn.deletion_step($1::bigint, $2::bigint,"
	" $3::integer, $4::integer, $5::bigint, $6::bytea, $7::text, $8::text, $9::bigint)",
};

/* Rows that a step reads and may write, in some tens of milliseconds. */
#define STEP_ROWS 500

/* Every im knows after this time that the user is gone; then what it had let in before has its time-out. */
#define FEED_MS 3000

/* After presence.offline_delay, within this time everybody has been told that the user is offline. */
#define OFFLINE_MS 2000

/* ---- the job ---- */

static void deletion_step(struct job *job)
{
	const struct im_config *config = job->jobs->config;
	struct pg_params params = { 0 };
	struct change change;

	job_put_claim(job, &params);
	pg_put_i32(&params, STEP_ROWS);
	pg_put_i64(&params, FEED_MS + config->send_timeout_ms);
	change_make(&change, CHANGE_USER_DELETED, job->param[0]);
	change_put(&params, &change);
	pg_put_text(&params, job->param[0]);
	pg_put_i64(&params, FEED_MS + config->presence_offline_delay_ms + OFFLINE_MS);
	job_commit(job, &deletion_step_statement, &params);
}

/* The next step looks again at what there is to do: an entry that was stored by a try before, or refused, is seen there. */
static void deletion_on_stored(void *arg, const struct entry_result *result)
{
	if (result->err)
		job_rest(arg);
	else
		job_go_on(arg);
}

/* An entry of one of the user's groups, as if the user had asked for it: so its members see it. */
static err_t deletion_submit(struct job *job, struct str act, struct str gid, struct str successor)
{
	const struct entry_caller caller = { job->param[0], STR(""), deletion_on_stored, job };
	bool is_owner = !str_equal(act, STR("leave"));
	/* The most admins: the former owner is one for a moment only. */
	const struct change_terms terms = { .subject = is_owner ? successor : job->param[0], .numbers = { INT32_MAX } };
	enum group_action action = !is_owner ? GROUP_REMOVE : successor.ptr ? GROUP_HAND_OVER : GROUP_DISSOLVE;

	return entry_writer_submit(job->jobs->entries, group_change_new(action, gid, &terms, &caller));
}

enum step_column { STEP_STATE, STEP_CURSOR, STEP_DONE, STEP_FAILED, STEP_USED, STEP_ACT, STEP_GID, STEP_SUCCESSOR };

static bool deletion_took(struct job *job, const PGresult *result)
{
	struct str act = pg_text(result, 0, STEP_ACT);

	if (!act.ptr)
		return false;
	if (str_equal(act, STR("wait")) || !job_is_held(job) ||
	    deletion_submit(job, act, pg_text(result, 0, STEP_GID), pg_text(result, 0, STEP_SUCCESSOR)))
		job_rest(job);
	return true;
}

const struct job_kind deletion_kind = { .name = "deletion", .step = deletion_step, .took = deletion_took };

/* ---- DELETE /v1/admin/users/{uid} ---- */

void jobs_delete_user(struct call *call)
{
	const struct jobs *jobs = call_context(call);
	struct str uid = call_path_ident(call, "uid");
	struct pg_params params = { 0 };
	struct change change;

	job_put_actor(call, &params);
	pg_put_i32(&params, (int32_t)jobs->config->limits_jobs);
	change_make(&change, CHANGE_USER_DELETED, uid);
	change_put(&params, &change);
	pg_put_text(&params, uid);
	job_call_add(call, JOB_DELETION, &deletion_add, &params);
}
