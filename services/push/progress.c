#include "push/progress.h"

#include "base/buf.h"
#include "base/macros.h"

#define LIFE_S "86400"

_Static_assert(PROGRESS_DOUBT_MAX == 200, "PROGRESS_SQL says so, too");

static struct buf key_of(const char *conversation_id)
{
	struct buf key = { 0 };

	buf_printf(&key, "im:seq:{%s}", conversation_id);
	return key;
}

static void on_stored_read(void *arg, err_t err, const PGresult *result)
{
	struct progress_query *query = arg;

	query->done(query->arg, err, err ? 0 : (uint64_t)pg_i64(result, 0, 0));
}

static void ask_postgres(struct progress_query *query)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(query->conversation_id));
	pg_put_i64(&params, (int64_t)query->first_seq);
	pg_put_i64(&params, (int64_t)query->first_time);
	pg_query(query->progress->pg, PG_ANY_LANE, query->progress->statement, &params, on_stored_read, query);
}

static void on_mark_read(void *arg, err_t err, const redisReply *reply)
{
	struct progress_query *query = arg;
	uint64_t seq;

	if (err)
		query->done(query->arg, err, 0);
	else if (str_to_u64(redis_reply_str(reply), &seq))
		query->done(query->arg, OK, seq);
	else
		ask_postgres(query);
}

void progress_load(struct progress_query *query)
{
	struct buf key = key_of(query->conversation_id);
	struct str args[] = { STR("GET"), buf_str(&key) };

	redis_command(query->progress->redis, args, ARRAY_LEN(args), on_mark_read, query);
	buf_release(&key);
}

void progress_save(const struct progress *progress, const char *conversation_id, uint64_t seq)
{
	struct buf key = key_of(conversation_id), value = { 0 };

	buf_append_u64(&value, seq);
	struct str args[] = { STR("SET"), buf_str(&key), buf_str(&value), STR("EX"), STR(LIFE_S) };
	redis_command(progress->redis, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&key);
	buf_release(&value);
}
