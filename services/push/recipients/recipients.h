#ifndef SKEIN_PUSH_RECIPIENTS_RECIPIENTS_H
#define SKEIN_PUSH_RECIPIENTS_RECIPIENTS_H

#include <stdint.h>

#include "base/error.h"
#include "base/text/ident.h"
#include "loop/worker.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

/*
 * Who gets a message. For a group: the members at the version of its membership
 * that the record carries, or at a later one. Asked in this order: this
 * process's cache, Redis (im:group:members:{gid}, 7 days), PostgreSQL. Thread:
 * the worker's.
 */

/* A list of uids, shared by the messages that go to it. */
struct recipients {
	unsigned refs;
	uint32_t count;
	uint64_t member_version;
	struct str uids[]; /* the text stands behind the array */
};

struct recipients *recipients_ref(struct recipients *recipients);
void recipients_unref(struct recipients *recipients);

/* The one or two sides of a one-to-one conversation. */
struct recipients *recipients_of_direct(const struct conversation *conversation);

struct member_cache;

/* Holds up to max_members uids over all groups. */
struct member_cache *member_cache_new(struct worker *worker, struct redis *redis, struct pg *pg, uint64_t max_members);
void member_cache_free(struct member_cache *cache);

/*
 * `done` gets a reference, maybe from inside this call. ERR_NOT_FOUND: no such group (nobody gets it). Any other error is
 * passing: ask again later.
 */
typedef void (*recipients_found)(void *arg, err_t err, struct recipients *recipients);
void member_cache_find(struct member_cache *cache, struct str gid, uint64_t version, recipients_found done, void *arg);

#endif
