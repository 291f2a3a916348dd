#ifndef SKEIN_STORE_REDIS_REDIS_LINK_H
#define SKEIN_STORE_REDIS_REDIS_LINK_H

#include "base/text/buf.h"
#include "store/redis/redis.h"
#include "store/redis/redis_uri.h"

/*
 * One connection to Redis, from looking up the name to its end. Knows bytes and
 * replies, not commands. Internal to store.
 */
struct redis_link;

struct redis_link_handlers {
	void (*ready)(void *arg); /* it is let in, and the server's data is loaded */
	void (*reply)(void *arg, const redisReply *reply);
	void (*read)(void *arg); /* those were all replies for now */
	void (*written)(void *arg); /* what redis_link_write() could not take at once is out */
	void (*failed)(void *arg, const char *event, struct str reason); /* at any time, once: close it */
	void (*closed)(void *arg); /* on a later turn than redis_link_close(); nothing else is called after that */
};

/*
 * Starts to connect; nothing is called before the loop's next turn. `try` chooses among several addresses. `uri` and
 * `handlers` live longer.
 */
struct redis_link *redis_link_new(struct worker *worker, const struct redis_uri *uri, unsigned try,
                                  const struct redis_link_handlers *handlers, void *arg);

/* From any of the handlers, too. */
void redis_link_close(struct redis_link *link);

/* Of the server, once ready. */
const char *redis_link_run_id(const struct redis_link *link);

/* What redis_link_write() will write. Not while it is writing. */
struct buf *redis_link_out(struct redis_link *link);
bool redis_link_is_writing(const struct redis_link *link);

/* True if the socket took all of it; else it goes on by itself. */
bool redis_link_write(struct redis_link *link);

#endif
