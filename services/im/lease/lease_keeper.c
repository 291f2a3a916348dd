#include "im/lease/lease_keeper.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"

/* node, epoch, watermark, life in ms -> a row if the lease is still of this epoch */
const struct pg_statement lease_renew_statement = {
	"lease_renew",
	"update node_lease set watermark = greatest(watermark, $3::bigint),"
	" expires_at = clock_timestamp() + $4::integer * interval '1 ms'"
	" where node = $1::integer and epoch = $2::bigint returning node",
};

/* node, epoch, watermark, whether nothing is left to publish */
const struct pg_statement lease_give_back_statement = {
	"lease_give_back",
	"update node_lease set watermark = greatest(watermark, $3::bigint), expires_at = clock_timestamp(),"
	" owner = case when $4::boolean then null else owner end"
	" where node = $1::integer and epoch = $2::bigint",
};

/* owner, life in ms -> node, epoch, watermark; no row when all numbers are held */
static const struct pg_statement lease_take_statement = {
	"lease_take",
	"select node, epoch, watermark from fn.im_lease_take($1::text, $2::integer)",
};

/* node, epoch, owner, watermark, life in ms, whether to terminate who holds the lock -> the epoch; no row: the lease is lost */
static const struct pg_statement lease_raise_statement = {
	"lease_raise",
	"select epoch from fn.im_lease_raise($1::integer, $2::bigint, $3::text, $4::bigint, $5::integer, $6::boolean)",
};

static int64_t lease_keeper_read_is_held(void *arg)
{
	const struct lease_keeper *keeper = arg;

	return lease_keeper_is_held(keeper);
}

static void lease_keeper_on_taken(void *arg, err_t err, const PGresult *result)
{
	struct lease_keeper *keeper = arg;

	keeper->is_starved = !err && PQntuples(result) == 0;
	if (err || keeper->is_starved) {
		lease_unanswered(&keeper->lease);
		log_warn("no node number could be leased", LOG_TEXT("reason", err ? err_name(err) : "all are held"));
		return;
	}
	int node = (int)pg_i64(result, 0, 0);
	uint64_t watermark = (uint64_t)pg_i64(result, 0, 2);

	lease_taken(&keeper->lease, node, pg_i64(result, 0, 1), watermark);
	watermark_restart(&keeper->watermark, watermark);
	msgid_init(&keeper->ids, (unsigned)node);
	msgid_raise(&keeper->ids, watermark);
	log_info("node number leased", LOG_NUM("number", node), LOG_NUM("epoch", keeper->lease.epoch));
}

static void lease_keeper_take(struct lease_keeper *keeper)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(keeper->owner));
	pg_put_i32(&params, (int32_t)keeper->lease.life_ms);
	pg_query(keeper->pg, PG_ANY_LANE, &lease_take_statement, &params, lease_keeper_on_taken, keeper);
}

static void lease_keeper_lose(struct lease_keeper *keeper)
{
	log_error("the lease of the node number was lost", LOG_NUM("number", keeper->lease.node),
	          LOG_NUM("epoch", keeper->lease.epoch));
	lease_unanswered(&keeper->lease);
	lease_lost(&keeper->lease);
	watermark_restart(&keeper->watermark, 0);
}

static void lease_keeper_on_renewed(void *arg, err_t err, const PGresult *result)
{
	struct lease_keeper *keeper = arg;

	if (err)
		lease_unanswered(&keeper->lease);
	else if (PQntuples(result) > 0)
		lease_renewed(&keeper->lease, keeper->asked_watermark);
	else
		lease_keeper_lose(keeper);
}

static void lease_keeper_on_raised(void *arg, err_t err, const PGresult *result)
{
	struct lease_keeper *keeper = arg;
	int64_t before = keeper->lease.epoch;

	if (err) {
		lease_unanswered(&keeper->lease);
		return;
	}
	if (PQntuples(result) == 0) {
		lease_keeper_lose(keeper);
		return;
	}
	lease_raised(&keeper->lease, pg_i64(result, 0, 0), keeper->asked_watermark);
	if (keeper->lease.epoch == before)
		return;
	counter_add(keeper->raised, 1);
	log_info("the epoch of the node number was raised, for a statement whose answer was lost",
	         LOG_NUM("number", keeper->lease.node), LOG_NUM("epoch", keeper->lease.epoch));
}

static void lease_keeper_put_lease(struct lease_keeper *keeper, struct pg_params *params)
{
	keeper->asked_watermark = watermark_value(&keeper->watermark);
	pg_put_i32(params, keeper->lease.node);
	pg_put_i64(params, keeper->lease.epoch);
	pg_put_i64(params, (int64_t)keeper->asked_watermark);
}

static void lease_keeper_renew(struct lease_keeper *keeper)
{
	struct pg_params params = { 0 };
	struct watermark_place place;

	/* While nothing is open, all ids up to the present are settled: later ids are higher. */
	if (watermark_is_settled(&keeper->watermark)) {
		(void)lease_keeper_draw_id(keeper, &place);
		watermark_close(&keeper->watermark, place);
	}
	lease_keeper_put_lease(keeper, &params);
	pg_put_i32(&params, (int32_t)keeper->lease.life_ms);
	pg_query(keeper->pg, PG_ANY_LANE, &lease_renew_statement, &params, lease_keeper_on_renewed, keeper);
}

