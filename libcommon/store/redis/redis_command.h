#ifndef SKEIN_STORE_REDIS_REDIS_COMMAND_H
#define SKEIN_STORE_REDIS_REDIS_COMMAND_H

#include "store/redis/redis.h"
#include "store/requests.h"

/*
 * A command as it goes over the wire, formatted once when it is given: it may
 * wait for its connection, and a script may have to be sent again. Only the
 * generation, of a fixed length, is filled in when it is sent. Internal to
 * store.
 */
#define RUN_ID_LEN 40

struct redis_command {
	struct request request;
	redis_done done; /* may be NULL */
	void *arg;
	const redisReply *reply; /* during `done` */
	struct redis_script *script; /* NULL if it is none */
	unsigned tries; /* how often the server did not know the script */
	uint32_t generation_at; /* 0: none */
	uint32_t len;
	char bytes[];
};

/* Pieces of a command's arguments that follow one another. */
struct redis_args {
	const struct str *args;
	unsigned count;
};

/* Zeroed but for the bytes. mem_free() it. */
struct redis_command *redis_command_new(const struct redis_args *pieces, unsigned piece_count);

/* "HGETALL", or the script's name: for logs. */
struct str redis_command_name(const struct redis_command *command);

/* Fills `sha` at the first use. */
void redis_script_prepare(struct redis_script *script);

/*
 * What the server's answer means, logged if it is an error. `is_stale`: the server behind this connection became a replica.
 * An unknown script (redis_is_unknown_script()) is ERR_UNAVAILABLE: nothing was executed.
 */
err_t redis_classify(const struct redis_command *command, const redisReply *reply, bool *is_stale);
bool redis_is_unknown_script(const redisReply *reply);

#endif
