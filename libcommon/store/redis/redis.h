#ifndef SKEIN_STORE_REDIS_REDIS_H
#define SKEIN_STORE_REDIS_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/telemetry/metrics.h"
#include "base/text/str.h"
#include "loop/worker.h"
#include "store/redis/redis_reply.h"
#include "store/redis/redis_script.h"

/*
 * One pipelined connection to Redis from one loop. The commands of one turn of
 * the loop leave in one write. A lost connection is made again in the
 * background (backoff 50 ms to 1 s). Each new connection reads the server's
 * run_id first (redis_generation()), so that no command is executed by another
 * Redis process than its caller believes.
 *
 * Each command ends in exactly one call of `done`, never from inside the call
 * that gave it:
 *   OK                    `reply` is the answer; valid during the call
 *   ERR_UNAVAILABLE       not executed: no connection in time, too many commands waiting, or an error of the server that
 *                         passes (LOADING, READONLY, OOM ...)
 *   ERR_OUTCOME_UNKNOWN   sent, but the connection was lost or the answer did not come in time
 *   ERR_INTERNAL          the server answered with an error, which is logged; `reply` is that error
 *
 * While the server is away commands wait, at most max_waiting of them and each
 * for timeout_ms at most. Thread: the worker's.
 */

struct redis;

struct redis_options {
	const char *uri; /* redis://[[user]:password@]host[:port][/db]; %XX in user and password, IPv6 as [::1] */
	unsigned max_waiting; /* commands that have not ended; more are refused with ERR_UNAVAILABLE */
	struct gauge *waiting_gauge; /* their number; may be NULL */
	uint64_t timeout_ms; /* of one command, including the wait for a connection */
};

/* Connects in the background, so it succeeds while the server is away. ERR_BAD_CONFIG, logged, for an invalid URI. */
err_t redis_new(struct redis **out, struct worker *worker, const struct redis_options *options) MUST_CHECK;

/*
 * Commands that have no answer end now: ERR_OUTCOME_UNKNOWN if they were sent, else ERR_UNAVAILABLE. `closed` is called on a
 * later turn; nothing of the client is used after it.
 */
void redis_close(struct redis *redis, void (*closed)(void *arg), void *arg);

/* Copies the arguments. `done` may be NULL. */
void redis_command(struct redis *redis, const struct str *args, unsigned count, redis_done done, void *arg);

/*
 * Calls a script with `keys` and `args`, which are copied. In one argument that begins with REDIS_GENERATION, that beginning
 * becomes the run_id of the server that the command is sent to, also when that is after a reconnect.
 */
void redis_eval(struct redis *redis, struct redis_script *script, const struct str *keys, unsigned key_count,
                const struct str *args, unsigned arg_count, redis_done done, void *arg);

/* The run_id of the connected server; "" without a connection. */
const char *redis_generation(const struct redis *redis);

/*
 * `changed` is called each time a new connection reaches a server with another run_id than the last one; not for the first
 * connection. Any number of callers may register. There is no way to unregister: `arg` lives as long as the client.
 */
void redis_on_new_generation(struct redis *redis, void (*changed)(void *arg), void *arg);

bool redis_is_connected(const struct redis *redis);

#endif
