#include "service/redis_check.h"

#include "store/redis/redis.h"

static void redis_check_on_pong(void *arg, err_t err, const redisReply *reply)
{
	(void)reply;
	readiness_done(arg, err);
}

void service_check_redis(struct readiness_run *run, void *arg)
{
	const struct str ping[] = { STR("PING") };
	struct redis **redis = arg;

	redis_command(*redis, ping, ARRAY_LEN(ping), redis_check_on_pong, run);
}
