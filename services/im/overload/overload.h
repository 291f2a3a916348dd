#ifndef SKEIN_IM_OVERLOAD_OVERLOAD_H
#define SKEIN_IM_OVERLOAD_OVERLOAD_H

#include "im/overload/admission.h"
#include "im/entries/entry_writer.h"
#include "cluster/push_load.h"

/*
 * Refuses sends before any work is spent on them while the system is overloaded. Ten times a second it gives the admission
 * (admission.h) two waits: the one before PostgreSQL, from the entry writer, and the one in push, which the push processes leave
 * in Redis. An unknown wait counts as 0: without Redis, or without any push, Kafka is the buffer, and a 200 still means stored.
 * Thread: the worker's.
 */
struct overload {
	struct worker *worker;
	struct redis *redis;
	struct entry_writer *entries;
	struct admission admission;
	struct admission_waits waits; /* of the last interval */
	struct timer timer;
	uint64_t delivery_read_ms; /* when waits.delivery_ms was read */
	bool is_reading;
	struct counter *refused;
};

/* `admission` is copied: its initial state. */
void overload_start(struct overload *overload, struct worker *worker, struct redis *redis, struct entry_writer *entries,
                    const struct admission *admission);

/* Before Redis is closed. */
void overload_stop(struct overload *overload);

/* Whether a request to send that has just arrived is to be refused with ERR_UNAVAILABLE. Without overload none is. */
bool overload_refuses(struct overload *overload);

/* Whether work that can wait may go on: no send is refused, and neither wait is near its target. */
bool overload_is_calm(const struct overload *overload);

/* After how many seconds a refused client may try again. */
unsigned overload_retry_after_s(struct overload *overload);

#endif
