#ifndef SKEIN_STORE_REDIS_REDIS_LINK_H
#define SKEIN_STORE_REDIS_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "base/text/buf.h"
#include "loop/worker.h"
#include "store/redis/redis_uri.h"

/*
 * One connection to Redis: name lookup, connecting, the greeting, reading and
 * writing, the end. It moves bytes and replies; redis.c matches them with
 * commands. Thread: the worker's.
 */
struct redis_link;

struct redis_link_handlers {
	void (*ready)(void *arg); /* authenticated, and the server has loaded its data */
	void (*reply)(void *arg, const redisReply *reply);
	void (*read)(void *arg); /* all replies that had arrived were given to `reply` */
	void (*written)(void *arg); /* the rest of a write that the socket did not take at once has left */
	void (*failed)(void *arg, const char *event, struct str reason); /* once, at any time: the owner closes the link */
	void (*closed)(void *arg); /* on a later turn than redis_link_close(); the last call */
};

/*
 * Starts to connect; nothing is called before the loop's next turn. `try` chooses among several addresses. `uri` and
 * `handlers` live longer.
 */
struct redis_link *redis_link_new(struct worker *worker, const struct redis_uri *uri, unsigned try,
                                  const struct redis_link_handlers *handlers, void *arg);

/* May be called from any handler. */
void redis_link_close(struct redis_link *link);

/* The server's run_id; valid after `ready`. */
const char *redis_link_run_id(const struct redis_link *link);

/* The buffer that redis_link_write() sends. Do not touch it while the link is writing. */
struct buf *redis_link_out(struct redis_link *link);
bool redis_link_is_writing(const struct redis_link *link);

/* True if the socket took all bytes. Otherwise the rest follows by itself, and `written` is called. */
bool redis_link_write(struct redis_link *link);

#endif
