#include "im/tokens/revocation_feed.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "base/random.h"

/* token id, uid, expires_at -> a row unless it was revoked before */
static const struct pg_statement revocation_feed_store = {
	"token_revoke",
	"insert into revoked_token (token_id, uid, expires_at) values ($1::bytea, $2::text, $3::bigint)"
	" on conflict do nothing returning expires_at",
};

/*
 * tx, token id, limit -> the rows after that position: horizon, server, tx, token_id, uid, expires_at, age in ms; one row with
 * only horizon and server when there is none
 */
static const struct pg_statement revocation_feed_read = {
	"revoked_read",
	"select horizon, server, tx, token_id, uid, expires_at, fn.now_ms() - revoked_at"
	" from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon,"
	" (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as server) as q"
	" left join lateral (select tx::text::bigint as tx, token_id, uid, expires_at, revoked_at from revoked_token t"
	" where (t.tx, t.token_id) > ($1::bigint::text::xid8, $2::bytea) and expires_at > fn.now_ms() - 60000"
	" order by t.tx, t.token_id limit $3::integer) as r on true order by r.tx, r.token_id",
};

/* expired before */
static const struct pg_statement revocation_feed_clean = {
	"revoked_clean",
	"delete from revoked_token where expires_at < $1::bigint",
};

#define READ_MS 500
#define PAGE_ROWS 1000

/* An older revocation is not kicked again: the im processes that ran then did it. */
#define LEARN_AGE_MS 30000

#define FORGET_EVERY_MS 60000
#define CLEAN_EVERY_MS 600000

/* A token is remembered this much longer than it is valid, because the clocks of machines differ. */
#define SPARE_MS 60000

static int64_t revocation_feed_read_count(void *arg)
{
	const struct revocation_feed *r = arg;

	return (int64_t)r->tokens.by_id.len;
}

/* ---- reading ---- */

enum column { COLUMN_HORIZON, COLUMN_SERVER, COLUMN_TX, COLUMN_TOKEN_ID, COLUMN_UID, COLUMN_EXPIRES, COLUMN_AGE_MS };

static void revocation_feed_learn(struct revocation_feed *r, const struct revocation *revocation)
{
	if (revoked_tokens_add(&r->tokens, revocation->token_id, revocation->expires_ms))
		r->learned(r->arg, revocation);
}

static void revocation_feed_take_row(struct revocation_feed *r, const PGresult *result, int row)
{
	struct revocation revocation = { .expires_ms = (uint64_t)pg_i64(result, row, COLUMN_EXPIRES) };
	struct str id = pg_text(result, row, COLUMN_TOKEN_ID);

	if (id.len != JWT_TOKEN_ID_BYTES || !str_copy(revocation.uid, sizeof(revocation.uid), pg_text(result, row, COLUMN_UID)))
		return; /* not written by an im */
	memcpy(revocation.token_id, id.ptr, JWT_TOKEN_ID_BYTES);
	if (pg_i64(result, row, COLUMN_AGE_MS) < LEARN_AGE_MS)
		revocation_feed_learn(r, &revocation);
	else
		(void)revoked_tokens_add(&r->tokens, revocation.token_id, revocation.expires_ms);
}

static void revocation_feed_begin_at(struct revocation_feed *r, int64_t tx, struct str after)
{
	r->from_tx = tx;
	buf_clear(&r->after);
	buf_append_str(&r->after, after);
}

/* Takes a page of a read. It has at least one row, with horizon and server. */
static void revocation_feed_take_page(struct revocation_feed *r, const PGresult *result)
{
	int rows = PQntuples(result);

	if (!r->is_in_pages)
		r->next_tx = pg_i64(result, 0, COLUMN_HORIZON);
	for (int row = 0; row < rows && !PQgetisnull(result, row, COLUMN_TX); row++)
		revocation_feed_take_row(r, result, row);
	r->is_in_pages = rows == PAGE_ROWS;
	if (r->is_in_pages) {
		revocation_feed_begin_at(r, pg_i64(result, rows - 1, COLUMN_TX), pg_text(result, rows - 1, COLUMN_TOKEN_ID));
		return;
	}
	revocation_feed_begin_at(r, r->next_tx, STR(""));
	if (!r->are_loaded)
		log_info("revoked tokens are known", LOG_NUM("tokens", r->tokens.by_id.len));
	r->are_loaded = true;
}

