#ifndef SKEIN_DELIVER_GATEWAY_H
#define SKEIN_DELIVER_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/text/str.h"
#include "deliver/delivery.h"
#include "deliver/gateway_stream.h"
#include "deliver/missed_offsets.h"

/*
 * One gateway that push streams to: a registration, that is a name with an
 * epoch. The same name under another epoch is another gateway.
 *
 * A delivery given to a gateway ends in exactly one `done`: when the gateway has
 * answered it, or when the gateway is dead (no longer in the node list). In
 * between it is sent again whenever the stream had to be opened anew; the gateway
 * drops repeats by their number.
 *
 * A gateway that does not answer (frozen, partitioned, too slow) must neither use
 * up push's memory nor delay other gateways. With GATEWAY_MAX_IN_FLIGHT messages
 * (or GATEWAY_MAX_BYTES) unanswered it is behind: of later messages only the
 * numbers are noted (missed_offsets.h). Once half are answered the gateway is told
 * these numbers in deliveries without a message: its connections notice the hole
 * and read it from the inbox. A noted delivery is done when the gateway has
 * answered the delivery that told its numbers.
 *
 * A gateway that leaves a delivery unanswered for give_up_ms is given up, in any
 * state of its stream: all its deliveries are done, and a delivery noted later is
 * done within WATCH_MS. The numbers stay. An empty delivery, the probe, is sent
 * on a new stream every give_up_ms; when the gateway answers it, it is told the
 * numbers as above. So a registered gateway that does not work holds back no
 * Kafka offset for longer than give_up_ms.
 *
 * Events have a window of their own, GATEWAY_MAX_EVENTS or GATEWAY_MAX_EVENT_BYTES,
 * and are refused when it is full or the gateway is behind: gateway_tell().
 *
 * Thread: the worker's.
 */

#define GATEWAY_MAX_IN_FLIGHT 1000u
#define GATEWAY_MAX_BYTES (8u << 20)
#define GATEWAY_MAX_EVENTS 500u
#define GATEWAY_MAX_EVENT_BYTES (1u << 20)

/* What all gateways of a process share; the owner is gateways.c. */
struct gateway_context {
	struct delivery_streams streams;
	uint64_t give_up_ms;
	struct counter *undeliverable, *noted, *given_up;
	struct gauge *behind;
	void (*unused)(struct gateway *gateway); /* the last reference is gone: removes and frees it */
};

enum gateway_state {
	GATEWAY_UNKNOWN, /* not in the node list that was read last; being looked up */
	GATEWAY_ALIVE,
	GATEWAY_DEAD, /* not in the node list. A process that was only frozen comes back under the same epoch */
};

enum gateway_pace {
	GATEWAY_KEEPS_UP,
	GATEWAY_BEHIND, /* gets numbers instead of messages */
	GATEWAY_GIVEN_UP, /* gets numbers, and only the probe waits for its answer */
};

/* For gateway.c and gateways.c; others use the functions below. */
struct gateway {
	struct map_node link;
	struct gateway_context *context;
	char key[96]; /* "name epoch" */
	char name[65];
	uint64_t epoch;
	enum gateway_state state;
	enum gateway_pace pace;
	unsigned refs;
	struct gateway_stream stream;
	struct missed_offsets missed;
	struct list noted; /* deliveries whose numbers are among `missed` */
	struct delivery probe;
	struct timer watch; /* armed while anything is unanswered or noted */
};

struct gateway *gateway_new(struct gateway_context *context, struct str name, uint64_t epoch, const char *key);
void gateway_free(struct gateway *gateway);
void gateway_ref(struct gateway *gateway);
void gateway_unref(struct gateway *gateway);

/* The transitions of `state`. An alive gateway holds a reference to itself. Dying ends all deliveries. */
void gateway_come_alive(struct gateway *gateway, const char *address);
void gateway_die(struct gateway *gateway);
void gateway_doubt(struct gateway *gateway); /* it is dead, but a route names it: the caller looks it up again */

bool gateway_is_dead(const struct gateway *gateway);
struct str gateway_name(const struct gateway *gateway);
uint64_t gateway_epoch(const struct gateway *gateway);

/*
 * Sends a message to a gateway that is not dead, or notes its numbers: then delivery->is_noted. Sets id and node_epoch of
 * `content`. `gone` and `done` never come from inside this call.
 */
void gateway_deliver(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content);

enum gateway_told {
	TOLD, /* the gateway has taken it */
	TOLD_NOT_DEAD, /* not taken: the gateway is dead */
	TOLD_NOT_BEHIND, /* not taken: it is behind */
	TOLD_NOT_FULL, /* not taken: too many events are unanswered */
};

/* Sends an event. If it is not taken, it stays the caller's and neither `gone` nor `done` comes. */
enum gateway_told gateway_tell(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content) MUST_CHECK;

#endif
