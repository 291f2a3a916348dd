#ifndef SKEIN_DELIVER_AUDIENCE_WIRE_H
#define SKEIN_DELIVER_AUDIENCE_WIRE_H

#include "deliver/fanout_plan.h"
#include "proto/audience.pb-c.h"

/*
 * A batch of a plan as the protobuf Audience of a delivery. `audience` points
 * into the struct itself, into the plan and into one allocation: do not move it,
 * and release it before the plan. Pure: no I/O.
 */
struct audience_wire {
	Skein__V1__Audience audience;
	Skein__V1__Targets targets;
	Skein__V1__Connections own, others;
	Skein__V1__Users users;
	Skein__V1__GroupMembers group;
	void *lists;
};

void audience_wire_init(struct audience_wire *wire, const struct fanout_plan *plan, const struct fanout_batch *batch);
void audience_wire_release(struct audience_wire *wire);

#endif
