#include "router/kick/gateway_calls.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/telemetry/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "proto/delivery.pb-c.h"

#define KICK_PATH "/skein.v1.Gateway/Kick"
#define TRY_TIMEOUT_MS 1000
#define PAUSE_MS 100 /* at the least; a try that failed sooner is not over before its time is */

/* A gateway that stands still must not cost more memory than this many kicks for it. */
#define KICKS_MAX 10000

struct gateway_calls {
	struct worker *worker;
	struct rpc_client *client;
	struct node_list *nodes;
	struct map by_name; /* of struct gateway */
	struct list kicks; /* of struct kick, all that are not done */
	unsigned kick_count;
	bool is_closed;
	struct counter *sent, *failed;
};

struct gateway {
	struct map_node link;
	char name[65];
	uint64_t epoch;
	struct rpc_channel *channel;
};

struct kick {
	struct list link;
	struct gateway_calls *all;
	char node[65];
	uint64_t node_epoch;
	struct buf request;
	unsigned tries_left;
	uint64_t try_end_ms;
	bool is_called; /* the gateway's answer is awaited */
	struct timer pause;
	gateway_kick_done done;
	void *arg;
};

/* ---- channels ---- */

static struct str name_of(const struct map_node *node)
{
	return str_from(container_of(node, struct gateway, link)->name);
}

static void hang_up(struct gateway_calls *all, struct gateway *gateway)
{
	map_remove(&all->by_name, &gateway->link);
	rpc_channel_close(gateway->channel);
	mem_free(gateway);
}

/* NULL, logged, when its address is none. */
static struct rpc_channel *channel_to(struct gateway_calls *all, const struct node *node)
{
	struct map_node *found = map_find(&all->by_name, str_from(node->name));
	struct gateway *gateway = found ? container_of(found, struct gateway, link) : NULL;

	if (gateway && gateway->epoch == node->epoch)
		return gateway->channel;
	if (gateway)
		hang_up(all, gateway);
	gateway = MEM_NEW(struct gateway);
	(void)str_copy(gateway->name, sizeof(gateway->name), str_from(node->name));
	gateway->epoch = node->epoch;
	if (rpc_channel_new(&gateway->channel, all->client, node->grpc_address)) {
		mem_free(gateway);
		return NULL;
	}
	map_put(&all->by_name, &gateway->link);
	return gateway->channel;
}

static void on_nodes_changed(void *arg)
{
	struct gateway_calls *all = arg;

	for (struct map_node *next, *link = map_first(&all->by_name); link; link = next) {
		struct gateway *gateway = container_of(link, struct gateway, link);

		next = map_next(&all->by_name, link);
		if (!node_list_find_epoch(all->nodes, str_from(gateway->name), gateway->epoch))
			hang_up(all, gateway);
	}
}

/* ---- kicks ---- */

static void finish(struct kick *kick, err_t err)
{
	struct gateway_calls *all = kick->all;

	if (err && err != ERR_CLOSED) {
		counter_add(all->failed, 1);
		log_warn("a gateway did not close connections", LOG_TEXT("gateway", kick->node), LOG_ERR(err));
	}
	list_remove(&kick->link);
	all->kick_count--;
	if (kick->done)
		kick->done(kick->arg, err);
	buf_release(&kick->request);
	mem_free(kick);
}

/* Whether its node is known to be dead, not merely unknown while Redis is away. */
static bool is_dead(const struct kick *kick)
{
	const struct node_list *nodes = kick->all->nodes;

	return !node_list_find_epoch(nodes, str_from(kick->node), kick->node_epoch) && node_list_is_fresh(nodes);
}

static void on_answered(void *arg, err_t err, struct str response, const char *detail)
{
	struct kick *kick = arg;
	struct gateway_calls *all = kick->all;
	(void)response;
	(void)detail;

	kick->is_called = false;
	if (all->is_closed)
		finish(kick, ERR_CLOSED);
	else if (!err || is_dead(kick))
		finish(kick, OK);
	else if (--kick->tries_left)
		worker_arm(all->worker, &kick->pause, MAX(clock_mono_ms() + PAUSE_MS, kick->try_end_ms));
	else
		finish(kick, ERR_UNAVAILABLE);
}

