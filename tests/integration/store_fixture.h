#ifndef SKEIN_TESTS_STORE_FIXTURE_H
#define SKEIN_TESTS_STORE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/worker.h"

/* What the store tests share: a worker on the test's own thread, whose loop is run until a condition holds. */

/* How long a test waits for what must happen, before it fails. */
#define STORE_PATIENCE_MS 30000

/* Turns the loop until `is_so`; fails the test after STORE_PATIENCE_MS. */
void turn_until(struct worker *worker, bool (*is_so)(void *arg), void *arg);

/* Runs the loop for this long: to see that something does not happen, or to let time-outs pass. */
void turn_for(struct worker *worker, uint64_t ms);

/*
 * Stops the worker, runs it to its end and joins it. A test that failed may have left open what keeps the loop turning:
 * then the program ends after STORE_PATIENCE_MS, by SIGALRM.
 */
void end_worker(struct worker *worker);

/* A callback for close(), and waiting for it. */
void note_closed(void *is_closed);
void turn_until_true(struct worker *worker, bool *flag);
void turn_until_count(struct worker *worker, const unsigned *count, unsigned wanted);

/* Memory taken by malloc and not freed, in bytes. */
uint64_t allocated_bytes(void);

/* CPU that this process used, in microseconds. */
uint64_t own_cpu_us(void);

#endif
