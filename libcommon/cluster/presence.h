#ifndef SKEIN_CLUSTER_PRESENCE_H
#define SKEIN_CLUSTER_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"
#include "store/redis/redis.h"

/*
 * Who is online, as the users who may see it were told last. A user has a key beside the routes:
 *
 *   im:presence:{uid}   "+node|epoch" online, with the user's home: a gateway at which a route was seen; or the time at
 * which the last connection ended, in ms; behind either "?" until it was told
 *
 * Router makes and removes routes, and notes users for whom that may change something in a list that all processes
 * share:
 *
 *   im:presence:due     sorted set: uid -> the time at which a connection of the user ended; 0: one has come
 *
 * Im claims the users who are due: those who have come at once, those whose connection has ended after the delay within
 * which a reconnect is no news. It compares routes and key, changes the key by compare-and-set, tells, and takes the
 * user off the list. A claim that is not ended is due again after PRESENCE_LEASE_MS, so a process that dies loses none.
 * A user is noted before a route is removed, and a bind of a user who counts as offline says so each time, so a router
 * that dies loses none either.
 *
 *   im:presence:held:{im:presence:due}   sorted set: uid -> until when nobody may claim the user
 *
 * A user who is claimed is held until the claim ends, or its lease: a user who is noted meanwhile waits. So one im at a
 * time changes a user's key and home, and tells. A user who was told of is held for PRESENCE_REST_MS more, because the
 * events of two ims have no order: what one im tells has arrived before another one tells the next.
 *
 * A gateway that dies removes no routes. Im keeps, for each gateway, the set of the users whose home it is; router
 * notes them all when it dies. A user whose home dies and who has a route elsewhere gets another home; one whose other
 * gateway dies has its home. So a bind writes nothing for this.
 *
 *   im:presence:at:{NODE|EPOCH}   set: uid
 *   im:presence:nodes             hash: "node|epoch" -> "", or the time at which its users were noted because it had
 * died, and behind it "|" once they were noted again
 *
 * Thread: that of the Redis client. Texts are copied.
 */

#define PRESENCE_LEASE_MS 5000
#define PRESENCE_REST_MS 500 /* longer than an event takes to its connections */
#define PRESENCE_NODES_KEY STR("im:presence:nodes")

struct presence_key {
	struct str key;
	char text[65 + 16];
};

/* `uid` is a valid ident. Do not copy the struct: `key` points into it. */
void presence_key_fill(struct presence_key *key, struct str uid);

/* A piece of a script: 1 if the user whose key this is counts as offline, else 0. */
#define PRESENCE_IS_OFFLINE(key) "string.sub(tostring(redis.pcall('GET', " key ")), 1, 1) == '+' and 0 or 1"

struct presence {
	bool is_online;
	bool is_untold;
	struct str home; /* "node|epoch"; points into the answer */
	uint64_t last_seen_ms; /* 0: was never online, or is */
};

/* From the answer to GET. What cannot be read is a user who was never online. */
struct presence presence_read(const redisReply *reply);

/* ---- for router ---- */

/* After a bind that said that the user counts as offline. */
void presence_note_came(struct redis *redis, struct str uid);

/* Before the route of a connection that has ended is removed. */
void presence_note_ended(struct redis *redis, struct str uid, uint64_t now_ms);

/* A gateway has registered. */
void presence_note_node(struct redis *redis, struct str node, uint64_t node_epoch);

/* The set of the users whose home this gateway, "node|epoch", is. */
struct buf presence_at_key(struct str node_name);

/* Notes many users whose connections have ended at once, or of whom that is not known any more (0). */
void presence_note_all(struct redis *redis, const struct str *uids, size_t count, uint64_t ended_ms, redis_done done, void *arg);

/* ---- for im ---- */

/* A user who is due. */
struct presence_claim {
	struct str uid;
	uint64_t ended_ms; /* 0: a connection has come */
	uint64_t lease; /* of the list; identifies the claim */
	uint64_t held_until_ms; /* another im may have claimed the user after that */
};

#define PRESENCE_CLAIMS_MAX 32

typedef void (*presence_claimed)(void *arg, err_t err, const struct presence_claim *claims, size_t count);

/* Claims up to PRESENCE_CLAIMS_MAX users who have come, or whose connection ended `delay_ms` ago. */
void presence_claim(struct redis *redis, uint64_t now_ms, uint64_t delay_ms, presence_claimed done, void *arg);

enum presence_change {
	PRESENCE_UNDECIDED = 0, /* the routes are others by now: nothing was changed */
	PRESENCE_SAME, /* nothing is to be told */
	PRESENCE_NEWS,
	PRESENCE_UNKNOWN, /* Redis did not answer */
};

/*
 * Ends a claim. A user about whom something was decided is off the list, unless it was noted anew. Of the others it is
 * due again after the lease, or at once if it was noted anew.
 */
void presence_end_claim(struct redis *redis, const struct presence_claim *claim, enum presence_change change, uint64_t now_ms);

struct presence_found {
	struct str uid;
	struct str routes; /* what HGETALL answered, joined by "\n" */
	struct str home; /* what these routes mean: "node|epoch" of one that lives; empty: offline */
	uint64_t ended_ms; /* if they mean offline */
};

typedef void (*presence_settled)(void *arg, enum presence_change change);

/* Before the key names the home, and after it names another one or none. */
void presence_move_in(struct redis *redis, struct str uid, struct str home);
void presence_move_out(struct redis *redis, struct str uid, struct str home);

/* Sets the user's key to what was found, if the routes are still these. The time of the last connection lives `keep_s`. */
void presence_settle(struct redis *redis, const struct presence_found *found, uint64_t keep_s, presence_settled done, void *arg);

/* The news was told. */
void presence_note_told(struct redis *redis, const struct presence_found *found);

#endif
