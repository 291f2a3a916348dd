#include "im/presence/transition_batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text/json.h"
#include "cluster/node_list.h"
#include "cluster/routes.h"
#include "im/events/events.h"
#include "store/pg/pg.h"

/* uids -> uid, is_public, friends */
static const struct pg_statement presence_audience = {
	"presence_audience",
	"select uid, is_public, friends from fn.presence_audience($1::text[])",
};

struct transition {
	struct transition_batch *batch;
	char uid[65];
	uint64_t ended_ms, lease;
	bool has_routes_read, has_key_read;
	struct presence known; /* by the user's key */
	char known_home[96]; /* "node|epoch" */
	struct buf routes; /* as read, joined by line ends */
	struct str home; /* by the routes, into which it points: "node|epoch" of one that lives; empty: offline */
	bool is_asked; /* its audience was asked for */
	enum presence_change change;
	bool is_public; /* everybody may know */
	struct str *friends; /* into the batch's copy of their uids */
	size_t friend_count;
};

struct transition_batch {
	struct transition_context *context;
	void (*ended)(void *arg, bool was_full);
	void *arg;
	size_t open; /* answers to come, and 1 until all were asked */
	void (*next)(struct transition_batch *batch); /* the step after them */
	size_t told; /* step 4: transitions that are done, and friends of the next one that were looked up */
	size_t told_friends;
	struct str *online; /* of the look-ups under way: friends who have a route */
	size_t online_count;
	size_t count;
	struct transition items[];
};

static bool transition_is_online(const struct transition *transition)
{
	return transition->home.len > 0;
}

static struct presence_found transition_found(const struct transition *transition)
{
	return (struct presence_found){ str_from(transition->uid), buf_str(&transition->routes), transition->home,
		                        transition->ended_ms };
}

/* ---- the steps ---- */

static void batch_leave(struct transition_batch *batch)
{
	if (--batch->open == 0)
		batch->next(batch);
}

