#ifndef SKEIN_DELIVER_GATEWAY_H
#define SKEIN_DELIVER_GATEWAY_H

#include "base/map.h"
#include "base/telemetry/metrics.h"
#include "deliver/delivery_ids.h"
#include "deliver/gateways.h"
#include "deliver/missed_offsets.h"

/*
 * Inside these files only: one gateway, and all of them. Thread: the worker's.
 *
 *   gateways.c        which there are, and the life of each
 *   gateway_stream.c  what is sent to it, and its answers
 *   gateway_behind.c  what it gets instead while it is behind, or given up
 */

struct gateways {
	struct worker *worker;
	struct rpc_client *client;
	struct node_list *nodes;
	struct map by_key;
	struct delivery_ids ids;
	uint64_t give_up_ms;
	unsigned in_flight;
	struct counter *sent, *resent, *gone, *lagging, *undeliverable, *noted, *given_up, *unexpected;
	struct gauge *open, *open_bytes, *behind;
};

enum gateway_state {
	GATEWAY_UNKNOWN, /* not in our list; being looked up */
	GATEWAY_ALIVE,
	GATEWAY_DEAD, /* out of it, until it is there again: it stood still, and was not replaced */
};

struct gateway {
	struct map_node link;
	struct gateways *all;
	char key[96]; /* "name epoch" */
	char name[65];
	uint64_t epoch;
	enum gateway_state state;
	unsigned refs;
	struct rpc_channel *channel;
	struct rpc_stream *stream;
	bool is_up;
	struct list waiting; /* deliveries to be sent */
	struct list sent; /* and sent, not answered */
	unsigned in_flight; /* in these two */
	size_t in_flight_bytes;
	struct timer retry;
	struct timer watch; /* while anything of it is under way */
	bool is_behind;
	bool is_given_up; /* so far behind that nobody waits for it but the probe */
	struct delivery probe;
	struct missed_offsets missed;
	struct list noted; /* deliveries whose numbers are among the notes */
};

/* ---- gateway_stream.c ---- */

void gateway_stream_init(struct gateway *gateway);

/* Opens the channel and the stream; says why if it cannot. */
err_t gateway_connect(struct gateway *gateway, const char *address) MUST_CHECK;

/* Closes both. Nothing under way ends by that. */
void gateway_hang_up(struct gateway *gateway);

/* The delivery is under way from here on, with a reference to the gateway. */
void gateway_send(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content);

/* The one end of a delivery that is under way. May free its gateway. */
void delivery_finish(struct delivery *delivery);

/* All deliveries under way, in their order. They go on counting until each is finished. */
void gateway_take_under_way(struct gateway *gateway, struct list *to);

/* ---- gateway_behind.c ---- */

void gateway_behind_init(struct gateway *gateway);
void gateway_behind_release(struct gateway *gateway);

void gateway_fall_behind(struct gateway *gateway);

/* Keeps the numbers of a delivery; it is done once they were told. */
void gateway_note(struct gateway *gateway, struct delivery *delivery, const Skein__V1__Delivery *content);

/* A delivery ended: tells the numbers if few enough are left. */
void gateway_catch_up(struct gateway *gateway);

/* Looks again and again whether it answers, while anything of it is under way. */
void gateway_keep_watch(struct gateway *gateway);

/* It is dead: what was noted is done, and it is not behind any more. */
void gateway_end_noted(struct gateway *gateway);

#endif
