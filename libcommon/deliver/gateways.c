#include "deliver/gateways.h"

#include <assert.h>
#include <stdio.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "deliver/gateway.h"

/* ---- life of a gateway: unknown -> alive -> dead, or unknown -> dead ---- */

static void end_all(struct gateway *gateway)
{
	struct list under_way;

	gateway->state = GATEWAY_DEAD;
	gateway_hang_up(gateway);
	worker_cancel(gateway->all->worker, &gateway->watch);
	gateway_take_under_way(gateway, &under_way);
	while (!list_is_empty(&under_way)) {
		counter_add(gateway->all->undeliverable, 1);
		delivery_finish(container_of(under_way.next, struct delivery, link));
	}
	gateway_end_noted(gateway);
}

static void become_dead(struct gateway *gateway)
{
	if (gateway->state == GATEWAY_DEAD)
		return;
	if (gateway->state == GATEWAY_ALIVE)
		log_info("gateway is gone", LOG_TEXT("gateway", gateway->name), LOG_U64("epoch", gateway->epoch));
	gateway->refs++;
	end_all(gateway);
	gateway_unref(gateway);
}

static void become_alive(struct gateway *gateway, const struct node *node)
{
	if (gateway_connect(gateway, node->grpc_address)) {
		become_dead(gateway);
		return;
	}
	gateway->state = GATEWAY_ALIVE;
	gateway->refs++; /* the list's own, until it is dead */
}

static void on_looked_up(void *arg)
{
	struct gateway *gateway = arg;

	if (gateway->state == GATEWAY_UNKNOWN) {
		const struct node *node =
			node_list_find_epoch(gateway->all->nodes, str_from(gateway->name), gateway->epoch);
		if (node)
			become_alive(gateway, node);
		else
			become_dead(gateway);
	}
	gateway_unref(gateway);
}

static void look_up(struct gateway *gateway)
{
	const struct node *node = node_list_find_epoch(gateway->all->nodes, str_from(gateway->name), gateway->epoch);

	if (node) {
		become_alive(gateway, node);
		return;
	}
	gateway->refs++;
	node_list_refresh(gateway->all->nodes, on_looked_up, gateway);
}

static struct gateway *gateway_new(struct gateways *all, struct str name, uint64_t epoch, const char *key)
{
	struct gateway *gateway = MEM_NEW(struct gateway);

	gateway->all = all;
	(void)str_copy(gateway->name, sizeof(gateway->name), name);
	(void)str_copy(gateway->key, sizeof(gateway->key), str_from(key));
	gateway->epoch = epoch;
	gateway_stream_init(gateway);
	gateway_behind_init(gateway);
	map_put(&all->by_key, &gateway->link);
	return gateway;
}

struct gateway *gateways_get(struct gateways *all, struct str name, uint64_t epoch)
{
	char key[96];

	snprintf(key, sizeof(key), "%.*s %llu", STR_ARG(name), (unsigned long long)epoch);
	struct map_node *found = map_find(&all->by_key, str_from(key));
	struct gateway *gateway =
		found ? container_of(found, struct gateway, link) : gateway_new(all, name, epoch, key);
	gateway->refs++;
	if (!found)
		look_up(gateway);
	else if (gateway->state == GATEWAY_DEAD) {
		gateway->state = GATEWAY_UNKNOWN; /* somebody still holds it, and a route says that it is there */
		look_up(gateway);
	}
	return gateway;
}

void gateway_unref(struct gateway *gateway)
{
	if (--gateway->refs)
		return;
	assert(list_is_empty(&gateway->waiting) && list_is_empty(&gateway->sent));
	gateway_behind_release(gateway);
	map_remove(&gateway->all->by_key, &gateway->link);
	mem_free(gateway);
}

static struct gateway *first_departed(const struct gateways *all)
{
	for (struct map_node *node = map_first(&all->by_key); node; node = map_next(&all->by_key, node)) {
		struct gateway *gateway = container_of(node, struct gateway, link);

		if (gateway->state == GATEWAY_ALIVE &&
		    !node_list_find_epoch(all->nodes, str_from(gateway->name), gateway->epoch))
			return gateway;
	}
	return NULL;
}