static void lease_keeper_raise(struct lease_keeper *keeper, uint64_t now_ms)
{
	struct pg_params params = { 0 };

	keeper->asked_watermark = watermark_value(&keeper->watermark);
	pg_put_i32(&params, keeper->lease.node);
	pg_put_i64(&params, keeper->lease.epoch);
	pg_put_text(&params, str_from(keeper->owner));
	pg_put_i64(&params, (int64_t)keeper->asked_watermark);
	pg_put_i32(&params, (int32_t)keeper->lease.life_ms);
	pg_put_bool(&params, now_ms >= keeper->lease.must_raise_ms + LEASE_PATIENCE_MS);
	pg_query(keeper->pg, PG_ANY_LANE, &lease_raise_statement, &params, lease_keeper_on_raised, keeper);
}

static void lease_keeper_end(struct lease_keeper *keeper)
{
	watermark_release(&keeper->watermark);
	keeper->given_back(keeper->arg);
}

static void lease_keeper_on_given_back(void *arg, err_t err, const PGresult *result)
{
	struct lease_keeper *keeper = arg;
	(void)result;

	if (err)
		log_warn("the node number could not be given back; it runs out", LOG_NUM("number", keeper->lease.node),
		         LOG_ERR(err));
	lease_keeper_end(keeper);
}

static void lease_keeper_go_on_leaving(struct lease_keeper *keeper)
{
	struct pg_params params = { 0 };

	if (!pg_is_connected(keeper->pg) || (!keeper->lease.is_asking && !keeper->lease.has_number)) {
		lease_keeper_end(keeper);
	} else if (keeper->lease.is_asking) {
		worker_arm_in(keeper->worker, &keeper->timer, LEASE_STORE_WATERMARK_MS);
	} else {
		lease_keeper_put_lease(keeper, &params);
		pg_put_bool(&params, watermark_is_settled(&keeper->watermark));
		pg_query(keeper->pg, PG_ANY_LANE, &lease_give_back_statement, &params, lease_keeper_on_given_back, keeper);
	}
}

static void lease_keeper_on_timer(struct timer *timer)
{
	struct lease_keeper *keeper = container_of(timer, struct lease_keeper, timer);
	uint64_t now = clock_mono_ms();

	if (keeper->is_leaving) {
		lease_keeper_go_on_leaving(keeper);
		return;
	}
	switch (lease_next(&keeper->lease, watermark_value(&keeper->watermark), now)) {
	case LEASE_TAKE:
		lease_asked(&keeper->lease, now);
		lease_keeper_take(keeper);
		break;
	case LEASE_RENEW:
		lease_asked(&keeper->lease, now);
		lease_keeper_renew(keeper);
		break;
	case LEASE_RAISE:
		lease_asked(&keeper->lease, now);
		lease_keeper_raise(keeper, now);
		break;
	case LEASE_WAIT:
		break;
	}
	worker_arm_in(keeper->worker, &keeper->timer, LEASE_STORE_WATERMARK_MS);
}

void lease_keeper_start(struct lease_keeper *keeper, struct worker *worker, struct pg *pg, const char *owner,
                        unsigned life_ms)
{
	*keeper = (struct lease_keeper){ .worker = worker, .pg = pg, .owner = owner, .lease = { .life_ms = life_ms } };
	watermark_init(&keeper->watermark);
	keeper->raised = metrics_counter(
		"skein_im_lease_raised_total",
		"Times that this im raised its own epoch, after the answer of a statement was lost.", NULL);
	timer_init(&keeper->timer, lease_keeper_on_timer);
	metrics_gauge_fn("skein_im_lease_held", "Whether this im holds a node number, without which nothing can be sent.",
	                 NULL, lease_keeper_read_is_held, keeper);
	worker_arm_in(keeper->worker, &keeper->timer, 0);
}

bool lease_keeper_is_held(const struct lease_keeper *keeper)
{
	return lease_is_held(&keeper->lease, clock_mono_ms());
}

void lease_keeper_doubt(struct lease_keeper *keeper)
{
	lease_doubt(&keeper->lease);
	worker_arm_in(keeper->worker, &keeper->timer, 0);
}

void lease_keeper_fence(struct lease_keeper *keeper, int64_t epoch)
{
	lease_fence(&keeper->lease, epoch, clock_mono_ms());
	if (keeper->lease.must_raise)
		worker_arm_in(keeper->worker, &keeper->timer, 0);
}

bool lease_keeper_is_fencing(const struct lease_keeper *keeper)
{
	return keeper->lease.must_raise;
}

uint64_t lease_keeper_draw_id(struct lease_keeper *keeper, struct watermark_place *place)
{
	uint64_t id = msgid_next(&keeper->ids, clock_wall_ms());

	*place = watermark_open(&keeper->watermark, id);
	return id;
}

void lease_keeper_leave(struct lease_keeper *keeper, void (*given_back)(void *arg), void *arg)
{
	keeper->is_leaving = true;
	keeper->given_back = given_back;
	keeper->arg = arg;
	worker_arm_in(keeper->worker, &keeper->timer, 0);
}
