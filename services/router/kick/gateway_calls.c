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
#define PAUSE_MS 100 /* after a try, at least; tries begin at least TRY_TIMEOUT_MS apart */

struct gateway_calls {
	struct worker *worker;
	struct rpc_client *client;
	struct node_list *nodes;
	unsigned kicks_max; /* for each gateway: bounds the memory while it does not answer */
	struct map by_name; /* of struct gateway */
	struct list kicks; /* of struct kick, all that are not finished */
	unsigned kick_count;
	bool is_closed;
	struct counter *sent, *failed, *refused;
};

/* A name that has a channel or kicks. */
struct gateway {
	struct map_node link;
	char name[65];
	unsigned kicks; /* that are not finished, of any epoch */
	uint64_t epoch; /* of the node that the channel leads to */
	struct rpc_channel *channel; /* NULL: none is open */
};

struct kick {
	struct list link;
	struct gateway_calls *all;
	struct gateway *gateway;
	uint64_t node_epoch;
	struct buf request;
	unsigned tries_left;
	uint64_t try_end_ms;
	bool is_called; /* a call is under way */
	struct timer pause;
	gateway_kick_done done;
	void *arg;
};

/* ---- gateways and their channels ---- */

static struct str gateway_calls_name_of(const struct map_node *node)
{
	return str_from(container_of(node, struct gateway, link)->name);
}

/* Makes the entry if there is none: then gateway_calls_settle() or a kick must follow. */
static struct gateway *gateway_calls_of(struct gateway_calls *all, struct str name)
{
	struct map_node *found = map_find(&all->by_name, name);

	if (found)
		return container_of(found, struct gateway, link);
	struct gateway *gateway = MEM_NEW(struct gateway);
	(void)str_copy(gateway->name, sizeof(gateway->name), name);
	map_put(&all->by_name, &gateway->link);
	return gateway;
}

/* Frees the entry if nothing needs it. */
static void gateway_calls_settle(struct gateway_calls *all, struct gateway *gateway)
{
	if (gateway->kicks || gateway->channel)
		return;
	map_remove(&all->by_name, &gateway->link);
	mem_free(gateway);
}

static void gateway_calls_hang_up(struct gateway *gateway)
{
	if (gateway->channel)
		rpc_channel_close(gateway->channel);
	gateway->channel = NULL;
}

/* NULL, after a log line, if the node's address is not valid. */
static struct rpc_channel *gateway_calls_channel_to(struct gateway_calls *all, struct gateway *gateway, const struct node *node)
{
	if (gateway->channel && gateway->epoch == node->epoch)
		return gateway->channel;
	gateway_calls_hang_up(gateway);
	gateway->epoch = node->epoch;
	if (rpc_channel_new(&gateway->channel, all->client, node->grpc_address))
		gateway->channel = NULL;
	return gateway->channel;
}

static void gateway_calls_on_nodes_changed(void *arg)
{
	struct gateway_calls *all = arg;

	for (struct map_node *next, *link = map_first(&all->by_name); link; link = next) {
		struct gateway *gateway = container_of(link, struct gateway, link);

		next = map_next(&all->by_name, link);
		if (node_list_find_epoch(all->nodes, str_from(gateway->name), gateway->epoch))
			continue;
		gateway_calls_hang_up(gateway);
		gateway_calls_settle(all, gateway);
	}
}

/* ---- kicks ---- */

static void kick_finish(struct kick *kick, err_t err)
{
	struct gateway_calls *all = kick->all;
	struct gateway *gateway = kick->gateway;

	if (err && err != ERR_CLOSED) {
		counter_add(all->failed, 1);
		log_warn("a gateway did not close connections", LOG_TEXT("gateway", gateway->name), LOG_ERR(err));
	}
	list_remove(&kick->link);
	all->kick_count--;
	gateway->kicks--;
	gateway_calls_settle(all, gateway);
	if (kick->done)
		kick->done(kick->arg, err);
	buf_release(&kick->request);
	mem_free(kick);
}

/* NULL: the list of nodes does not have it. */
static const struct node *kick_find_node(const struct kick *kick)
{
	return node_list_find_epoch(kick->all->nodes, str_from(kick->gateway->name), kick->node_epoch);
}

/* The kick's node is known to be dead. While Redis is away the list is not fresh, and a missing node may be alive. */
static bool kick_is_dead(const struct kick *kick)
{
	const struct node_list *nodes = kick->all->nodes;

	return !kick_find_node(kick) && node_list_is_fresh(nodes);
}

static void kick_on_answered(void *arg, err_t err, struct str response, const char *detail)
{
	struct kick *kick = arg;
	struct gateway_calls *all = kick->all;
	(void)response;
	(void)detail;

	kick->is_called = false;
	if (all->is_closed)
		kick_finish(kick, ERR_CLOSED);
	else if (!err || kick_is_dead(kick))
		kick_finish(kick, OK);
	else if (--kick->tries_left)
		worker_arm(all->worker, &kick->pause, MAX(clock_mono_ms() + PAUSE_MS, kick->try_end_ms));
	else
		kick_finish(kick, ERR_UNAVAILABLE);
}

