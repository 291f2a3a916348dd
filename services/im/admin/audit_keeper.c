#include "im/admin/audit_keeper.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/random.h"

/* time, limit -> as fn.audit_forget() */
static const struct pg_statement audit_keeper_forget = {
	"audit_forget",
	"select fn.audit_forget($1::bigint, $2::integer)",
};

#define EVERY_MS 1800000
#define MORE_MS 1000 /* until the next rows, while there are more */
#define ROWS 1000

static void audit_keeper_on_forgotten(void *arg, err_t err, const PGresult *result)
{
	struct audit_keeper *keeper = arg;

	if (keeper->is_stopped)
		return;
	bool has_more = !err && pg_i64(result, 0, 0) == ROWS;
	worker_arm_in(keeper->worker, &keeper->timer, has_more ? MORE_MS : EVERY_MS / 2 + random_below(EVERY_MS));
}

static void audit_keeper_on_timer(struct timer *timer)
{
	struct audit_keeper *keeper = container_of(timer, struct audit_keeper, timer);
	struct pg_params params = { 0 };

	pg_put_i64(&params, (int64_t)clock_wall_ms() - *keeper->keep_ms);
	pg_put_i32(&params, ROWS);
	pg_query(keeper->pg, PG_ANY_LANE, &audit_keeper_forget, &params, audit_keeper_on_forgotten, keeper);
}

void audit_keeper_start(struct audit_keeper *keeper, struct worker *worker, struct pg *pg, const int64_t *keep_ms)
{
	*keeper = (struct audit_keeper){ .worker = worker, .pg = pg, .keep_ms = keep_ms };
	timer_init(&keeper->timer, audit_keeper_on_timer);
	worker_arm_in(worker, &keeper->timer, random_below(MORE_MS));
}

void audit_keeper_stop(struct audit_keeper *keeper)
{
	keeper->is_stopped = true;
	worker_cancel(keeper->worker, &keeper->timer);
}
