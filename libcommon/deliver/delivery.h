#ifndef SKEIN_DELIVER_DELIVERY_H
#define SKEIN_DELIVER_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct gateway;
struct gateway_stream;
struct payload;

/*
 * One record on its way to one gateway. Embed it in the record's own struct; the
 * memory belongs to the gateway from gateway_deliver() (or a gateway_tell() that
 * took it) until `done`. Set `gone` and `done`; the other fields are the gateway's.
 */
struct delivery {
	struct list link;
	struct gateway *gateway;
	struct gateway_stream *stream;
	struct payload *batch; /* the record as it goes over the wire */
	uint64_t id;
	uint64_t since_us; /* when the gateway was given it */
	bool is_event; /* an event has no offsets: gateway_tell() */
	bool is_noted; /* the gateway will be told its numbers only */
	/* The gateway has no such connection. Comes before `done`; never for a delivery that was noted. */
	void (*gone)(struct delivery *delivery, uint64_t conn);
	/* The last call: the delivery is the owner's again. */
	void (*done)(struct delivery *delivery);
};

#endif
