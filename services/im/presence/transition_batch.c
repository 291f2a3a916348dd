#include "im/presence/transition_batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/node_list.h"
#include "cluster/routes.h"
#include "im/events/events.h"
#include "im/presence/transition.h"
#include "store/pg/pg.h"

/* uids -> uid, is_public, friends */
static const struct pg_statement presence_audience = {
	"presence_audience",
	"select uid, is_public, friends from fn.presence_audience($1::text[])",
};

/* One of the users. */
struct batch_user {
	struct transition_batch *batch;
	struct transition transition;
	bool is_asked; /* its audience was asked for */
	bool has_moved_in; /* into the set of its home, which the key did not name before */
	enum presence_change change;
	bool is_public; /* everybody may know */
	struct str *friends; /* into the user's own copy of their uids */
	size_t friend_count;
};

struct transition_batch {
	struct transition_context *context;
	void (*ended)(void *arg, bool was_full);
	void *arg;
	size_t open; /* answers to come, and 1 until all were asked */
	void (*next)(struct transition_batch *batch); /* the step after them */
	size_t told; /* step 4: users that are done, and friends of the next one that were looked up */
	size_t told_friends;
	struct str *online; /* of the look-ups under way: friends who have a route */
	size_t online_count;
	size_t count;
	struct batch_user users[];
};

/* ---- the steps ---- */

static void batch_leave(struct transition_batch *batch)
{
	if (--batch->open == 0)
		batch->next(batch);
}

/* Until then no other im has claimed the user. */
static bool batch_holds(const struct batch_user *user)
{
	return clock_wall_ms() < user->transition.held_until_ms;
}

/* ---- 5: the claims end ---- */

static void batch_end_claim(const struct batch_user *user)
{
	struct redis *redis = user->batch->context->redis;
	const struct presence_found found = transition_found(&user->transition);
	const struct presence_claim claim = { found.uid, 0, user->transition.lease, user->transition.held_until_ms };

	if (user->change == PRESENCE_NEWS)
		presence_note_told(redis, &found);
	presence_end_claim(redis, &claim, user->change, clock_wall_ms());
}

static void batch_end(struct transition_batch *batch)
{
	struct transition_context *context = batch->context;
	void (*ended)(void *arg, bool was_full) = batch->ended;
	void *arg = batch->arg;
	bool was_full = batch->count == PRESENCE_CLAIMS_MAX;

	for (size_t i = 0; i < batch->count; i++) {
		counter_add(context->undecided, batch->users[i].change == PRESENCE_UNDECIDED);
		if (!context->is_stopped)
			batch_end_claim(&batch->users[i]);
	}
	transition_batch_free(batch);
	ended(arg, was_full);
}

/* True: the process ends, and so does the batch. */
static bool batch_stops(struct transition_batch *batch)
{
	if (!batch->context->is_stopped)
		return false;
	batch_end(batch);
	return true;
}

/* ---- 4: the news is told ---- */

/* Without uids: who watches the user is told. */
static void batch_tell_of(const struct batch_user *user, const struct str *uids, size_t count)
{
	struct events *events = user->batch->context->events;
	struct buf body = { 0 };

	transition_put_body(&body, &user->transition);
	const struct event event = { .uids = uids, .uid_count = count, .kind = "presence", .body = buf_str(&body) };
	if (uids)
		events_emit(events, &event);
	else
		events_emit_to_watchers(events, str_from(user->transition.uid), &event);
	buf_release(&body);
}

/* A look-up of a friend's routes. */
struct friend_lookup {
	struct transition_batch *batch;
	struct str uid;
};

