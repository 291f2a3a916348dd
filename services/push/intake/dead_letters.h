#ifndef SKEIN_PUSH_INTAKE_DEAD_LETTERS_H
#define SKEIN_PUSH_INTAKE_DEAD_LETTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "loop/worker.h"
#include "store/kafka/kafka.h"

/*
 * Records that push cannot use, parked on a topic of their own with key, value and
 * headers, so that the partition goes on and an operator can look at them:
 * docs/operate/operations.md. Added headers say what was wrong and where the record
 * stood. A letter is produced again until Kafka has it. If Kafka refuses it for good
 * (too large for the topic), the value is left out, then key and headers of the
 * record, too; the added headers say where it is.
 *
 * The record is held until Kafka has its letter: see dead_letters_is_full().
 * Thread: the worker's.
 */

/* Added to the record's own headers, all of them text. */
#define DEAD_REASON "dead-reason"
#define DEAD_PARTITION "dead-partition"
#define DEAD_OFFSET "dead-offset"
#define DEAD_TIME "dead-time" /* milliseconds since 1970 */
#define DEAD_VALUE_BYTES "dead-value-bytes" /* only where the value, or all of the record, was left out */

struct dead_letters;

/* `parked` tells that Kafka has the letter. */
err_t dead_letters_new(struct dead_letters **out, struct worker *worker, const char *brokers, const char *client_id,
                       void (*parked)(void *arg, int32_t partition, int64_t offset), void *arg) MUST_CHECK;

/* Takes the record over. `reason` is a literal. `parked` comes later, once. */
void dead_letters_park(struct dead_letters *letters, struct kafka_record *record, const char *reason);

/* The same for a record that was freed: key and value are copied, there are no headers. */
void dead_letters_park_copy(struct dead_letters *letters, int32_t partition, int64_t offset, struct str key, struct str value,
                            const char *reason);

/* Too many records, or bytes, wait for Kafka: read no more. */
bool dead_letters_is_full(const struct dead_letters *letters);

unsigned dead_letters_waiting(const struct dead_letters *letters);

/* Before the consumer of the records is closed: forgets the letters. `parked` no longer comes. */
void dead_letters_stop(struct dead_letters *letters);

/* After dead_letters_stop(). */
void dead_letters_close(struct dead_letters *letters, void (*closed)(void *arg), void *arg);

#endif