static void batch_end(struct transition_batch *batch)
{
	struct transition_context *context = batch->context;
	void (*ended)(void *arg, bool was_full) = batch->ended;
	void *arg = batch->arg;
	bool was_full = batch->count == PRESENCE_CLAIMS_MAX;

	for (size_t i = 0; i < batch->count; i++)
		counter_add(context->undecided, batch->items[i].change == PRESENCE_UNDECIDED);
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

static bool transition_is_read(const struct transition *transition)
{
	return transition->has_key_read && transition->has_routes_read;
}

/* ---- 5: the claims end ---- */

static void transition_end_claim(const struct transition *transition)
{
	struct redis *redis = transition->batch->context->redis;
	const struct presence_found found = transition_found(transition);
	struct str left = str_from(transition->known_home);

	if (transition->change == PRESENCE_UNDECIDED)
		return;
	if (transition->change == PRESENCE_NEWS)
		presence_note_told(redis, &found);
	if (left.len && !str_equal(left, transition->home))
		presence_move_out(redis, found.uid, left);
	presence_unclaim(redis, found.uid, transition->lease);
}

static void batch_end_claims(struct transition_batch *batch)
{
	if (batch_stops(batch))
		return;
	for (size_t i = 0; i < batch->count; i++)
		transition_end_claim(&batch->items[i]);
	batch_end(batch);
}

/* ---- 4: the news is told ---- */

static void transition_write_body(struct buf *body, const struct transition *transition)
{
	buf_append_char(body, '{');
	json_put_field(body, "uid", str_from(transition->uid));
	json_put_bool_field(body, "online", transition_is_online(transition));
	json_put_u64_field(body, "last_seen", transition->ended_ms);
	buf_append_char(body, '}');
}

/* Without uids: who watches the user is told. */
static void transition_tell(const struct transition *transition, const struct str *uids, size_t count)
{
	struct buf body = { 0 };

	transition_write_body(&body, transition);
	const struct event event = { .uids = uids, .uid_count = count, .kind = "presence", .body = buf_str(&body) };
	if (uids)
		events_emit(transition->batch->context->events, &event);
	else
		events_emit_to_watchers(transition->batch->context->events, str_from(transition->uid), &event);
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
	if (batch->online_count)
		transition_tell(&batch->items[batch->told], batch->online, batch->online_count);
	batch_tell(batch);
}

/* Looks for the next friends of the transition that is being told. */
static void batch_look_for_friends(struct transition_batch *batch, const struct transition *transition)
{
	size_t count = MIN(transition->friend_count - batch->told_friends, PRESENCE_LOOKUPS_MAX);

	batch->online_count = 0;
	batch->open = 1;
	batch->next = batch_tell_found;
	for (size_t i = 0; i < count; i++)
		batch_look_for(batch, transition->friends[batch->told_friends + i]);
	batch->told_friends += count;
	batch_leave(batch);
}

static void batch_tell(struct transition_batch *batch)
{
	for (; batch->told < batch->count; batch->told++, batch->told_friends = 0) {
		const struct transition *transition = &batch->items[batch->told];

		if (transition->change != PRESENCE_NEWS)
			continue;
		if (batch->told_friends < transition->friend_count) {
			batch_look_for_friends(batch, transition);
			return;
		}
		if (transition->is_public)
			transition_tell(transition, NULL, 0);
		counter_add(transition_is_online(transition) ? batch->context->came : batch->context->went, 1);
	}
	batch_end_claims(batch);
}

/* ---- 3: the keys are set ---- */

static void batch_after_settling(struct transition_batch *batch)
{
	if (!batch_stops(batch))
		batch_tell(batch);
}

static void transition_on_settled(void *arg, enum presence_change change)
{
	struct transition *transition = arg;

	/* News that it did not seem to be: the next claim tells it. */
	transition->change = change == PRESENCE_NEWS && !transition->is_asked ? PRESENCE_UNDECIDED : change;
	batch_leave(transition->batch);
}

static void transition_settle(struct transition *transition)
{
	const struct transition_context *context = transition->batch->context;
	const struct presence_found found = transition_found(transition);

	if (transition_is_online(transition) && !str_equal(transition->home, str_from(transition->known_home)))
		presence_move_in(context->redis, found.uid, found.home);
	presence_settle(context->redis, &found, context->last_seen_s, transition_on_settled, transition);
}

static void batch_settle(struct transition_batch *batch)
{
	batch->open = 1;
	batch->next = batch_after_settling;
	for (size_t i = 0; i < batch->count; i++) {
		if (!transition_is_read(&batch->items[i]))
			continue;
		batch->open++;
		transition_settle(&batch->items[i]);
	}
	batch_leave(batch);
}

/* ---- 2: who is told ---- */

static struct transition *batch_find(struct transition_batch *batch, struct str uid)
{
	for (size_t i = 0; i < batch->count; i++)
		if (str_equal(str_from(batch->items[i].uid), uid))
			return &batch->items[i];
	return NULL;
}

/* Copies the uids of a cell into one allocation, with the list of them in front. */
static void transition_keep_friends(struct transition *transition, const PGresult *result, int row, int column)
{
	size_t size = (size_t)PQgetlength(result, row, column), max = size / 4; /* each has its length in front */
	struct str *uids = mem_alloc(max * sizeof(*uids) + size);
	char *at = (char *)(uids + max);

	transition->friend_count = pg_text_array(result, row, column, uids, max);
	for (size_t i = 0; i < transition->friend_count; i++) {
		memcpy(at, uids[i].ptr, uids[i].len);
		uids[i].ptr = at;
		at += uids[i].len;
	}
	transition->friends = uids;
}

static void batch_on_audience(void *arg, err_t err, const PGresult *result)
{
	struct transition_batch *batch = arg;

	if (err || batch->context->is_stopped) {
		batch_end(batch); /* nothing was changed */
		return;
	}
	for (int i = 0; i < PQntuples(result); i++) {
		struct transition *transition = batch_find(batch, pg_text(result, i, 0));

		if (!transition)
			continue;
		transition->is_public = pg_bool(result, i, 1);
		if (!PQgetisnull(result, i, 2))
			transition_keep_friends(transition, result, i, 2);
	}
	batch_settle(batch);
}

static bool transition_seems_news(const struct transition *transition)
{
	return transition_is_read(transition) &&
	       (transition_is_online(transition) != transition->known.is_online || transition->known.is_untold);
}

static void batch_ask_audience(struct transition_batch *batch)
{
	struct pg_params params = { 0 };
	size_t count = 0;

	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < batch->count; i++) {
		if (!transition_seems_news(&batch->items[i]))
			continue;
		pg_array_text(&params, str_from(batch->items[i].uid));
		batch->items[i].is_asked = true;
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

/* "node|epoch" at the beginning of a route. */
static struct str transition_place_of(struct str route)
{
	struct str rest = route, node = str_cut(&rest, '|'), epoch = str_cut(&rest, '|');

	return str_of(route.ptr, node.len + 1 + epoch.len);
}

/*
 * Where the user has a route that lives: the home, if it is one of these; empty if there is none. A route that cannot be read is
 * nobody's. With `counts_unknown` one at a gateway that is not in the list lives.
 */
static struct str transition_find_home(const struct transition *transition, bool counts_unknown)
{
	const struct node_list *gateways = transition->batch->context->gateways;
	struct str rest = buf_str(&transition->routes), found = { 0 };

	while (rest.len) {
		struct route route;
		(void)str_cut(&rest, '\n'); /* the device */
		struct str text = str_cut(&rest, '\n'), place = transition_place_of(text);

		if (!route_parse(text, &route) ||
		    (!counts_unknown && !node_list_find_epoch(gateways, route.node, route.node_epoch)))
			continue;
		if (!found.len || str_equal(place, str_from(transition->known_home)))
			found = place;
	}
	return found;
}

/* While the list of gateways is not fresh, every route counts. */
static void batch_decide(void *arg)
{
	struct transition_batch *batch = arg;
	bool counts_unknown = !node_list_is_fresh(batch->context->gateways);
	uint64_t now_ms = clock_wall_ms();

	if (batch_stops(batch))
		return;
	for (size_t i = 0; i < batch->count; i++) {
		struct transition *transition = &batch->items[i];

		transition->home = transition_find_home(transition, counts_unknown);
		if (transition_is_online(transition) || !transition->ended_ms)
			transition->ended_ms = now_ms;
	}
	batch_ask_audience(batch);
}

/* A gateway that registered a moment ago may be missing in the list. */
static void batch_after_reading(struct transition_batch *batch)
{
	bool is_unsure = false;

	if (batch_stops(batch))
		return;
	for (size_t i = 0; i < batch->count; i++)
		is_unsure |= batch->items[i].routes.len && !transition_find_home(&batch->items[i], false).len;
	if (is_unsure)
		node_list_refresh(batch->context->gateways, batch_decide, batch);
	else
		batch_decide(batch);
}

static void transition_on_key(void *arg, err_t err, const redisReply *reply)
{
	struct transition *transition = arg;

	transition->has_key_read = !err;
	if (!err)
		transition->known = presence_read(reply);
	(void)str_copy(transition->known_home, sizeof(transition->known_home), transition->known.home);
	batch_leave(transition->batch);
}

static void transition_on_routes(void *arg, err_t err, const redisReply *reply)
{
	struct transition *transition = arg;

	transition->has_routes_read = !err && reply->type == REDIS_REPLY_ARRAY;
	for (size_t i = 0; transition->has_routes_read && i < reply->elements; i++) {
		if (i)
			buf_append_char(&transition->routes, '\n');
		buf_append_str(&transition->routes, redis_reply_str(reply->element[i]));
	}
	batch_leave(transition->batch);
}

static void transition_look(struct transition *transition)
{
	struct redis *redis = transition->batch->context->redis;
	struct presence_key key;
	struct buf routes = { 0 };

	presence_key_fill(&key, str_from(transition->uid));
	route_key_write(&routes, str_from(transition->uid));
	const struct str get[] = { STR("GET"), key.key }, list[] = { STR("HGETALL"), buf_str(&routes) };
	transition->batch->open += 2;
	redis_command(redis, get, ARRAY_LEN(get), transition_on_key, transition);
	redis_command(redis, list, ARRAY_LEN(list), transition_on_routes, transition);
	buf_release(&routes);
}

void transition_batch_start(struct transition_batch *batch)
{
	batch->open = 1;
	batch->next = batch_after_reading;
	for (size_t i = 0; i < batch->count; i++)
		transition_look(&batch->items[i]);
	batch_leave(batch);
}

struct transition_batch *transition_batch_new(struct transition_context *context, const struct presence_claim *claims, size_t count,
                                              void (*ended)(void *arg, bool was_full), void *arg)
{
	struct transition_batch *batch = mem_zalloc(sizeof(*batch) + count * sizeof(batch->items[0]));

	batch->context = context;
	batch->ended = ended;
	batch->arg = arg;
	batch->online = mem_alloc(PRESENCE_LOOKUPS_MAX * sizeof(batch->online[0]));
	batch->count = count;
	for (size_t i = 0; i < count; i++) {
		struct transition *transition = &batch->items[i];

		transition->batch = batch;
		(void)str_copy(transition->uid, sizeof(transition->uid), claims[i].uid);
		transition->ended_ms = claims[i].ended_ms;
		transition->lease = claims[i].lease;
	}
	return batch;
}

void transition_batch_free(struct transition_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		buf_release(&batch->items[i].routes);
		mem_free(batch->items[i].friends);
	}
	mem_free(batch->online);
	mem_free(batch);
}