static void batch_on_friend(void *arg, err_t err, const redisReply *reply)
{
	struct friend_lookup *lookup = arg;
	struct transition_batch *batch = lookup->batch;

	if (!err && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
		batch->online[batch->online_count++] = lookup->uid;
	mem_free(lookup);
	batch_leave(batch);
}

static void batch_look_for(struct transition_batch *batch, struct str uid)
{
	struct friend_lookup *lookup = MEM_NEW(struct friend_lookup);
	struct buf key = { 0 };

	*lookup = (struct friend_lookup){ batch, uid };
	route_key_write(&key, uid);
	const struct str args[] = { STR("EXISTS"), buf_str(&key) };
	batch->open++;
	redis_command(batch->context->redis, args, ARRAY_LEN(args), batch_on_friend, lookup);
	buf_release(&key);
}

static void batch_tell(struct transition_batch *batch);

static void batch_tell_found(struct transition_batch *batch)
{
	if (batch_stops(batch))
		return;
	if (batch->online_count && batch_holds(&batch->users[batch->told]))
		batch_tell_of(&batch->users[batch->told], batch->online, batch->online_count);
	batch_tell(batch);
}

/* Looks for the next friends of the user who is being told of. */
static void batch_look_for_friends(struct transition_batch *batch, const struct batch_user *user)
{
	size_t count = MIN(user->friend_count - batch->told_friends, PRESENCE_LOOKUPS_MAX);

	batch->online_count = 0;
	batch->open = 1;
	batch->next = batch_tell_found;
	for (size_t i = 0; i < count; i++)
		batch_look_for(batch, user->friends[batch->told_friends + i]);
	batch->told_friends += count;
	batch_leave(batch);
}

static void batch_tell(struct transition_batch *batch)
{
	for (; batch->told < batch->count; batch->told++, batch->told_friends = 0) {
		struct batch_user *user = &batch->users[batch->told];

		if (user->change == PRESENCE_NEWS && !batch_holds(user))
			user->change = PRESENCE_UNDECIDED; /* the key says that it is untold: the next claim tells */
		if (user->change != PRESENCE_NEWS)
			continue;
		if (batch->told_friends < user->friend_count) {
			batch_look_for_friends(batch, user);
			return;
		}
		if (user->is_public)
			batch_tell_of(user, NULL, 0);
		counter_add(transition_is_online(&user->transition) ? batch->context->came : batch->context->went, 1);
	}
	batch_end(batch);
}

/* ---- 3: the keys are set ---- */

static void batch_after_settling(struct transition_batch *batch)
{
	if (!batch_stops(batch))
		batch_tell(batch);
}

/* Takes the user out of the home that the key does not name, now that the key is known. */
static void batch_leave_home(const struct batch_user *user, enum presence_change change)
{
	const struct transition *transition = &user->transition;
	struct str left = { 0 };

	if (change == PRESENCE_UNDECIDED && user->has_moved_in)
		left = transition->home;
	else if (change == PRESENCE_SAME || change == PRESENCE_NEWS)
		left = transition_left_home(transition);
	if (left.len && batch_holds(user))
		presence_move_out(user->batch->context->redis, str_from(transition->uid), left);
}

static void batch_on_settled(void *arg, enum presence_change change)
{
	struct batch_user *user = arg;

	batch_leave_home(user, change);
	/* News that it did not seem to be: the next claim tells it. */
	user->change = change == PRESENCE_SAME || (change == PRESENCE_NEWS && user->is_asked) ? change : PRESENCE_UNDECIDED;
	batch_leave(user->batch);
}

static void batch_settle_user(struct batch_user *user)
{
	const struct transition_context *context = user->batch->context;
	const struct presence_found found = transition_found(&user->transition);

	user->has_moved_in = found.home.len && !str_equal(found.home, str_from(user->transition.known_home));
	if (user->has_moved_in)
		presence_move_in(context->redis, found.uid, found.home);
	presence_settle(context->redis, &found, context->last_seen_s, batch_on_settled, user);
}

static void batch_settle(struct transition_batch *batch)
{
	batch->open = 1;
	batch->next = batch_after_settling;
	for (size_t i = 0; i < batch->count; i++) {
		if (!transition_is_read(&batch->users[i].transition) || !batch_holds(&batch->users[i]))
			continue;
		batch->open++;
		batch_settle_user(&batch->users[i]);
	}
	batch_leave(batch);
}

/* ---- 2: who is told ---- */

static struct batch_user *batch_find(struct transition_batch *batch, struct str uid)
{
	for (size_t i = 0; i < batch->count; i++)
		if (str_equal(str_from(batch->users[i].transition.uid), uid))
			return &batch->users[i];
	return NULL;
}

/* Copies the uids of a cell into one allocation, with the list of them in front. */
static void batch_keep_friends(struct batch_user *user, const PGresult *result, int row, int column)
{
	size_t size = (size_t)PQgetlength(result, row, column), max = size / 4; /* each has its length in front */
	struct str *uids = mem_alloc(max * sizeof(*uids) + size);
	char *at = (char *)(uids + max);

	user->friend_count = pg_text_array(result, row, column, uids, max);
	for (size_t i = 0; i < user->friend_count; i++) {
		memcpy(at, uids[i].ptr, uids[i].len);
		uids[i].ptr = at;
		at += uids[i].len;
	}
	user->friends = uids;
}

static void batch_on_audience(void *arg, err_t err, const PGresult *result)
{
	struct transition_batch *batch = arg;

	if (err || batch->context->is_stopped) {
		batch_end(batch); /* nothing was changed */
		return;
	}
	for (int i = 0; i < PQntuples(result); i++) {
		struct batch_user *user = batch_find(batch, pg_text(result, i, 0));

		if (!user)
			continue;
		user->is_public = pg_bool(result, i, 1);
		if (!PQgetisnull(result, i, 2))
			batch_keep_friends(user, result, i, 2);
	}
	batch_settle(batch);
}

static void batch_ask_audience(struct transition_batch *batch)
{
	struct pg_params params = { 0 };
	size_t count = 0;

	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_user *user = &batch->users[i];

		if (!transition_seems_news(&user->transition))
			continue;
		pg_array_text(&params, str_from(user->transition.uid));
		user->is_asked = true;
		count++;
	}
	pg_array_end(&params);
	if (count) {
		pg_query(batch->context->pg, PG_ANY_LANE, &presence_audience, &params, batch_on_audience, batch);
		return;
	}
	pg_params_release(&params);
	batch_settle(batch);
}

