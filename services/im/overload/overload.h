#ifndef SKEIN_IM_OVERLOAD_OVERLOAD_H
#define SKEIN_IM_OVERLOAD_OVERLOAD_H

#include "im/overload/admission.h"
#include "im/entries/entry_writer.h"
#include "cluster/push_load.h"

/*
 * Refuses sends before any work is spent on them while the system is overloaded:
 * feeds the admission (admission.h) with the wait before PostgreSQL, from the
 * entry writer, and the wait behind it, which the push processes leave in Redis. A wait that is
 * not known counts as none: without Redis, or with every push away, Kafka is the
 * buffer, and a 200 still means stored. Thread: the worker's.
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

/* `admission`: as it begins. */
void overload_start(struct overload *overload, struct worker *worker, struct redis *redis, struct entry_writer *entries,
                    const struct admission *admission);

/* Before Redis is closed. */
void overload_stop(struct overload *overload);

/* Whether a request to send that has just come is refused, with ERR_UNAVAILABLE: nobody is while there is no overload. */
bool overload_refuses(struct overload *overload);

/* When who was refused may come again. */
unsigned overload_retry_after_s(struct overload *overload);

#endif
