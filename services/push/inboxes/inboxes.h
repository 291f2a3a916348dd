#ifndef SKEIN_PUSH_INBOXES_INBOXES_H
#define SKEIN_PUSH_INBOXES_INBOXES_H

#include <stddef.h>

#include "base/telemetry/metrics.h"
#include "cluster/inbox_limits.h"
#include "push/inboxes/append_window.h"
#include "push/inboxes/route_cache.h"

struct gateways;
struct redis;
struct worker;

/* The inboxes of all users, as the writers of a process share them. Thread: the worker's. */
struct inboxes {
	struct worker *worker;
	struct redis *redis;
	struct gateways *gateways;
	struct inbox_limits limits;
	struct append_window window;
	struct route_cache routes;
	size_t *bytes_in_flight; /* of all messages: the connections that are found are added */
	struct counter *broken_inboxes, *broken_routes;
};

/* The caller sets worker, redis, gateways, limits and bytes_in_flight first. */
void inboxes_init(struct inboxes *inboxes, size_t max_cached_users);
void inboxes_release(struct inboxes *inboxes);

#endif
