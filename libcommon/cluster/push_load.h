#ifndef SKEIN_CLUSTER_PUSH_LOAD_H
#define SKEIN_CLUSTER_PUSH_LOAD_H

#include "store/redis/redis.h"

/*
 * How long messages wait in push: each push process reports the wait in its own
 * partitions, and im admits fewer messages when it is long. The reports are in one
 * hash (im:push:load), each with the time of Redis's clock. A report older than
 * PUSH_LOAD_LIFE_MS does not count: its push is dead or frozen.
 * Thread: that of the Redis client.
 */

#define PUSH_LOAD_LIFE_MS 1000

void push_load_write(struct redis *redis, struct str push_name, unsigned wait_ms);

/* The longest wait among the reports that count; 0 without one. */
typedef void (*push_load_done)(void *arg, err_t err, unsigned wait_ms);
void push_load_read(struct redis *redis, push_load_done done, void *arg);

#endif
