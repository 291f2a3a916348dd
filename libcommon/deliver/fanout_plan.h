#ifndef SKEIN_DELIVER_FANOUT_PLAN_H
#define SKEIN_DELIVER_FANOUT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/audience.h"

/*
 * Plans the batches that each gateway gets of an audience; each batch is one record.
 * Pure: no clock, no I/O, no globals. O(n log n) in the number of targets or uids.
 *
 * | audience | unicast                             | broadcast                  | hash                      |
 * |----------|-------------------------------------|----------------------------|---------------------------|
 * | targets  | batches for each gateway that has some | the same: their gateways are known | the same    |
 * | users    | not planned: look their routes up, then plan the targets | uid lists, split | uid lists by placement |
 * | group    | gateways that have members online   | one record for all         | as unicast                |
 * | room     | gateways that have members          | one record for all         | as unicast                |
 */

enum fanout_mode {
	FANOUT_AUTO, /* the mode with fewer copies: fanout_mode_for() */
	FANOUT_UNICAST, /* registry: one record for each gateway that holds recipients */
	FANOUT_BROADCAST, /* one record that every gateway reads */
	FANOUT_HASH, /* uids are placed on gateways by a hash */
};

/* `gateway` of a batch that every gateway reads. */
#define FANOUT_EVERY_GATEWAY UINT32_MAX

/* Uids in one record. */
#define FANOUT_MAX_UIDS 1000

/*
 * Targets in one record. A target takes up to 27 bytes there, so a record with a body of 1 MiB stays far below
 * RPC_MESSAGE_MAX, above which it could not be sent.
 */
#define FANOUT_MAX_TARGETS 20000

struct fanout_gateway {
	bool is_alive;
	bool holds; /* members of the group or room are connected there; not used for other audiences */
};

/*
 * Targets: first ... first + count - 1 of plan.targets, the sender's own first. Users: that range of plan.uids; a broadcast
 * with count 0 is for everybody. Group and room: only the gateway is set.
 */
struct fanout_batch {
	uint32_t gateway;
	size_t first, count, own_count;
};

struct fanout_plan {
	const struct audience *audience;
	struct fanout_target *targets; /* sorted by batch; the caller's array, reordered */
	struct str *uids; /* sorted by batch; points to the caller's texts */
	struct fanout_batch *batches;
	size_t batch_count;
	size_t dead_count; /* targets, or uids by placement, whose gateway is dead: in no batch */
};

/*
 * The mode to use for an audience, never FANOUT_AUTO. Automatic compares copies of the record and look-ups of routes, which
 * cost about the same: users by unicast cost a look-up each and a record for each gateway touched, by broadcast a copy for
 * each living gateway. Everything else makes the fewest copies by unicast.
 */
enum fanout_mode fanout_mode_for(const struct audience *audience, const struct fanout_gateway *gateways, size_t gateway_count,
                                 enum fanout_mode mode);

/*
 * `mode` is not FANOUT_AUTO, nor FANOUT_UNICAST for users. Reorders targets in place. The audience must stay as long as the
 * plan: fanout_plan_release().
 */
struct fanout_plan fanout_plan(const struct audience *audience, const struct fanout_gateway *gateways, size_t gateway_count,
                               enum fanout_mode mode);
void fanout_plan_release(struct fanout_plan *plan);

#endif
