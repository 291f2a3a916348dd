#ifndef SKEIN_GATEWAY_IM_RECEIPT_SENDER_H
#define SKEIN_GATEWAY_IM_RECEIPT_SENDER_H

#include "base/timer_wheel.h"
#include "gateway/im/receipts.h"

/*
 * Tells im, for the connections of one worker, what devices have acknowledged:
 * rpc Im/Delivered, at most one call at a time, RECEIPT_PAUSE_MS after the first
 * receipt of a batch or as soon as a batch is full.
 *
 * Receipts are worth little: nothing waits for them and nothing is repeated. A
 * call that fails loses its batch, and while im is away the receipts over
 * RECEIPTS_MAX are lost. Both are counted.
 *
 * Thread: the worker's.
 */

#define RECEIPT_PAUSE_MS 250 /* each call wakes four processes: at 1,000 messages/s a pause of 100 ms adds a third to the median */
#define RECEIPT_TIMEOUT_MS 2000

struct counter;
struct rpc_channel;
struct worker;

struct receipt_counters {
	struct counter *told; /* receipts that im took */
	struct counter *dropped_full, *dropped_im;
};

struct receipt_sender {
	struct worker *worker;
	struct rpc_channel *channel;
	struct receipt_counters counters;
	struct receipts waiting;
	struct timer pause;
	size_t in_call; /* receipts in the call under way; 0: there is none */
	bool is_stopped;
};

void receipt_sender_init(struct receipt_sender *sender, struct worker *worker, struct rpc_channel *channel,
                         const struct receipt_counters *counters);

/* Copies the texts. */
void receipt_sender_add(struct receipt_sender *sender, const char *uid, const char *conversation_id, uint64_t seq);

/* The same for what a device has read of its inbox over HTTP. */
void receipt_sender_add_range(struct receipt_sender *sender, const char *uid, const struct pulled *range);

/* Before the channel is closed: no call starts any more, and what waits is dropped. */
void receipt_sender_stop(struct receipt_sender *sender);

/* After the call under way has ended. Thread: any. */
void receipt_sender_release(struct receipt_sender *sender);

#endif
