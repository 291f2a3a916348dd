#include "im/changes/change_feed.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"

/* token id, uid, expires_at -> a row unless it was revoked before */
static const struct pg_statement change_feed_store = {
	"token_revoke",
	"insert into change_feed (id, uid, expires_at) values ($1::bytea, $2::text, $3::bigint)"
	" on conflict do nothing returning expires_at",
};

/*
 * tx, id, limit -> the rows after that position: horizon, server, tx, id, kind, uid, expires_at, issued_until, age in ms; one row
 * with only horizon and server when there is none
 */
static const struct pg_statement change_feed_read = {
	"change_read",
	"select horizon, server, tx, id, kind, uid, expires_at, issued_until, fn.now_ms() - changed_at"
	" from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon,"
	" (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as server) as q"
	" left join lateral (select tx::text::bigint as tx, id, kind, uid, expires_at, issued_until, changed_at from change_feed t"
	" where (t.tx, t.id) > ($1::bigint::text::xid8, $2::bytea) and expires_at > fn.now_ms() - 60000"
	" order by t.tx, t.id limit $3::integer) as r on true order by r.tx, r.id",
};

/* expired before */
static const struct pg_statement change_feed_clean = {
	"change_clean",
	"delete from change_feed where expires_at < $1::bigint",
};

#define READ_MS 500
#define PAGE_ROWS 1000

/* For an older change no connection is closed again: the im processes that ran then did it. */
#define RECENT_MS 30000

/*
 * Changes of users stay in the table for a day (fn.change_add()). After half of it without a read, rows may have been deleted
 * unseen.
 */
#define READ_GAP_MS (12 * 3600 * 1000ull)

#define FORGET_EVERY_MS 60000
#define CLEAN_EVERY_MS 600000

/* A token is remembered this much longer than it is valid, because the clocks of machines differ. */
#define SPARE_MS 60000

/* As in the column `kind`; the index is an enum change_kind. */
static const char *const change_kinds[] = { "revoked", "user_disabled", "user_enabled", "user_logged_out", "user_deleted" };

static int64_t change_feed_read_count(void *arg)
{
	const struct change_feed *feed = arg;

	return (int64_t)feed->revoked.by_id.len;
}

/* ---- reading ---- */

enum column { COLUMN_HORIZON, COLUMN_SERVER, COLUMN_TX, COLUMN_ID, COLUMN_KIND, COLUMN_UID, COLUMN_EXPIRES, COLUMN_ISSUED_UNTIL,
	      COLUMN_AGE_MS };

void change_feed_learn(struct change_feed *feed, const struct change *change)
{
	bool is_token = change->kind == CHANGE_REVOKED;

	if (id_set_add(is_token ? &feed->revoked : &feed->seen, change->id, change->expires_ms) && (!is_token || change->is_recent))
		feed->learned(feed->arg, change);
}

/* False: a kind that this version does not know, or a row that no im has written. */
static bool change_feed_read_row(struct change *change, const PGresult *result, int row)
{
	struct str id = pg_text(result, row, COLUMN_ID), kind = pg_text(result, row, COLUMN_KIND);
	size_t number = 0;

	while (number < ARRAY_LEN(change_kinds) && !str_equal(kind, str_from(change_kinds[number])))
		number++;
	*change = (struct change){
		.kind = (enum change_kind)number,
		.expires_ms = (uint64_t)pg_i64(result, row, COLUMN_EXPIRES),
		.issued_until_ms = (uint64_t)pg_i64(result, row, COLUMN_ISSUED_UNTIL),
		.is_recent = pg_i64(result, row, COLUMN_AGE_MS) < RECENT_MS,
	};
	if (number == ARRAY_LEN(change_kinds) || id.len != sizeof(change->id) ||
	    !str_copy(change->uid, sizeof(change->uid), pg_text(result, row, COLUMN_UID)))
		return false;
	memcpy(change->id, id.ptr, sizeof(change->id));
	return true;
}

static void change_feed_take_row(struct change_feed *feed, const PGresult *result, int row)
{
	struct change change;

	if (change_feed_read_row(&change, result, row))
		change_feed_learn(feed, &change);
}

static void change_feed_begin_at(struct change_feed *feed, int64_t tx, struct str after)
{
	feed->from_tx = tx;
	buf_clear(&feed->after);
	buf_append_str(&feed->after, after);
}

/* Takes a page of a read. It has at least one row, with horizon and server. */
static void change_feed_take_page(struct change_feed *feed, const PGresult *result)
{
	int rows = PQntuples(result);

	if (!feed->is_in_pages)
		feed->next_tx = pg_i64(result, 0, COLUMN_HORIZON);
	for (int row = 0; row < rows && !PQgetisnull(result, row, COLUMN_TX); row++)
		change_feed_take_row(feed, result, row);
	feed->is_in_pages = rows == PAGE_ROWS;
	if (feed->is_in_pages) {
		change_feed_begin_at(feed, pg_i64(result, rows - 1, COLUMN_TX), pg_text(result, rows - 1, COLUMN_ID));
		return;
	}
	change_feed_begin_at(feed, feed->next_tx, STR(""));
	if (!feed->are_loaded)
		log_info("revoked tokens are known", LOG_NUM("tokens", feed->revoked.by_id.len));
	feed->are_loaded = true;
}

/* Everything is read from the beginning: the rows since the last read are not known to be all that there were. */
static void change_feed_begin_anew(struct change_feed *feed, int64_t server)
{
	static const struct change unknown = { .kind = CHANGE_UNKNOWN };

	feed->server = server;
	feed->is_in_pages = false;
	change_feed_begin_at(feed, 0, STR(""));
	feed->learned(feed->arg, &unknown);
}

