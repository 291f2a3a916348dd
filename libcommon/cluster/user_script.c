#include "cluster/user_script.h"

#include <assert.h>

#include "base/clock.h"

#define GENERATION_LEN 40 /* of a run_id */

static struct str user_key_join(char out[USER_KEY_SIZE], struct str prefix, struct str uid, struct str suffix)
{
	assert(uid.len > 0 && uid.len <= UID_MAX);
	memcpy(out, prefix.ptr, prefix.len);
	memcpy(out + prefix.len, uid.ptr, uid.len);
	memcpy(out + prefix.len + uid.len, suffix.ptr, suffix.len);
	return str_of(out, prefix.len + uid.len + suffix.len);
}

void user_keys_fill(struct user_keys *keys, struct str uid)
{
	keys->keys[0] = user_key_join(keys->inbox, STR("im:inbox:{"), uid, STR("}"));
	keys->keys[1] = user_key_join(keys->meta, STR("im:inbox:{"), uid, STR("}:meta"));
	keys->keys[2] = user_key_join(keys->routes, STR("im:route:{"), uid, STR("}"));
}

void inbox_args_fill(struct inbox_args *args, const struct inbox_limits *limits)
{
	assert(limits->expire_s > 1 && limits->max_age_s > 0 && limits->max_entries > 0);
	uint64_t now_s = clock_wall_ms() / 1000;

	inbox_epoch_text(args->epoch, inbox_fresh_epoch());
	args->args[0] = REDIS_GENERATION;
	args->args[1] = str_of(args->epoch, INBOX_EPOCH_TEXT - 1);
	args->args[2] = decimal(args->now_s, now_s);
	args->args[3] = decimal(args->keep_s, limits->expire_s + limits->expire_s / 2);
	args->args[4] = decimal(args->aged_s, now_s - MIN(now_s, limits->max_age_s));
	args->args[5] = decimal(args->old_s, now_s - MIN(now_s, limits->expire_s / 2));
}

struct str inbox_head_text(char out[INBOX_HEAD_TEXT], uint64_t epoch, uint64_t version)
{
	char digits[DECIMAL_SIZE];
	struct str generation = REDIS_GENERATION, number = decimal(digits, version);
	size_t at = generation.len;

	static_assert(sizeof("\0generation") - 1 + INBOX_EPOCH_TEXT - 1 + DECIMAL_SIZE <= INBOX_HEAD_TEXT, "a head does not fit");
	memcpy(out, generation.ptr, generation.len);
	inbox_epoch_text(out + at, epoch);
	at += INBOX_EPOCH_TEXT - 1;
	memcpy(out + at, number.ptr, number.len);
	return str_of(out, at + number.len);
}

bool inbox_head_parse(struct str head, uint64_t *epoch, uint64_t *version)
{
	size_t epoch_at = GENERATION_LEN, version_at = epoch_at + INBOX_EPOCH_TEXT - 1;

	if (head.len <= version_at)
		return false;
	*epoch = inbox_epoch_parse(str_of(head.ptr + epoch_at, INBOX_EPOCH_TEXT - 1));
	return *epoch && str_to_u64(str_of(head.ptr + version_at, head.len - version_at), version);
}

bool inbox_read_answer(const redisReply *reply, size_t elements, uint64_t *epoch, uint64_t *n)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != elements || reply->element[1]->type != REDIS_REPLY_INTEGER)
		return false;
	*epoch = inbox_epoch_parse(redis_reply_str(reply->element[0]));
	*n = (uint64_t)reply->element[1]->integer;
	return *epoch != 0;
}
