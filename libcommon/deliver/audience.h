#ifndef SKEIN_DELIVER_AUDIENCE_H
#define SKEIN_DELIVER_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * The recipients of a message, an event or a room record: proto/audience.proto in
 * C. fanout_plan() splits an audience into one batch for each gateway,
 * audience_wire.h writes a batch into a delivery. Arrays and texts belong to the
 * caller.
 */

enum audience_kind {
	AUDIENCE_OF_TARGETS, /* connections that were looked up */
	AUDIENCE_OF_USERS, /* all connections of these users; without a uid, of everybody */
	AUDIENCE_OF_GROUP, /* the members as of a seq of the group's conversation */
	AUDIENCE_OF_ROOM, /* the connections that have joined the room */
};

/* A connection that a user's route names. */
struct fanout_target {
	uint32_t gateway; /* index into the gateways given to fanout_plan() */
	uint32_t recipient; /* its user: index into the caller's recipients */
	uint32_t device_at; /* position of the device's name; the caller's */
	bool is_own; /* a connection of the sender */
	bool is_gone; /* its gateway does not have it any more; the caller's */
	uint64_t conn;
	uint64_t offset; /* the message's number in that recipient's inbox; 0: it has none */
	uint64_t epoch; /* of that inbox */
};

struct audience {
	enum audience_kind kind;
	union {
		struct {
			struct fanout_target *items;
			size_t count;
		} targets;
		struct {
			const struct str *uids;
			size_t count;
			const uint32_t *placed; /* FANOUT_HASH: the gateway of each uid */
		} users;
		struct {
			struct str gid;
			uint64_t seq;
		} group;
		struct str room;
	};
};

#endif
