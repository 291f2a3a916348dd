#include "im/readiness.h"

#include "base/mem.h"
#include "im/app.h"
#include "im/changes/change_feed.h"
#include "im/db/pg_pools.h"
#include "im/lease/lease_keeper.h"
#include "message/topics.h"
#include "store/kafka/kafka.h"

static const struct pg_statement readiness_ping = {
	"ping",
	"select 1",
};

static void readiness_on_postgres(void *arg, err_t err, const PGresult *result)
{
	(void)result;
	readiness_done(arg, err);
}

void readiness_postgres(struct readiness_run *run, void *arg)
{
	struct app *app = arg;

	pg_query(app->pg->control, PG_ANY_LANE, &readiness_ping, NULL, readiness_on_postgres, run);
}

struct readiness_probe {
	struct app *app;
	struct readiness_run *run;
};

static void readiness_on_probe(void *arg, err_t err)
{
	struct readiness_probe *probe = arg;

	probe->app->is_probing = false;
	readiness_done(probe->run, err);
	mem_free(probe);
}

void readiness_kafka(struct readiness_run *run, void *arg)
{
	struct app *app = arg;

	/* One record at a time: an earlier round's may still wait for Kafka. That round failed, and so does this one. */
	if (app->is_probing) {
		readiness_done(run, ERR_TIMEOUT);
		return;
	}
	struct readiness_probe *probe = MEM_NEW(struct readiness_probe);
	*probe = (struct readiness_probe){ app, run };
	app->is_probing = true;
	err_t err = kafka_produce(app->producer, TOPIC_PROBE, (struct str){ 0 }, str_from(app->config.common.node_name), NULL, 0,
	                          readiness_on_probe, probe);
	if (err)
		readiness_on_probe(probe, err);
}

void readiness_lease(struct readiness_run *run, void *arg)
{
	const struct app *app = arg;

	readiness_done(run, lease_keeper_is_held(app->lease_keeper) ? OK : ERR_UNAVAILABLE);
}

void readiness_changes(struct readiness_run *run, void *arg)
{
	const struct app *app = arg;

	readiness_done(run, change_feed_is_loaded(app->changes) ? OK : ERR_UNAVAILABLE);
}
