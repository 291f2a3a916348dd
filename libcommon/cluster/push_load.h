#ifndef SKEIN_CLUSTER_PUSH_LOAD_H
#define SKEIN_CLUSTER_PUSH_LOAD_H

#include "store/redis/redis.h"

/*
 * How long messages wait for their delivery, as every push process sees it of its
 * own partitions; im lets less in when it is long. One hash (im:push:load) of a few
 * numbers, each with the time by Redis's own clock: a report older than
 * PUSH_LOAD_LIFE_MS does not count, so that a push which died or froze says nothing.
 */

#define PUSH_LOAD_LIFE_MS 1000

void push_load_write(struct redis *redis, struct str push_name, unsigned wait_ms);

/* The longest wait that a living push reports; 0 if none does. */
typedef void (*push_load_done)(void *arg, err_t err, unsigned wait_ms);
void push_load_read(struct redis *redis, push_load_done done, void *arg);

#endif
