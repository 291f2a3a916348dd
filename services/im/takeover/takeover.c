#include "im/takeover/takeover.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"
#include "base/random.h"
#include "im/stored/message_row.h"

/* caretaker, own node or -1, life in ms -> node, epoch, owner, watermark, last; no row: no lease is over */
static const struct pg_statement takeover_find = {
	"lease_take_over",
	"select node, epoch, owner, watermark, last from fn.im_lease_take_over($1::text, $2::integer, $3::integer)",
};

/* as fn.im_unpublished() */
static const struct pg_statement takeover_unpublished = {
	"unpublished",
	"select is_whole, conversation_id, member_version, array_to_string(joined, ','), array_to_string(\"left\", ','),"
	" " MESSAGE_ROW_COLUMNS
	" from fn.im_unpublished($1::integer, $2::bigint, $3::bigint, $4::integer, $5::bigint)",
};

/* Between two looks, with jitter. */
#define LOOK_MIN_MS 700
#define LOOK_MAX_MS 1300

/*
 * After PostgreSQL was away every lease is over until its owner renews it. An im looks for leases only when its own was
 * renewed this long ago, so that the others had time to renew theirs.
 */
#define SETTLE_MS 1500

#define PAGE_MESSAGES 256
#define PAGE_BYTES (256 * 1024)

/* ---- the ward's lease ---- */

static void takeover_end(struct takeover *takeover)
{
	lease_lost(&takeover->ward);
	takeover->state = TAKEOVER_LOOKING;
	/* Looks again at once: other leases may be over, too. */
	worker_arm(takeover->worker, &takeover->timer, clock_mono_ms());
}

static void takeover_on_renewed(void *arg, err_t err, const PGresult *result)
{
	struct takeover *takeover = arg;

	if (takeover->is_stopped)
		return;
	if (err) {
		lease_unanswered(&takeover->ward);
	} else if (PQntuples(result) > 0) {
		lease_renewed(&takeover->ward, takeover->asked_watermark);
	} else {
		log_warn("another im is now the caretaker of this node number", LOG_NUM("number", takeover->ward.node));
		lease_unanswered(&takeover->ward);
		lease_lost(&takeover->ward);
		if (takeover->state == TAKEOVER_RESTING)
			takeover_end(takeover);
	}
}

static void takeover_put_ward(const struct takeover *takeover, struct pg_params *params)
{
	pg_put_i32(params, takeover->ward.node);
	pg_put_i64(params, takeover->ward.epoch);
	pg_put_i64(params, (int64_t)takeover->walk.after);
}

static void takeover_renew_if_due(struct takeover *takeover)
{
	struct pg_params params = { 0 };
	uint64_t now = clock_mono_ms();

	if (lease_next(&takeover->ward, takeover->walk.after, now) != LEASE_RENEW)
		return;
	lease_asked(&takeover->ward, now);
	takeover->asked_watermark = takeover->walk.after;
	takeover_put_ward(takeover, &params);
	pg_put_i32(&params, (int32_t)takeover->ward.life_ms);
	pg_query(takeover->pg, PG_ANY_LANE, &lease_renew_statement, &params, takeover_on_renewed, takeover);
}

static void takeover_on_given_back(void *arg, err_t err, const PGresult *result)
{
	struct takeover *takeover = arg;
	(void)result;

	if (takeover->is_stopped)
		return;
	if (err)
		log_warn("a node number that was taken over could not be given back", LOG_NUM("number", takeover->ward.node),
		         LOG_ERR(err));
	else
		log_info("the takeover of a node number is done", LOG_NUM("number", takeover->ward.node),
		         LOG_U64("messages", takeover->messages), LOG_U64("ms", clock_mono_ms() - takeover->started_ms));
	takeover_end(takeover);
}

static void takeover_give_back(struct takeover *takeover)
{
	struct pg_params params = { 0 };

	takeover_put_ward(takeover, &params);
	pg_put_bool(&params, id_walk_is_over(&takeover->walk));
	pg_query(takeover->pg, PG_ANY_LANE, &lease_give_back_statement, &params, takeover_on_given_back, takeover);
}