static void kick_call(struct kick *kick, const struct node *node)
{
	struct gateway_calls *all = kick->all;
	struct rpc_channel *channel = gateway_calls_channel_to(all, kick->gateway, node);

	if (!channel) {
		kick_finish(kick, ERR_UNAVAILABLE);
		return;
	}
	counter_add(all->sent, 1);
	kick->is_called = true;
	kick->try_end_ms = clock_mono_ms() + TRY_TIMEOUT_MS;
	/*
	 * The call does not wait for a connection. All devices of a dead gateway come back at once, and gRPC searches all
	 * waiting calls when it ends one.
	 */
	rpc_call(channel, all->worker, KICK_PATH, buf_str(&kick->request), TRY_TIMEOUT_MS, false, STR(""),
	         kick_on_answered, kick);
}

static void kick_on_looked_up(void *arg)
{
	struct kick *kick = arg;
	const struct node *node = kick_find_node(kick);

	if (node)
		kick_call(kick, node);
	else
		kick_finish(kick, kick_is_dead(kick) ? OK : ERR_UNAVAILABLE);
}

/* A node that is not in the list may have registered since the list was read. */
static void kick_try_once(struct kick *kick)
{
	const struct node *node = kick_find_node(kick);

	if (node)
		kick_call(kick, node);
	else
		node_list_refresh(kick->all->nodes, kick_on_looked_up, kick);
}

static void kick_on_pause_over(struct timer *timer)
{
	kick_try_once(container_of(timer, struct kick, pause));
}

static struct buf kick_pack(const struct gateway_kick *order)
{
	Skein__V1__KickConnections message = SKEIN__V1__KICK_CONNECTIONS__INIT;
	struct buf packed = { 0 };
	struct buf uid = { 0 };

	buf_append_str(&uid, order->uid);
	message.uid = (char *)buf_text(&uid);
	message.n_conns = order->conn_count;
	message.conns = order->conns;
	message.token_id = (ProtobufCBinaryData){ order->token_id.len, (uint8_t *)order->token_id.ptr };
	message.issued_until_ms = order->issued_until_ms;
	message.code = order->code;
	message.reason = (char *)order->reason;
	message.node_epoch = order->node_epoch;
	size_t len = skein__v1__kick_connections__get_packed_size(&message);
	packed.len = skein__v1__kick_connections__pack(&message, (uint8_t *)buf_reserve(&packed, len));
	buf_release(&uid);
	return packed;
}

void gateway_calls_kick(struct gateway_calls *calls, const struct gateway_kick *order, unsigned tries, gateway_kick_done done,
                        void *arg)
{
	struct gateway *gateway = calls->is_closed ? NULL : gateway_calls_of(calls, order->node);

	if (!gateway || gateway->kicks == calls->kicks_max) {
		counter_add(calls->refused, gateway ? 1 : 0);
		if (done)
			done(arg, gateway ? ERR_FULL : ERR_CLOSED);
		return;
	}
	struct kick *kick = MEM_NEW(struct kick);
	kick->all = calls;
	kick->gateway = gateway;
	gateway->kicks++;
	kick->node_epoch = order->node_epoch;
	kick->request = kick_pack(order);
	kick->tries_left = tries;
	timer_init(&kick->pause, kick_on_pause_over);
	kick->done = done;
	kick->arg = arg;
	list_push_back(&calls->kicks, &kick->link);
	calls->kick_count++;
	kick_try_once(kick);
}

/* ---- life ---- */

struct gateway_calls *gateway_calls_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes,
                                        unsigned kicks_max)
{
	struct gateway_calls *calls = MEM_NEW(struct gateway_calls);

	calls->worker = worker;
	calls->client = client;
	calls->nodes = nodes;
	calls->kicks_max = kicks_max;
	map_init(&calls->by_name, gateway_calls_name_of);
	list_init(&calls->kicks);
	calls->sent = metrics_counter("skein_router_kicks_sent_total", "Calls that asked a gateway to close connections.", NULL);
	calls->failed = metrics_counter("skein_router_kicks_failed_total",
	                                "Kicks given up because a gateway that is alive did not answer.", NULL);
	calls->refused = metrics_counter("skein_router_kicks_refused_total",
	                                 "Kicks refused because as many as may wait for a gateway did so already.", NULL);
	node_list_on_change(nodes, gateway_calls_on_nodes_changed, calls);
	return calls;
}

void gateway_calls_close(struct gateway_calls *calls)
{
	calls->is_closed = true;
	node_list_on_change(calls->nodes, NULL, NULL);
	for (struct map_node *next, *link = map_first(&calls->by_name); link; link = next) {
		struct gateway *gateway = container_of(link, struct gateway, link);

		next = map_next(&calls->by_name, link);
		gateway_calls_hang_up(gateway);
		gateway_calls_settle(calls, gateway);
	}
	list_for_each(link, &calls->kicks) {
		struct kick *kick = container_of(link, struct kick, link);

		worker_cancel(calls->worker, &kick->pause);
		if (!kick->is_called)
			kick_finish(kick, ERR_CLOSED);
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
