#ifndef SKEIN_SERVICE_REDIS_CHECK_H
#define SKEIN_SERVICE_REDIS_CHECK_H

#include "net/http/internal_server.h"

/*
 * The readiness check of Redis: a PING. `arg` is the address of the service's `struct redis *`, because the table of
 * checks is made before the client:
 *
 *   { .name = "redis", .start = service_check_redis, .arg = &app.redis }
 */
void service_check_redis(struct readiness_run *run, void *arg);

#endif
