#include "im/conversations/rest_walk.h"

#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "store/pg/pg.h"

/* uid, the last number that was looked at, how many to look at, ms without a message -> the last number, or NULL at the end */
static const struct pg_statement direct_rests_begin = {
	"direct_rests_begin",
	"select fn.direct_rests_begin($1::text, $2::bigint, $3::integer, $4::bigint)",
};

#define STEP_CONVERSATIONS 100
#define REST_MS (3600 * 1000)
#define WALKED_MAX 1000 /* users with long lists who are remembered */

struct walked_user {
	struct user_lru_entry entry;
	uint64_t next_ms; /* no walk before */
};

struct rest_walk {
	struct rest_walks *walks;
	int64_t last_no;
	size_t len;
	char uid[];
};

static void rest_walk_step(struct rest_walk *walk);

static void rest_walk_on_step(void *arg, err_t err, const PGresult *result)
{
	struct rest_walk *walk = arg;

	if (err)
		log_warn("a walk over conversations at rest failed", LOG_ERR(err));
	if (err || PQgetisnull(result, 0, 0)) {
		walk->walks->is_under_way = false;
		mem_free(walk);
		return;
	}
	walk->last_no = pg_i64(result, 0, 0);
	rest_walk_step(walk);
}

static void rest_walk_step(struct rest_walk *walk)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_of(walk->uid, walk->len));
	pg_put_i64(&params, walk->last_no);
	pg_put_i32(&params, STEP_CONVERSATIONS);
	pg_put_i64(&params, REST_MS);
	pg_query(walk->walks->pg, PG_ANY_LANE, &direct_rests_begin, &params, rest_walk_on_step, walk);
}

void rest_walks_init(struct rest_walks *walks, struct pg *pg)
{
	*walks = (struct rest_walks){ .pg = pg };
	user_lru_init(&walks->walked, WALKED_MAX, sizeof(struct walked_user));
}

void rest_walks_release(struct rest_walks *walks)
{
	user_lru_release(&walks->walked);
}

static bool rest_walk_is_due(struct rest_walks *walks, struct str uid)
{
	uint64_t now = clock_mono_ms();

	if (walks->is_under_way)
		return false;
	struct walked_user *user = container_of(user_lru_make(&walks->walked, uid), struct walked_user, entry);
	if (now < user->next_ms)
		return false;
	user->next_ms = now + REST_MS;
	return true;
}

void rest_walks_see(struct rest_walks *walks, struct str uid)
{
	if (!rest_walk_is_due(walks, uid))
		return;
	struct rest_walk *walk = mem_zalloc(sizeof(*walk) + uid.len);

	walks->is_under_way = true;
	walk->walks = walks;
	walk->len = uid.len;
	memcpy(walk->uid, uid.ptr, uid.len);
	rest_walk_step(walk);
}