/* ---- its messages ---- */

static void takeover_next_page(struct takeover *takeover);

static void takeover_end_page(struct takeover *takeover)
{
	if (!takeover->ward.has_number) {
		takeover_end(takeover);
	} else if (takeover->has_failed) {
		takeover->state = TAKEOVER_RESTING;
	} else {
		if (takeover->page_is_whole)
			id_walk_take_whole(&takeover->walk);
		else
			id_walk_take_full(&takeover->walk, takeover->page_highest);
		takeover_next_page(takeover);
	}
}

static void takeover_on_told(void *arg, err_t err)
{
	struct takeover *takeover = arg;

	takeover->untold--;
	takeover->has_failed |= err != OK;
	counter_add(takeover->republished, !err);
	takeover->messages += !err;
	if (takeover->untold == 0 && !takeover->is_stopped)
		takeover_end_page(takeover);
}

enum column { COLUMN_IS_WHOLE, COLUMN_CONVERSATION_ID, COLUMN_MEMBER_VERSION, COLUMN_JOINED, COLUMN_LEFT, COLUMN_MESSAGE };

static void takeover_on_page(void *arg, err_t err, const PGresult *rows)
{
	struct takeover *takeover = arg;

	if (takeover->is_stopped)
		return;
	if (!takeover->ward.has_number) {
		takeover_end(takeover);
		return;
	}
	if (err) {
		log_warn("a takeover could not read a page of messages", LOG_NUM("number", takeover->ward.node),
		         LOG_ERR(err));
		takeover->state = TAKEOVER_RESTING;
		return;
	}
	int count = PQntuples(rows);
	takeover->state = TAKEOVER_PUBLISHING;
	takeover->has_failed = false;
	takeover->untold = (unsigned)count;
	takeover->page_is_whole = count == 0 || pg_bool(rows, 0, COLUMN_IS_WHOLE);
	takeover->page_highest = count == 0 ? 0 : message_row_read(rows, count - 1, COLUMN_MESSAGE, STR("")).msg_id;
	for (int row = 0; row < count; row++) {
		/* After an entry that the producer did not take, none is produced: the order would be lost. */
		if (takeover->has_failed) {
			takeover_on_told(takeover, ERR_FULL);
			continue;
		}
		const struct publisher_record record = {
			.message = message_row_read(rows, row, COLUMN_MESSAGE, pg_text(rows, row, COLUMN_CONVERSATION_ID)),
			.member_version = pg_i64(rows, row, COLUMN_MEMBER_VERSION),
			.joined = pg_text(rows, row, COLUMN_JOINED),
			.left = pg_text(rows, row, COLUMN_LEFT),
		};
		publisher_republish(takeover->publisher, &record, takeover_on_told, takeover);
	}
	if (count == 0)
		takeover_end_page(takeover);
}

static void takeover_next_page(struct takeover *takeover)
{
	struct pg_params params = { 0 };

	if (id_walk_is_over(&takeover->walk)) {
		/* The answer of a renewal that is under way must not be taken for the next ward's. */
		takeover->state = takeover->ward.is_asking ? TAKEOVER_RESTING : TAKEOVER_GIVING_BACK;
		if (takeover->state == TAKEOVER_GIVING_BACK)
			takeover_give_back(takeover);
		return;
	}
	takeover->state = TAKEOVER_READING;
	pg_put_i32(&params, takeover->ward.node);
	pg_put_i64(&params, (int64_t)takeover->walk.after);
	pg_put_i64(&params, (int64_t)id_walk_upto(&takeover->walk));
	pg_put_i32(&params, PAGE_MESSAGES);
	pg_put_i64(&params, PAGE_BYTES);
	pg_query(takeover->pg, PG_ANY_LANE, &takeover_unpublished, &params, takeover_on_page, takeover);
}

/* ---- looking ---- */

