#ifndef SKEIN_STORE_REDIS_REDIS_COMMAND_H
#define SKEIN_STORE_REDIS_REDIS_COMMAND_H

#include "base/text/str.h"
#include "store/redis/redis_reply.h"
#include "store/redis/redis_script.h"
#include "store/requests.h"

/*
 * A command in the protocol's own form (RESP), and the error that the server's
 * answer stands for. A command is formatted once, when the caller gives it: it may wait
 * for a connection, and a call of a script may be sent again. Only the
 * generation, whose length is fixed, is filled in when the command is sent.
 * redis.c and redis_link.c are the only users.
 */

#define RUN_ID_LEN 40

struct redis_command {
	struct request request;
	redis_done done; /* may be NULL */
	void *arg;
	const redisReply *reply; /* during `done` */
	struct redis_script *script; /* NULL if the command is not a call of a script */
	unsigned tries; /* how often the server did not know the script */
	uint32_t generation_at; /* 0: none */
	uint32_t len;
	char bytes[];
};

/* A part of the arguments. A command is made of several parts, so that callers need not copy them into one array. */
struct redis_args {
	const struct str *args;
	unsigned count;
};

/* Sets generation_at, len and bytes; the other members are zero. Free it with mem_free(). */
struct redis_command *redis_command_new(const struct redis_args *pieces, unsigned piece_count);

/* "HGETALL", or the script's name: for logs. */
struct str redis_command_name(const struct redis_command *command);

/*
 * The error that an answer stands for; it is logged if it is one. `is_stale` is set when the server has become a replica
 * (READONLY). An unknown script (redis_is_unknown_script()) is ERR_UNAVAILABLE: nothing was executed.
 */
err_t redis_classify(const struct redis_command *command, const redisReply *reply, bool *is_stale);
bool redis_is_unknown_script(const redisReply *reply);

#endif
