#include "im/db/pg_pools.h"

#define MAX_WAITING 20000
#define CONTROL_CONNECTIONS 2 /* so that a page of a takeover does not delay the renewal of a lease */

static struct gauge *pg_pools_gauge(const char *label)
{
	return metrics_gauge("skein_im_postgres_waiting", "Statements that PostgreSQL has not answered.", label);
}

err_t pg_pools_open(struct pg_pools *pools, struct worker *worker, const struct im_config *config)
{
	const struct pg_options common = {
		.uri = config->pg_uri, .max_waiting = MAX_WAITING, .timeout_ms = (uint64_t)config->send_timeout_ms,
		.settings = PG_BY_INDEX,
	};
	struct pg_options sends = common, control = common, calls = common;

	sends.connections = (unsigned)config->batch_lanes + 1;
	sends.waiting_gauge = pg_pools_gauge("class=\"sends\"");
	control.connections = CONTROL_CONNECTIONS;
	control.waiting_gauge = pg_pools_gauge("class=\"control\"");
	calls.connections = (unsigned)config->pg_connections;
	calls.max_sent = (unsigned)config->pg_calls_in_flight;
	calls.statement_timeout_ms = (unsigned)config->pg_statement_timeout_ms;
	calls.waiting_gauge = pg_pools_gauge("class=\"calls\"");
	err_t err = pg_new(&pools->sends, worker, &sends);
	if (!err)
		err = pg_new(&pools->control, worker, &control);
	if (!err)
		err = pg_new(&pools->calls, worker, &calls);
	return err;
}

static void pg_pools_on_closed(void *arg)
{
	struct pg_pools *pools = arg;

	if (--pools->open == 0)
		pools->closed(pools->arg);
}

void pg_pools_close(struct pg_pools *pools, void (*closed)(void *arg), void *arg)
{
	pools->open = 3;
	pools->closed = closed;
	pools->arg = arg;
	pg_close(pools->sends, pg_pools_on_closed, pools);
	pg_close(pools->control, pg_pools_on_closed, pools);
	pg_close(pools->calls, pg_pools_on_closed, pools);
}