/* ---- 1: keys and routes are read ---- */

static bool batch_gateway_lives(const void *gateways, struct str node, uint64_t epoch)
{
	return node_list_find_epoch(gateways, node, epoch);
}

/* While the list of gateways is not fresh, every route counts. */
static void batch_decide(void *arg)
{
	struct transition_batch *batch = arg;
	struct transition_gateways gateways = { batch_gateway_lives, batch->context->gateways };
	uint64_t now_ms = clock_wall_ms();

	if (batch_stops(batch))
		return;
	if (!node_list_is_fresh(batch->context->gateways))
		gateways.lives = NULL;
	for (size_t i = 0; i < batch->count; i++)
		transition_decide(&batch->users[i].transition, &gateways, now_ms);
	batch_ask_audience(batch);
}

static void batch_after_reading(struct transition_batch *batch)
{
	const struct transition_gateways gateways = { batch_gateway_lives, batch->context->gateways };
	bool is_unsure = false;

	if (batch_stops(batch))
		return;
	for (size_t i = 0; i < batch->count; i++)
		is_unsure |= transition_is_unsure(&batch->users[i].transition, &gateways);
	if (is_unsure)
		node_list_refresh(batch->context->gateways, batch_decide, batch);
	else
		batch_decide(batch);
}

static void batch_on_key(void *arg, err_t err, const redisReply *reply)
{
	struct batch_user *user = arg;

	transition_take_key(&user->transition, err ? NULL : reply);
	batch_leave(user->batch);
}

static void batch_on_routes(void *arg, err_t err, const redisReply *reply)
{
	struct batch_user *user = arg;

	transition_take_routes(&user->transition, err ? NULL : reply);
	batch_leave(user->batch);
}

static void batch_read(struct batch_user *user)
{
	struct redis *redis = user->batch->context->redis;
	struct str uid = str_from(user->transition.uid);
	struct presence_key key;
	struct buf routes = { 0 };

	presence_key_fill(&key, uid);
	route_key_write(&routes, uid);
	const struct str get[] = { STR("GET"), key.key }, list[] = { STR("HGETALL"), buf_str(&routes) };
	user->batch->open += 2;
	redis_command(redis, get, ARRAY_LEN(get), batch_on_key, user);
	redis_command(redis, list, ARRAY_LEN(list), batch_on_routes, user);
	buf_release(&routes);
}

void transition_batch_start(struct transition_batch *batch)
{
	batch->open = 1;
	batch->next = batch_after_reading;
	for (size_t i = 0; i < batch->count; i++)
		batch_read(&batch->users[i]);
	batch_leave(batch);
}

struct transition_batch *transition_batch_new(struct transition_context *context, const struct presence_claim *claims, size_t count,
                                              void (*ended)(void *arg, bool was_full), void *arg)
{
	struct transition_batch *batch = mem_zalloc(sizeof(*batch) + count * sizeof(batch->users[0]));

	batch->context = context;
	batch->ended = ended;
	batch->arg = arg;
	batch->online = mem_alloc(PRESENCE_LOOKUPS_MAX * sizeof(batch->online[0]));
	batch->count = count;
	for (size_t i = 0; i < count; i++) {
		batch->users[i].batch = batch;
		transition_init(&batch->users[i].transition, &claims[i]);
	}
	return batch;
}

void transition_batch_free(struct transition_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		transition_release(&batch->users[i].transition);
		mem_free(batch->users[i].friends);
	}
	mem_free(batch->online);
	mem_free(batch);
}