static void change_feed_on_read(void *arg, err_t err, const PGresult *result)
{
	struct change_feed *feed = arg;
	uint64_t now_ms = clock_mono_ms();
	bool goes_on = false;

	if (feed->is_stopped)
		return;
	if (!err && PQntuples(result) > 0) {
		int64_t server = pg_i64(result, 0, COLUMN_SERVER);
		bool is_anew = server != feed->server || now_ms > feed->read_ms + READ_GAP_MS;

		if (is_anew)
			change_feed_begin_anew(feed, server);
		else
			change_feed_take_page(feed, result);
		feed->read_ms = now_ms;
		goes_on = is_anew || feed->is_in_pages;
	}
	worker_arm_in(feed->worker, &feed->timer, goes_on ? 0 : READ_MS);
}

/* ---- forgetting ---- */

/* Every im deletes expired rows from time to time; nothing depends on the answer. */
static void change_feed_on_cleaned(void *arg, err_t err, const PGresult *result)
{
	(void)arg;
	(void)err;
	(void)result;
}

static void change_feed_forget_expired(struct change_feed *feed)
{
	uint64_t now_ms = clock_mono_ms(), expired_ms = clock_wall_ms() - SPARE_MS;
	struct pg_params params = { 0 };

	if (now_ms >= feed->forget_ms) {
		feed->forget_ms = now_ms + FORGET_EVERY_MS;
		id_set_forget(&feed->revoked, expired_ms);
		id_set_forget(&feed->seen, expired_ms);
	}
	if (now_ms >= feed->clean_ms) {
		feed->clean_ms = now_ms + CLEAN_EVERY_MS / 2 + random_below(CLEAN_EVERY_MS);
		pg_put_i64(&params, (int64_t)expired_ms);
		pg_query(feed->pg, PG_ANY_LANE, &change_feed_clean, &params, change_feed_on_cleaned, NULL);
	}
}

static void change_feed_on_timer(struct timer *timer)
{
	struct change_feed *feed = container_of(timer, struct change_feed, timer);
	struct pg_params params = { 0 };

	change_feed_forget_expired(feed);
	pg_put_i64(&params, feed->from_tx);
	pg_put_text(&params, buf_str(&feed->after));
	pg_put_i32(&params, PAGE_ROWS);
	pg_query(feed->pg, PG_ANY_LANE, &change_feed_read, &params, change_feed_on_read, feed);
}

/* ---- revoking ---- */

struct revoking {
	struct change_feed *all;
	struct change revoked;
	revoked_done done;
	void *arg;
};

static void change_feed_on_stored(void *arg, err_t err, const PGresult *result)
{
	struct revoking *revoking = arg;

	if (err)
		err = ERR_UNAVAILABLE;
	else if (PQntuples(result) == 0)
		err = ERR_UNAUTHENTICATED;
	else
		change_feed_learn(revoking->all, &revoking->revoked);
	revoking->done(revoking->arg, err);
	mem_free(revoking);
}

void change_feed_revoke(struct change_feed *feed, const struct change *revoked, revoked_done done, void *arg)
{
	struct revoking *revoking = MEM_NEW(struct revoking);
	struct pg_params params = { 0 };

	*revoking = (struct revoking){ .all = feed, .revoked = *revoked, .done = done, .arg = arg };
	revoking->revoked.is_recent = true;
	change_put_id(&params, revoked);
	pg_put_text(&params, str_from(revoked->uid));
	pg_put_i64(&params, (int64_t)revoked->expires_ms);
	pg_query(feed->pg, PG_ANY_LANE, &change_feed_store, &params, change_feed_on_stored, revoking);
}

/* ---- a change of a user ---- */

void change_make(struct change *change, enum change_kind kind, struct str uid)
{
	*change = (struct change){ .kind = kind, .is_recent = true, .expires_ms = clock_wall_ms() + 2 * READ_GAP_MS };
	random_bytes(change->id, sizeof(change->id));
	(void)str_copy(change->uid, sizeof(change->uid), uid);
}

void change_put_id(struct pg_params *params, const struct change *change)
{
	pg_put_text(params, str_of((const char *)change->id, sizeof(change->id)));
}

void change_put(struct pg_params *params, const struct change *change)
{
	change_put_id(params, change);
	pg_put_text(params, str_from(change_kinds[change->kind]));
}

/* ---- life ---- */

void change_feed_start(struct change_feed *feed, struct worker *worker, struct pg *pg, change_learned learned, void *arg)
{
	*feed = (struct change_feed){ .worker = worker, .pg = pg, .learned = learned, .arg = arg };
	id_set_init(&feed->revoked);
	id_set_init(&feed->seen);
	timer_init(&feed->timer, change_feed_on_timer);
	feed->forget_ms = clock_mono_ms() + FORGET_EVERY_MS;
	feed->clean_ms = clock_mono_ms() + random_below(CLEAN_EVERY_MS);
	metrics_gauge_fn("skein_im_revoked_tokens", "Tokens that were logged out and have not expired.", NULL,
	                 change_feed_read_count, feed);
	worker_arm_in(feed->worker, &feed->timer, 0);
}

void change_feed_stop(struct change_feed *feed)
{
	feed->is_stopped = true;
	worker_cancel(feed->worker, &feed->timer);
}

void change_feed_release(struct change_feed *feed)
{
	id_set_release(&feed->revoked);
	id_set_release(&feed->seen);
	buf_release(&feed->after);
}
