#include "im/retention/retention.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"

/* times to keep direct and group history, rows, milliseconds -> entries, bodies, is_behind; no row: no run was due for this im */
static const struct pg_statement retention_run = {
	"retention_run",
	"select entries, bodies, is_behind from fn.retention_run($1::bigint, $2::bigint, $3::bigint, $4::bigint)",
};

enum retention_column { RETENTION_ENTRIES, RETENTION_BODIES, RETENTION_IS_BEHIND };

#define ASK_MS 1000
#define ASK_AGAIN_MS 100 /* when there is more to do; as in fn.retention_run() */
#define RUN_ROWS 1000
#define RUN_MS 50

static void retention_ask_in(struct retention *retention, uint64_t delay_ms)
{
	if (!retention->is_stopped)
		worker_arm_in(retention->worker, &retention->timer, delay_ms);
}

static void retention_take_run(struct retention *retention, const PGresult *result)
{
	counter_add(retention->runs, 1);
	counter_add(retention->entries, (uint64_t)pg_i64(result, 0, RETENTION_ENTRIES));
	counter_add(retention->bodies, (uint64_t)pg_i64(result, 0, RETENTION_BODIES));
	histogram_observe(retention->durations, clock_mono_us() - retention->started_us);
}

static void retention_on_run(void *arg, err_t err, const PGresult *result)
{
	struct retention *retention = arg;
	bool was_due = !err && PQntuples(result) > 0;

	if (err) {
		/* Perhaps they were too many for one statement on a slow disk, or a lock was not free. */
		retention->rows = MAX(1, retention->rows / 2);
		counter_add(retention->failures, 1);
		log_warn("a run of retention failed", LOG_ERR(err), LOG_NUM("next_rows", retention->rows));
	} else {
		retention->rows = MIN(RUN_ROWS, retention->rows * 2);
	}
	if (was_due)
		retention_take_run(retention, result);
	retention_ask_in(retention, was_due && pg_bool(result, 0, RETENTION_IS_BEHIND) ? ASK_AGAIN_MS : ASK_MS);
}

static void retention_on_timer(struct timer *timer)
{
	struct retention *retention = container_of(timer, struct retention, timer);
	struct pg_params params = { 0 };

	pg_put_i64(&params, retention->config->retention_direct_ms);
	pg_put_i64(&params, retention->config->retention_group_ms);
	pg_put_i64(&params, retention->rows);
	pg_put_i64(&params, RUN_MS);
	retention->started_us = clock_mono_us();
	pg_query(retention->pg, PG_ANY_LANE, &retention_run, &params, retention_on_run, retention);
}

void retention_start(struct retention *retention, struct worker *worker, struct pg *pg, const struct im_config *config)
{
	const char *name = "skein_im_retention_rows_total", *help = "What retention has removed.";

	*retention = (struct retention){
		.worker = worker,
		.pg = pg,
		.config = config,
		.rows = RUN_ROWS,
		.runs = metrics_counter("skein_im_retention_runs_total", "Runs of retention that this im made.", NULL),
		.failures = metrics_counter("skein_im_retention_failures_total", "Runs of retention that failed.", NULL),
		.entries = metrics_counter(name, help, "what=\"entries\""),
		.bodies = metrics_counter(name, help, "what=\"bodies\""),
		.durations = metrics_histogram("skein_im_retention_seconds", "How long a run of retention takes.", NULL),
	};
	timer_init(&retention->timer, retention_on_timer);
	retention_ask_in(retention, ASK_MS);
}

void retention_stop(struct retention *retention)
{
	retention->is_stopped = true;
	worker_cancel(retention->worker, &retention->timer);
}