static void revocation_feed_on_read(void *arg, err_t err, const PGresult *result)
{
	struct revocation_feed *r = arg;

	if (r->is_stopped)
		return;
	if (!err && PQntuples(result) > 0) {
		int64_t server = pg_i64(result, 0, COLUMN_SERVER);

		if (server == r->server) {
			revocation_feed_take_page(r, result);
		} else {
			r->server = server;
			r->is_in_pages = false;
			revocation_feed_begin_at(r, 0, STR(""));
			worker_arm_in(r->worker, &r->timer, 0);
			return;
		}
	}
	worker_arm_in(r->worker, &r->timer, !err && r->is_in_pages ? 0 : READ_MS);
}

/* ---- forgetting ---- */

/* Every im deletes expired rows from time to time; nothing depends on the answer. */
static void revocation_feed_on_cleaned(void *arg, err_t err, const PGresult *result)
{
	(void)arg;
	(void)err;
	(void)result;
}

static void revocation_feed_forget_expired(struct revocation_feed *r)
{
	uint64_t now_ms = clock_mono_ms(), expired_ms = clock_wall_ms() - SPARE_MS;
	struct pg_params params = { 0 };

	if (now_ms >= r->forget_ms) {
		r->forget_ms = now_ms + FORGET_EVERY_MS;
		revoked_tokens_forget(&r->tokens, expired_ms);
	}
	if (now_ms >= r->clean_ms) {
		r->clean_ms = now_ms + CLEAN_EVERY_MS / 2 + random_below(CLEAN_EVERY_MS);
		pg_put_i64(&params, (int64_t)expired_ms);
		pg_query(r->pg, PG_ANY_LANE, &revocation_feed_clean, &params, revocation_feed_on_cleaned, NULL);
	}
}

static void revocation_feed_on_timer(struct timer *timer)
{
	struct revocation_feed *r = container_of(timer, struct revocation_feed, timer);
	struct pg_params params = { 0 };

	revocation_feed_forget_expired(r);
	pg_put_i64(&params, r->from_tx);
	pg_put_text(&params, buf_str(&r->after));
	pg_put_i32(&params, PAGE_ROWS);
	pg_query(r->pg, PG_ANY_LANE, &revocation_feed_read, &params, revocation_feed_on_read, r);
}

/* ---- revoking ---- */

struct revoking {
	struct revocation_feed *all;
	struct revocation revocation;
	revoked_done done;
	void *arg;
};

static void revocation_feed_on_stored(void *arg, err_t err, const PGresult *result)
{
	struct revoking *revoking = arg;

	if (err)
		err = ERR_UNAVAILABLE;
	else if (PQntuples(result) == 0)
		err = ERR_UNAUTHENTICATED;
	else
		revocation_feed_learn(revoking->all, &revoking->revocation);
	revoking->done(revoking->arg, err);
	mem_free(revoking);
}

void revocation_feed_revoke(struct revocation_feed *r, const struct revocation *revocation, revoked_done done, void *arg)
{
	struct revoking *revoking = MEM_NEW(struct revoking);
	struct pg_params params = { 0 };

	*revoking = (struct revoking){ .all = r, .revocation = *revocation, .done = done, .arg = arg };
	pg_put_text(&params, str_of(revocation->token_id, JWT_TOKEN_ID_BYTES));
	pg_put_text(&params, str_from(revocation->uid));
	pg_put_i64(&params, (int64_t)revocation->expires_ms);
	pg_query(r->pg, PG_ANY_LANE, &revocation_feed_store, &params, revocation_feed_on_stored, revoking);
}

/* ---- life ---- */

void revocation_feed_start(struct revocation_feed *r, struct worker *worker, struct pg *pg,
                           void (*learned)(void *arg, const struct revocation *revocation), void *arg)
{
	*r = (struct revocation_feed){ .worker = worker, .pg = pg, .learned = learned, .arg = arg };
	revoked_tokens_init(&r->tokens);
	timer_init(&r->timer, revocation_feed_on_timer);
	r->forget_ms = clock_mono_ms() + FORGET_EVERY_MS;
	r->clean_ms = clock_mono_ms() + random_below(CLEAN_EVERY_MS);
	metrics_gauge_fn("skein_im_revoked_tokens", "Tokens that were logged out and have not expired.", NULL,
	                 revocation_feed_read_count, r);
	worker_arm_in(r->worker, &r->timer, 0);
}

void revocation_feed_stop(struct revocation_feed *r)
{
	r->is_stopped = true;
	worker_cancel(r->worker, &r->timer);
}

void revocation_feed_release(struct revocation_feed *r)
{
	revoked_tokens_release(&r->tokens);
	buf_release(&r->after);
}
