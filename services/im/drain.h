#ifndef SKEIN_IM_DRAIN_H
#define SKEIN_IM_DRAIN_H

/*
 * Leaving, step by step: not ready and no new requests; every request is
 * answered (each has a deadline of its own); what was stored goes to Kafka, for
 * up to drain.timeout; the node number is given back; the rest is closed, and
 * the loop ends. `arg` is the struct app.
 */
void drain(void *arg);

#endif
