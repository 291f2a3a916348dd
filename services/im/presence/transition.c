#include "im/presence/transition.h"

#include "base/text/json.h"
#include "cluster/routes.h"

void transition_init(struct transition *transition, const struct presence_claim *claim)
{
	*transition = (struct transition){
		.ended_ms = claim->ended_ms, .lease = claim->lease, .held_until_ms = claim->held_until_ms,
	};
	(void)str_copy(transition->uid, sizeof(transition->uid), claim->uid);
}

void transition_release(struct transition *transition)
{
	buf_release(&transition->routes);
}

void transition_take_key(struct transition *transition, const redisReply *reply)
{
	if (!reply)
		return;
	transition->has_key = true;
	transition->known = presence_read(reply);
	(void)str_copy(transition->known_home, sizeof(transition->known_home), transition->known.home);
}

void transition_take_routes(struct transition *transition, const redisReply *reply)
{
	transition->has_routes = reply && reply->type == REDIS_REPLY_ARRAY;
	for (size_t i = 0; transition->has_routes && i < reply->elements; i++) {
		if (i)
			buf_append_char(&transition->routes, '\n');
		buf_append_str(&transition->routes, redis_reply_str(reply->element[i]));
	}
}

bool transition_is_read(const struct transition *transition)
{
	return transition->has_key && transition->has_routes;
}

/* "node|epoch" at the beginning of a route. */
static struct str transition_place_of(struct str route)
{
	struct str rest = route, node = str_cut(&rest, '|'), epoch = str_cut(&rest, '|');

	return str_of(route.ptr, node.len + 1 + epoch.len);
}

static struct str transition_find_home(const struct transition *transition, const struct transition_gateways *gateways)
{
	struct str rest = buf_str(&transition->routes), found = { 0 };

	while (rest.len) {
		struct route route;
		(void)str_cut(&rest, '\n'); /* the device */
		struct str text = str_cut(&rest, '\n'), place = transition_place_of(text);

		if (!route_parse(text, &route) ||
		    (gateways->lives && !gateways->lives(gateways->arg, route.node, route.node_epoch)))
			continue;
		if (!found.len || str_equal(place, str_from(transition->known_home)))
			found = place;
	}
	return found;
}

bool transition_is_unsure(const struct transition *transition, const struct transition_gateways *gateways)
{
	return transition->routes.len && !transition_find_home(transition, gateways).len;
}

void transition_decide(struct transition *transition, const struct transition_gateways *gateways, uint64_t now_ms)
{
	transition->home = transition_find_home(transition, gateways);
	if (transition_is_online(transition) || !transition->ended_ms)
		transition->ended_ms = now_ms;
}

bool transition_is_online(const struct transition *transition)
{
	return transition->home.len > 0;
}

bool transition_seems_news(const struct transition *transition)
{
	return transition_is_read(transition) &&
	       (transition_is_online(transition) != transition->known.is_online || transition->known.is_untold);
}

struct presence_found transition_found(const struct transition *transition)
{
	return (struct presence_found){ str_from(transition->uid), buf_str(&transition->routes), transition->home,
		                        transition->ended_ms };
}

struct str transition_left_home(const struct transition *transition)
{
	struct str known = str_from(transition->known_home);

	return str_equal(known, transition->home) ? STR("") : known;
}

void transition_put_body(struct buf *out, const struct transition *transition)
{
	buf_append_char(out, '{');
	json_put_field(out, "uid", str_from(transition->uid));
	json_put_bool_field(out, "online", transition_is_online(transition));
	json_put_u64_field(out, "last_seen", transition->ended_ms);
	buf_append_char(out, '}');
}
