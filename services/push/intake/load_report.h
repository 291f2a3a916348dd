#ifndef SKEIN_PUSH_INTAKE_LOAD_REPORT_H
#define SKEIN_PUSH_INTAKE_LOAD_REPORT_H

#include "loop/worker.h"
#include "push/order/conversations.h"
#include "push/order/delivery_wait.h"
#include "push/intake/intake.h"
#include "store/redis/redis.h"

/*
 * Tells im, through Redis (cluster/push_load.h), how far behind this push is; ten
 * times a second while messages get delivered, and nothing while none is: an old report
 * ends by itself. Thread: the worker's.
 */
struct load_report {
	struct worker *worker;
	struct redis *redis;
	const char *name;
	const struct intake *intake;
	const struct conversations *conversations;
	struct delivery_wait wait;
	unsigned wait_ms; /* as of the last interval in which something was delivered */
	struct timer timer;
};

void load_report_start(struct load_report *report, struct worker *worker, struct redis *redis, const char *name,
                       const struct intake *intake, const struct conversations *conversations);
void load_report_stop(struct load_report *report);

#endif
