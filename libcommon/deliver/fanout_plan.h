#ifndef SKEIN_DELIVER_FANOUT_PLAN_H
#define SKEIN_DELIVER_FANOUT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Who gets a message by which gateway: from the connections of all recipients
 * to one batch per living gateway. Pure: no clock, no I/O, no globals. O(n log n)
 * in the number of connections.
 */

/* A connection of a recipient, as its route named it. */
struct fanout_target {
	uint32_t gateway; /* index into the gateways given to fanout_plan() */
	uint32_t recipient; /* whose it is: index into the message's recipients */
	uint32_t device_at; /* where the device's name stands; the caller's */
	bool is_own; /* a connection of the sender */
	bool is_gone; /* its gateway has said so; the caller's */
	uint64_t conn;
	uint64_t offset; /* the message's number in that recipient's inbox */
	uint64_t epoch; /* of that inbox */
};

struct fanout_gateway {
	bool is_alive;
};

enum fanout_mode {
	FANOUT_UNICAST, /* one record per gateway that holds recipients */
};

/* Targets first .. first + count - 1 of the plan go to `gateway`; the sender's own stand first. */
struct fanout_batch {
	uint32_t gateway;
	size_t first, count, own_count;
};

struct fanout_plan {
	struct fanout_target *targets; /* sorted by batch; the caller's array, reordered */
	struct fanout_batch *batches;
	size_t batch_count;
	size_t dead_count; /* targets at the end of `targets` whose gateway is dead: nobody delivers them */
};

/* Reorders `targets` in place. Release the plan with fanout_plan_release(). */
struct fanout_plan fanout_plan(struct fanout_target *targets, size_t target_count,
                               const struct fanout_gateway *gateways, enum fanout_mode mode);
void fanout_plan_release(struct fanout_plan *plan);

#endif
