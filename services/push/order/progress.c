#include "push/order/progress.h"

#include "base/text/buf.h"
#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/macros.h"

/* The last seq of conversation $1 that is below seq $2 and was stored before time $3. */
static const struct pg_statement progress_stored = {
	"push_progress",
	"select fn.stored_before($1::text, $2::bigint, $3::bigint)",
};

#define LIFE_S "86400"
#define LIFE_MS UINT64_C(86400000)

/*
 * KEYS[1] im:seq:since: "run_id|time". ARGV[1] is the run_id of the connected Redis. If the key is missing or has another
 * run_id, it is set to now: Redis remembers from now on. Answers the key's time and Redis's own.
 */
static struct redis_script since_script = {
	.name = "seq since",
	.source = "local t = redis.call('TIME')\n"
		  "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
		  "local mark, since = ARGV[1] .. '|', redis.call('GET', KEYS[1])\n"
		  "if not since or string.sub(since, 1, #mark) ~= mark then\n"
		  "  since = mark .. string.format('%.0f', now)\n"
		  "  redis.call('SET', KEYS[1], since)\n"
		  "end\n"
		  "return { tonumber(string.sub(since, #mark + 1)) or now, now }\n",
};

/* Asks Redis for the time since which it has kept seqs; sets it if it is missing. */
static void progress_ask_since(const struct progress *progress, redis_done done, void *arg)
{
	const struct str key = STR("im:seq:since"), generation = REDIS_GENERATION;

	redis_eval(progress->redis, &since_script, &key, 1, &generation, 1, done, arg);
}

static struct buf progress_key_of(const char *conversation_id)
{
	struct buf key = { 0 };

	buf_printf(&key, "im:seq:{%s}", conversation_id);
	return key;
}

/* ---- reading ---- */

static void progress_on_stored_read(void *arg, err_t err, const PGresult *result)
{
	struct progress_query *query = arg;

	query->done(query->arg, err, err ? 0 : (uint64_t)pg_i64(result, 0, 0));
}

static bool progress_is_integer(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0;
}

static void progress_on_since(void *arg, err_t err, const redisReply *reply)
{
	struct progress_query *query = arg;
	struct pg_params params = { 0 };

	if (!err && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !progress_is_integer(reply->element[0]) ||
	             !progress_is_integer(reply->element[1]))) {
		log_error("unexpected answer of a script", LOG_TEXT("script", since_script.name));
		err = ERR_INTERNAL;
	}
	if (err) {
		query->done(query->arg, err, 0);
		return;
	}
	uint64_t since_ms = (uint64_t)reply->element[0]->integer, now_ms = (uint64_t)reply->element[1]->integer;
	uint64_t day_ms = now_ms - MIN(now_ms, LIFE_MS);
	pg_put_text(&params, str_from(query->conversation_id));
	pg_put_i64(&params, (int64_t)query->first_seq);
	pg_put_i64(&params, (int64_t)MAX(day_ms, since_ms - MIN(since_ms, PROGRESS_SLACK_MS)));
	pg_query(query->progress->pg, PG_ANY_LANE, &progress_stored, &params, progress_on_stored_read, query);
}

static void progress_on_mark_read(void *arg, err_t err, const redisReply *reply)
{
	struct progress_query *query = arg;
	uint64_t seq;

	if (err)
		query->done(query->arg, err, 0);
	else if (str_to_u64(redis_reply_str(reply), &seq))
		query->done(query->arg, OK, seq);
	else
		progress_ask_since(query->progress, progress_on_since, query);
}

void progress_load(struct progress_query *query)
{
	struct buf key = progress_key_of(query->conversation_id);
	struct str args[] = { STR("GET"), buf_str(&key) };

	redis_command(query->progress->redis, args, ARRAY_LEN(args), progress_on_mark_read, query);
	buf_release(&key);
}

void progress_save(const struct progress *progress, const char *conversation_id, uint64_t seq)
{
	struct buf key = progress_key_of(conversation_id), value = { 0 };

	buf_append_u64(&value, seq);
	struct str args[] = { STR("SET"), buf_str(&key), buf_str(&value), STR("EX"), STR(LIFE_S) };
	redis_command(progress->redis, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&key);
	buf_release(&value);
}

/* ---- keeping im:seq:since ---- */

static void progress_on_look(struct timer *timer)
{
	struct progress *progress = container_of(timer, struct progress, look);

	progress_ask_since(progress, NULL, NULL);
	worker_arm_in(progress->worker, timer, PROGRESS_LOOK_MS);
}

void progress_start(struct progress *progress, struct worker *worker, struct redis *redis, struct pg *pg)
{
	*progress = (struct progress){ .worker = worker, .redis = redis, .pg = pg };
	timer_init(&progress->look, progress_on_look);
	worker_arm(worker, &progress->look, clock_mono_ms());
}

void progress_stop(struct progress *progress)
{
	worker_cancel(progress->worker, &progress->look);
}