static void call(struct kick *kick, const struct node *node)
{
	struct gateway_calls *all = kick->all;
	struct rpc_channel *channel = channel_to(all, node);

	if (!channel) {
		finish(kick, ERR_UNAVAILABLE);
		return;
	}
	counter_add(all->sent, 1);
	kick->is_called = true;
	kick->try_end_ms = clock_mono_ms() + TRY_TIMEOUT_MS;
	/*
	 * Not waiting for a connection: all devices of a gateway that has died come back at once, and gRPC looks through
	 * all calls that wait when it ends one.
	 */
	rpc_call(channel, all->worker, KICK_PATH, buf_str(&kick->request), TRY_TIMEOUT_MS, false, STR(""), on_answered, kick);
}

static void on_looked_up(void *arg)
{
	struct kick *kick = arg;
	const struct node *node = node_list_find_epoch(kick->all->nodes, str_from(kick->node), kick->node_epoch);

	if (node)
		call(kick, node);
	else
		finish(kick, is_dead(kick) ? OK : ERR_UNAVAILABLE);
}

/* A node that is not in the list may have come since it was read. */
static void try_once(struct kick *kick)
{
	const struct node *node = node_list_find_epoch(kick->all->nodes, str_from(kick->node), kick->node_epoch);

	if (node)
		call(kick, node);
	else
		node_list_refresh(kick->all->nodes, on_looked_up, kick);
}

static void on_pause_over(struct timer *timer)
{
	try_once(container_of(timer, struct kick, pause));
}

static void pack(struct buf *out, const struct gateway_kick *order)
{
	Skein__V1__KickConnections message = SKEIN__V1__KICK_CONNECTIONS__INIT;
	struct buf uid = { 0 };

	buf_append_str(&uid, order->uid);
	message.uid = (char *)buf_text(&uid);
	message.n_conns = order->conn_count;
	message.conns = order->conns;
	message.token_id = (ProtobufCBinaryData){ order->token_id.len, (uint8_t *)order->token_id.ptr };
	message.code = order->code;
	message.reason = (char *)order->reason;
	message.node_epoch = order->node_epoch;
	size_t len = skein__v1__kick_connections__get_packed_size(&message);
	out->len = skein__v1__kick_connections__pack(&message, (uint8_t *)buf_reserve(out, len));
	buf_release(&uid);
}

void gateway_calls_kick(struct gateway_calls *calls, const struct gateway_kick *order, unsigned tries, gateway_kick_done done,
                        void *arg)
{
	if (calls->is_closed || calls->kick_count == KICKS_MAX) {
		if (done)
			done(arg, calls->is_closed ? ERR_CLOSED : ERR_FULL);
		return;
	}
	struct kick *kick = MEM_NEW(struct kick);
	kick->all = calls;
	(void)str_copy(kick->node, sizeof(kick->node), order->node);
	kick->node_epoch = order->node_epoch;
	pack(&kick->request, order);
	kick->tries_left = tries;
	timer_init(&kick->pause, on_pause_over);
	kick->done = done;
	kick->arg = arg;
	list_push_back(&calls->kicks, &kick->link);
	calls->kick_count++;
	try_once(kick);
}

/* ---- life ---- */

struct gateway_calls *gateway_calls_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes)
{
	struct gateway_calls *calls = MEM_NEW(struct gateway_calls);

	calls->worker = worker;
	calls->client = client;
	calls->nodes = nodes;
	map_init(&calls->by_name, name_of);
	list_init(&calls->kicks);
	calls->sent = metrics_counter("skein_router_kicks_sent_total", "Calls that asked a gateway to close connections.", NULL);
	calls->failed = metrics_counter("skein_router_kicks_failed_total",
	                                "Kicks given up because a gateway that lives did not answer.", NULL);
	node_list_on_change(nodes, on_nodes_changed, calls);
	return calls;
}

void gateway_calls_close(struct gateway_calls *calls)
{
	calls->is_closed = true;
	node_list_on_change(calls->nodes, NULL, NULL);
	for (struct map_node *link; (link = map_first(&calls->by_name));)
		hang_up(calls, container_of(link, struct gateway, link));
	list_for_each(link, &calls->kicks) {
		struct kick *kick = container_of(link, struct kick, link);

		worker_cancel(calls->worker, &kick->pause);
		if (!kick->is_called)
			finish(kick, ERR_CLOSED);
	}
}

void gateway_calls_free(struct gateway_calls *calls)
{
	map_release(&calls->by_name);
	mem_free(calls);
}

unsigned gateway_calls_waiting(const struct gateway_calls *calls)
{
	return calls->kick_count;
}
