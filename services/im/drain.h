#ifndef SKEIN_IM_DRAIN_H
#define SKEIN_IM_DRAIN_H

/*
 * Ends the process step by step: no new requests; every request is answered (each
 * has a deadline of its own); stored entries go to Kafka, for up to drain.timeout;
 * the node number is given back; the rest is closed, and the loop ends. `arg` is
 * the struct app.
 */
void drain(void *arg);

#endif
