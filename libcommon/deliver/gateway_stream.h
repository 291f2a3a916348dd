#ifndef SKEIN_DELIVER_GATEWAY_STREAM_H
#define SKEIN_DELIVER_GATEWAY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/telemetry/metrics.h"
#include "deliver/delivery.h"
#include "deliver/delivery_ids.h"
#include "loop/worker.h"
#include "proto/delivery.pb-c.h"
#include "rpc/client/rpc_client.h"

/*
 * The stream of deliveries to one gateway. A delivery stays in it until the gateway
 * has answered, or until its owner takes it back; after a lost connection all
 * unanswered ones are sent again, in order. Messages are sent before events: an
 * event is sent when no message waits.
 *
 * Thread: the worker's.
 */

/* What all streams of a process share. */
struct delivery_streams {
	struct worker *worker;
	struct rpc_client *client;
	struct delivery_ids ids;
	unsigned in_flight;
	struct counter *sent, *resent, *gone, *lagging, *unexpected, *too_large;
	struct gauge *open, *open_bytes;
	struct histogram *answer_time; /* of messages */
};

void delivery_streams_init(struct delivery_streams *all, struct worker *worker, struct rpc_client *client);
void delivery_streams_release(struct delivery_streams *all);

/* Deliveries that a gateway has not answered. */
struct delivery_load {
	unsigned count;
	size_t bytes;
};

struct gateway_stream {
	struct delivery_streams *all;
	const char *name; /* the gateway's */
	struct rpc_channel *channel;
	struct rpc_stream *rpc;
	bool is_up;
	struct list messages, events; /* not sent yet */
	struct list sent; /* not answered yet */
	struct delivery_load message_load, event_load; /* of both kinds, sent or not */
	struct timer retry;
	/* The gateway has answered. The stream is not touched after the last of these calls, so it may be freed in it. */
	void (*answered)(struct delivery *delivery);
};

/* `name` must stay valid as long as the stream. */
void gateway_stream_init(struct gateway_stream *stream, struct delivery_streams *all, const char *name,
                         void (*answered)(struct delivery *delivery));

/* Opens channel and stream; logs the reason if it cannot. */
err_t gateway_stream_open(struct gateway_stream *stream, const char *address) MUST_CHECK;

/* Opens a new stream on the same channel, for a gateway that holds the old one and does not answer. */
void gateway_stream_reopen(struct gateway_stream *stream);

/* Closes both. Deliveries stay: take them back. */
void gateway_stream_close(struct gateway_stream *stream);

/*
 * Queues the delivery; fills in the id of `content` and packs it. A message that makes the delivery larger than
 * RPC_MESSAGE_MAX, so that it could never be sent, is left out: the gateway gets the numbers, and its connections read the
 * message from their inboxes.
 */
void gateway_stream_send(struct gateway_stream *stream, struct delivery *delivery, Skein__V1__Delivery *content);

/* The delivery that has waited longest for an answer; NULL: there is none. */
struct delivery *gateway_stream_oldest(const struct gateway_stream *stream);

/*
 * Takes back all unanswered deliveries, in order. They no longer count, and late answers to them are ignored. Their `batch`
 * stays: payload_unref().
 */
void gateway_stream_take_all(struct gateway_stream *stream, struct list *to);

#endif
