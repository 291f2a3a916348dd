#include "base/text/ident.h"
#include "proto/router.pb-c.h"
#include "router/app.h"
#include "router/bind/routes_api.h"
#include "cluster/routes.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/streams.h"

/*
 * What gateways stream to the router, with Redis' part played here: only what is
 * well-formed gets that far, every change is answered once, and a route that was
 * replaced (the uid's own text: anything) is told only if it is one.
 */

void __wrap_route_bind(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s,
                       const struct route_binding *binding, route_bind_done done, void *arg);
void __wrap_gateway_calls_kick(struct gateway_calls *calls, const struct gateway_kick *kick, unsigned tries,
                               gateway_kick_done done, void *arg);
void __wrap_route_close(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch,
                        uint64_t conn, route_unbind_done done, void *arg);
void __wrap_route_renew(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, struct str uid,
                        struct str device, struct str node, uint64_t node_epoch, uint64_t conn, route_renew_done done,
                        void *arg);

/* The route that Redis holds for every device: the end of the input. */
static struct str old_route;
static size_t kicks_due;

static void check_names(struct str uid, struct str device, struct str node)
{
	CHECK(ident_is_valid(uid) && ident_is_valid(device) && ident_is_valid(node));
}

void __wrap_route_bind(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s,
                       const struct route_binding *binding, route_bind_done done, void *arg)
{
	struct device_route replaced = { .device = binding->device };
	struct route_bound bound = { .inbox_epoch = UINT64_MAX, .inbox_head = UINT64_MAX, .replaced = &replaced };

	(void)redis;
	(void)limits;
	CHECK(ttl_s > 0 && platform_is_valid(binding->route.platform));
	check_names(binding->uid, binding->device, binding->route.node);
	bound.replaced_count = route_parse(old_route, &replaced.route);
	kicks_due += bound.replaced_count;
	done(arg, OK, &bound);
}

void __wrap_route_close(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch,
                        uint64_t conn, route_unbind_done done, void *arg)
{
	(void)redis;
	(void)node_epoch;
	check_names(uid, device, node);
	done(arg, conn % 3 ? OK : ERR_OUTCOME_UNKNOWN, conn % 2);
}

void __wrap_route_renew(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, struct str uid,
                        struct str device, struct str node, uint64_t node_epoch, uint64_t conn, route_renew_done done,
                        void *arg)
{
	(void)limits;
	CHECK(ttl_s > 0);
	__wrap_route_close(redis, uid, device, node, node_epoch, conn, done, arg);
}

void __wrap_gateway_calls_kick(struct gateway_calls *calls, const struct gateway_kick *kick, unsigned tries,
                               gateway_kick_done done, void *arg)
{
	struct route route;

	(void)calls;
	CHECK(tries > 0 && !done && !arg && kick->code == 4001);
	CHECK(route_parse(old_route, &route) && str_equal(route.node, kick->node) && route.node_epoch == kick->node_epoch);
	CHECK(kick->conn_count == 1 && kick->conns[0] == route.conn && ident_is_valid(kick->uid));
	kicks_due--;
}

static void check_answer(const Skein__V1__RouteAnswer *answer, const Skein__V1__RouteChange *change)
{
	CHECK(answer->id == change->id);
	CHECK(!*answer->error || err_from_code(answer->error) != ERR_INTERNAL);
}

static void check_answers(const Skein__V1__RouteChanges *batch)
{
	Skein__V1__RouteAnswers *answers =
		skein__v1__route_answers__unpack(NULL, peer.sent.len, (const uint8_t *)peer.sent.ptr);

	CHECK(answers && answers->n_answers == batch->n_changes);
	for (size_t i = 0; i < batch->n_changes; i++)
		check_answer(answers->answers[i], batch->changes[i]);
	skein__v1__route_answers__free_unpacked(answers, NULL);
}

/* "old route \n batch" */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct app app = { .config = { .route_ttl_ms = 60000 } };
	struct str message = str_of(bytes, len);

	if (!app.changes[0])
		routes_api_init(&app);
	old_route = str_cut(&message, '\n');
	Skein__V1__RouteChanges *batch =
		skein__v1__route_changes__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	peer_begin();
	routes_api_handlers.message(PEER, message, &app);
	CHECK(peer.refs == 0 && kicks_due == 0);
	CHECK(peer.sends == (batch ? batch->n_changes : 0));
	if (batch) {
		check_answers(batch);
		skein__v1__route_changes__free_unpacked(batch, NULL);
	}
	return 0;
}