static void takeover_on_looked(void *arg, err_t err, const PGresult *rows)
{
	struct takeover *takeover = arg;

	lease_unanswered(&takeover->ward);
	if (err || PQntuples(rows) == 0 || takeover->is_stopped)
		return;
	uint64_t watermark = (uint64_t)pg_i64(rows, 0, 3), last = (uint64_t)pg_i64(rows, 0, 4);
	lease_taken(&takeover->ward, (int)pg_i64(rows, 0, 0), pg_i64(rows, 0, 1), watermark);
	id_walk_start(&takeover->walk, watermark, last);
	takeover->messages = 0;
	takeover->started_ms = clock_mono_ms();
	counter_add(takeover->takeovers, 1);
	log_warn("a lease ran out, its node number is taken over", LOG_NUM("number", takeover->ward.node),
	         LOG_STR("owner", pg_text(rows, 0, 2)), LOG_U64("watermark", watermark), LOG_U64("last", last));
	worker_arm_in(takeover->worker, &takeover->timer, LEASE_STORE_WATERMARK_MS);
	takeover_next_page(takeover);
}

static void takeover_look(struct takeover *takeover)
{
	const struct lease *own = &takeover->keeper->lease;
	struct pg_params params = { 0 };

	lease_asked(&takeover->ward, clock_mono_ms());
	pg_put_text(&params, str_from(takeover->name));
	pg_put_i32(&params, own->has_number ? own->node : -1);
	pg_put_i32(&params, (int32_t)takeover->ward.life_ms);
	pg_query(takeover->pg, PG_ANY_LANE, &takeover_find, &params, takeover_on_looked, takeover);
}

/* An im that found no free number looks, too: only a takeover frees one. */
static bool takeover_may_look(struct takeover *takeover, uint64_t now_ms)
{
	if (!lease_keeper_is_held(takeover->keeper))
		takeover->held_since_ms = 0;
	else if (takeover->held_since_ms == 0)
		takeover->held_since_ms = now_ms;
	return takeover->keeper->is_starved || (takeover->held_since_ms && now_ms >= takeover->held_since_ms + SETTLE_MS);
}

static void takeover_on_timer(struct timer *timer)
{
	struct takeover *takeover = container_of(timer, struct takeover, timer);
	uint64_t now = clock_mono_ms();
	uint64_t pause_ms = LEASE_STORE_WATERMARK_MS;

	if (takeover->state == TAKEOVER_LOOKING) {
		pause_ms = LOOK_MIN_MS + random_below(LOOK_MAX_MS - LOOK_MIN_MS);
		if (takeover_may_look(takeover, now) && !takeover->ward.is_asking)
			takeover_look(takeover);
	} else if (takeover->state == TAKEOVER_RESTING) {
		takeover_next_page(takeover);
	}
	if (takeover->ward.has_number && takeover->state != TAKEOVER_GIVING_BACK)
		takeover_renew_if_due(takeover);
	worker_arm(takeover->worker, &takeover->timer, now + pause_ms);
}

void takeover_start(struct takeover *takeover, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                    struct publisher *publisher, const char *name)
{
	*takeover = (struct takeover){
		.worker = worker,
		.pg = pg,
		.keeper = keeper,
		.publisher = publisher,
		.name = name,
		.ward = { .life_ms = keeper->lease.life_ms },
		.takeovers = metrics_counter("skein_im_takeovers_total",
		                             "Node numbers that were taken over because their lease ran out.", NULL),
		.republished = metrics_counter("skein_im_republished_total",
		                               "Messages that takeovers published.", NULL),
	};
	timer_init(&takeover->timer, takeover_on_timer);
	worker_arm_in(worker, &takeover->timer, LOOK_MIN_MS);
}

void takeover_stop(struct takeover *takeover)
{
	takeover->is_stopped = true;
	worker_cancel(takeover->worker, &takeover->timer);
	if (takeover->ward.has_number && takeover->state != TAKEOVER_GIVING_BACK)
		takeover_give_back(takeover);
}
