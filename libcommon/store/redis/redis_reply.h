#ifndef SKEIN_STORE_REDIS_REDIS_REPLY_H
#define SKEIN_STORE_REDIS_REDIS_REPLY_H

#include <hiredis/hiredis.h>

#include "base/error.h"
#include "base/text/str.h"

/* How a command ended; redis.h lists the errors. `reply` is valid during the call. */
typedef void (*redis_done)(void *arg, err_t err, const redisReply *reply);

/* The text of a string or status reply; empty for any other reply and for NULL. */
static inline struct str redis_reply_str(const redisReply *reply)
{
	if (reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS))
		return str_of(reply->str, reply->len);
	return (struct str){ NULL, 0 };
}

#endif