/* Opens streams to gateways that came, buries those that went. */
static void on_nodes_changed(void *arg)
{
	struct gateways *all = arg;
	const struct node *nodes[1024];
	size_t count = node_list_all(all->nodes, nodes, ARRAY_LEN(nodes));

	for (size_t i = 0; i < count; i++)
		gateway_unref(gateways_get(all, str_from(nodes[i]->name), nodes[i]->epoch));
	/* Burying one ends deliveries, which may free others: look again from the start. */
	for (struct gateway *gateway; (gateway = first_departed(all));) {
		become_dead(gateway);
		gateway_unref(gateway);
	}
}

static struct str key_of(const struct map_node *node)
{
	return str_from(container_of(node, struct gateway, link)->key);
}

struct gateways *gateways_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes, uint64_t give_up_ms)
{
	struct gateways *all = MEM_NEW(struct gateways);

	all->worker = worker;
	all->client = client;
	all->nodes = nodes;
	all->give_up_ms = give_up_ms;
	delivery_ids_init(&all->ids);
	map_init(&all->by_key, key_of);
	all->sent = metrics_counter("skein_push_deliveries_sent_total", "Records sent to gateways.", NULL);
	all->resent = metrics_counter("skein_push_deliveries_resent_total",
	                              "Records to be sent again after a stream broke.", NULL);
	all->gone = metrics_counter("skein_push_targets_gone_total", "Connections a gateway did not have any more.", NULL);
	all->lagging = metrics_counter("skein_push_targets_lagging_total",
	                               "Connections that could not take a message at once.", NULL);
	all->undeliverable = metrics_counter("skein_push_deliveries_dead_total",
	                                     "Records given up because their gateway died.", NULL);
	all->noted = metrics_counter("skein_push_deliveries_noted_total",
	                             "Records of which only the numbers were kept, for a gateway that was behind.", NULL);
	all->given_up = metrics_counter("skein_push_gateways_given_up_total",
	                                "Times that nobody waited for a gateway any more, since it did not answer.", NULL);
	all->unexpected = metrics_counter("skein_push_answers_unexpected_total",
	                                  "Answers of gateways that fit no delivery: late, given twice, or nonsense.", NULL);
	all->open = metrics_gauge("skein_push_deliveries_in_flight", "Records that gateways have not answered.", NULL);
	all->open_bytes = metrics_gauge("skein_push_deliveries_in_flight_bytes", "Their bytes.", NULL);
	all->behind = metrics_gauge("skein_push_gateways_behind", "Gateways that get numbers instead of messages.", NULL);
	node_list_on_change(nodes, on_nodes_changed, all);
	return all;
}

void gateways_free(struct gateways *all)
{
	node_list_on_change(all->nodes, NULL, NULL);
	for (struct map_node *node; (node = map_first(&all->by_key));) {
		struct gateway *gateway = container_of(node, struct gateway, link);

		gateway->refs++;
		end_all(gateway);
		gateway->refs = 1; /* whoever else held it is gone */
		gateway_unref(gateway);
	}
	map_release(&all->by_key);
	delivery_ids_release(&all->ids);
	mem_free(all);
}

bool gateway_is_dead(const struct gateway *gateway)
{
	return gateway->state == GATEWAY_DEAD;
}

struct str gateway_name(const struct gateway *gateway)
{
	return str_from(gateway->name);
}

uint64_t gateway_epoch(const struct gateway *gateway)
{
	return gateway->epoch;
}

void gateway_deliver(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content)
{
	assert(gateway->state != GATEWAY_DEAD);
	if (!gateway->is_behind &&
	    (gateway->in_flight >= GATEWAY_MAX_IN_FLIGHT || gateway->in_flight_bytes >= GATEWAY_MAX_BYTES))
		gateway_fall_behind(gateway);
	delivery->is_noted = gateway->is_behind;
	if (delivery->is_noted)
		gateway_note(gateway, delivery, content);
	else
		gateway_send(gateway, delivery, content);
}

unsigned gateways_in_flight(const struct gateways *all)
{
	return all->in_flight;
}
