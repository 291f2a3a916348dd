#include "deliver/gateways.h"

#include <stdio.h>

#include "base/macros.h"
#include "base/map.h"
#include "base/mem.h"

struct gateways {
	struct gateway_context context;
	struct node_list *nodes;
	struct map by_key;
};

static struct gateways *gateways_of(const struct gateway *gateway)
{
	return container_of(gateway->context, struct gateways, context);
}

/* ---- looking a gateway up ---- */

static const struct node *gateways_node_of(const struct gateway *gateway)
{
	return node_list_find_epoch(gateways_of(gateway)->nodes, gateway_name(gateway), gateway->epoch);
}

static void gateways_on_looked_up(void *arg)
{
	struct gateway *gateway = arg;

	if (gateway->state == GATEWAY_UNKNOWN) {
		const struct node *node = gateways_node_of(gateway);

		if (node)
			gateway_come_alive(gateway, node->grpc_address);
		else
			gateway_die(gateway);
	}
	gateway_unref(gateway);
}

struct gateway *gateways_get(struct gateways *all, struct str name, uint64_t epoch)
{
	char key[96];

	snprintf(key, sizeof(key), "%.*s %llu", STR_ARG(name), (unsigned long long)epoch);
	struct map_node *found = map_find(&all->by_key, str_from(key));
	struct gateway *gateway =
		found ? container_of(found, struct gateway, link) : gateway_new(&all->context, name, epoch, key);
	gateway_ref(gateway);
	if (!found)
		map_put(&all->by_key, &gateway->link);
	else if (gateway_is_dead(gateway))
		gateway_doubt(gateway);
	else
		return gateway;
	const struct node *node = gateways_node_of(gateway);
	if (node) {
		gateway_come_alive(gateway, node->grpc_address);
	} else {
		gateway_ref(gateway);
		node_list_refresh(all->nodes, gateways_on_looked_up, gateway);
	}
	return gateway;
}

static void gateways_on_unused(struct gateway *gateway)
{
	map_remove(&gateways_of(gateway)->by_key, &gateway->link);
	gateway_free(gateway);
}

/* ---- the node list ---- */

static struct gateway *gateways_first_departed(const struct gateways *all)
{
	for (struct map_node *link = map_first(&all->by_key); link; link = map_next(&all->by_key, link)) {
		struct gateway *gateway = container_of(link, struct gateway, link);

		if (gateway->state == GATEWAY_ALIVE && !gateways_node_of(gateway))
			return gateway;
	}
	return NULL;
}

static void gateways_on_nodes_changed(void *arg)
{
	struct gateways *all = arg;
	const struct node *nodes[GATEWAYS_MAX];
	size_t count = node_list_all(all->nodes, nodes, ARRAY_LEN(nodes));

	for (size_t i = 0; i < count; i++)
		gateway_unref(gateways_get(all, str_from(nodes[i]->name), nodes[i]->epoch));
	/* A death ends deliveries, which may free other gateways: look again from the start. */
	for (struct gateway *gateway; (gateway = gateways_first_departed(all));)
		gateway_die(gateway);
}

/* ---- life ---- */

static struct str gateways_key_of(const struct map_node *link)
{
	return str_from(container_of(link, struct gateway, link)->key);
}

struct gateways *gateways_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes, uint64_t give_up_ms)
{
	struct gateways *all = MEM_NEW(struct gateways);
	struct gateway_context *context = &all->context;

	all->nodes = nodes;
	map_init(&all->by_key, gateways_key_of);
	delivery_streams_init(&context->streams, worker, client);
	context->give_up_ms = give_up_ms;
	context->unused = gateways_on_unused;
	context->undeliverable = metrics_counter("skein_push_deliveries_dead_total",
	                                         "Records given up because their gateway died.", NULL);
	context->noted = metrics_counter("skein_push_deliveries_noted_total",
	                                 "Records of which only the numbers were kept, for a gateway that was behind.", NULL);
	context->given_up = metrics_counter("skein_push_gateways_given_up_total",
	                                    "Times that a gateway did not answer and its deliveries were given up.", NULL);
	context->behind = metrics_gauge("skein_push_gateways_behind", "Gateways that get numbers instead of messages.", NULL);
	node_list_on_change(nodes, gateways_on_nodes_changed, all);
	return all;
}

void gateways_free(struct gateways *all)
{
	node_list_on_change(all->nodes, NULL, NULL);
	for (struct map_node *link; (link = map_first(&all->by_key));) {
		struct gateway *gateway = container_of(link, struct gateway, link);

		gateway_ref(gateway);
		gateway_die(gateway);
		gateway->refs = 1; /* other holders, such as a look-up that will not be answered, are gone */
		gateway_unref(gateway);
	}
	map_release(&all->by_key);
	delivery_streams_release(&all->context.streams);
	mem_free(all);
}

size_t gateways_living(const struct gateways *all, struct gateway **out, size_t max)
{
	size_t count = 0;

	for (struct map_node *link = map_first(&all->by_key); link && count < max; link = map_next(&all->by_key, link)) {
		struct gateway *gateway = container_of(link, struct gateway, link);

		if (gateway->state == GATEWAY_ALIVE)
			out[count++] = gateway;
	}
	return count;
}

unsigned gateways_in_flight(const struct gateways *all)
{
	return all->context.streams.in_flight;
}

bool gateways_are_reached(const struct gateways *all)
{
	if (!node_list_is_fresh(all->nodes))
		return false;
	for (struct map_node *link = map_first(&all->by_key); link; link = map_next(&all->by_key, link)) {
		const struct gateway *gateway = container_of(link, struct gateway, link);

		if (gateway->state == GATEWAY_ALIVE && !gateway->stream.is_up)
			return false;
	}
	return true;
}
