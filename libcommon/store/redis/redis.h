#ifndef SKEIN_STORE_REDIS_REDIS_H
#define SKEIN_STORE_REDIS_REDIS_H

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/telemetry/metrics.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * One pipelined connection to Redis from one loop. Commands given in one turn
 * of the loop leave in one write. A lost connection comes back by itself
 * (backoff 50 ms - 1 s); before it takes commands again the server's run_id is
 * read (redis_generation()), so that nothing is written into another Redis
 * process than the caller believes.
 *
 * Every command ends in exactly one call of `done`, never from inside the call
 * that gave it:
 *   OK                    `reply` holds the answer (valid during the call)
 *   ERR_UNAVAILABLE       it was not executed: not connected in time, the queue was full, or the server cannot for
 *                         now (LOADING, READONLY, OOM ...)
 *   ERR_OUTCOME_UNKNOWN   sent, and the connection was lost or no answer came in time
 *   ERR_INTERNAL          the server answered an error (logged); `reply` is that error
 *
 * Commands wait while the server is away, up to max_waiting and their time-out.
 * Thread: the worker's.
 */

struct redis;

struct redis_options {
	const char *uri; /* redis://[[user]:password@]host[:port][/db]; %XX in user and password, IPv6 as [::1] */
	unsigned max_waiting; /* commands not answered yet */
	struct gauge *waiting_gauge; /* of those; may be NULL */
	uint64_t timeout_ms; /* of one command, waiting included */
};

/*
 * A Lua script, called by its SHA; loaded again when the server does not know it (NOSCRIPT). Declare it static, one per
 * script, with its name and source.
 */
struct redis_script {
	const char *name; /* for logs */
	const char *source;
	atomic_bool has_sha; /* filled at first use, by whichever thread */
	char sha[41];
};

typedef void (*redis_done)(void *arg, err_t err, const redisReply *reply);

/* Connects in the background; succeeds even while the server is away. ERR_BAD_CONFIG, logged, when the URI is none. */
err_t redis_new(struct redis **out, struct worker *worker, const struct redis_options *options) MUST_CHECK;

/* As pg_close(): what was not answered ends now, `closed` is called on a later turn. */
void redis_close(struct redis *redis, void (*closed)(void *arg), void *arg);

/* Copies the arguments. `done` may be NULL. */
void redis_command(struct redis *redis, const struct str *args, unsigned count, redis_done done, void *arg);

/*
 * Calls a script: `keys` first, then `args`. A script that needs the generation
 * takes REDIS_GENERATION as an argument: it is replaced by the run_id of the
 * connection the command is actually sent on, also after a reconnect.
 */
void redis_eval(struct redis *redis, struct redis_script *script, const struct str *keys, unsigned key_count,
                const struct str *args, unsigned arg_count, redis_done done, void *arg);

#define REDIS_GENERATION ((struct str){ "\0generation", 11 })

/* The run_id of the server that is connected now; "" while none is. */
const char *redis_generation(const struct redis *redis);

/*
 * Called each time a connection is ready whose generation differs from the one before (not for the very first). Several
 * may ask; for as long as the client lives.
 */
void redis_on_new_generation(struct redis *redis, void (*changed)(void *arg), void *arg);

bool redis_is_connected(const struct redis *redis);

/* The text of a string or status reply; empty for anything else. */
struct str redis_reply_str(const redisReply *reply);

#endif
