#include "push/gateways.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "push/delivery_ids.h"
#include "push/notes.h"

#define STREAM_MAX_QUEUED (4u << 20)
#define FULL_RETRY_MS 20
#define NOTES_A_DELIVERY 1000
#define WATCH_MS 250

struct gateways {
	struct worker *worker;
	struct rpc_client *client;
	struct node_list *nodes;
	struct map by_key;
	struct delivery_ids ids;
	uint64_t give_up_ms;
	unsigned in_flight;
	struct counter *sent, *resent, *gone, *lagging, *undeliverable, *noted, *given_up, *unexpected;
	struct gauge *open, *open_bytes, *behind;
};

enum gateway_state {
	GATEWAY_UNKNOWN, /* not in our list; being looked up */
	GATEWAY_ALIVE,
	GATEWAY_DEAD, /* out of it, until it is there again: it stood still, and was not replaced */
};

struct gateway {
	struct map_node link;
	struct gateways *all;
	char key[96]; /* "name epoch" */
	char name[65];
	uint64_t epoch;
	enum gateway_state state;
	unsigned refs;
	struct rpc_channel *channel;
	struct rpc_stream *stream;
	bool is_up;
	struct list waiting; /* deliveries to be sent */
	struct list sent; /* and sent, not answered */
	unsigned in_flight; /* in these two */
	size_t in_flight_bytes;
	struct timer retry;
	struct timer watch; /* while anything of it is under way */
	bool is_behind;
	bool is_given_up; /* so far behind that nobody waits for it but the probe */
	struct delivery probe;
	struct notes notes;
	struct list noted; /* deliveries whose numbers are among the notes */
};

/* One time that a gateway is told its notes, in one delivery or several. */
struct telling {
	struct list noted; /* what ends when it is over */
	unsigned open;
};

struct note_delivery {
	struct delivery delivery;
	struct telling *telling;
};

/* ---- the end of a delivery ---- */

static void account(struct gateway *gateway, int deliveries, int64_t bytes)
{
	gateway->in_flight += (unsigned)deliveries;
	gateway->in_flight_bytes += (size_t)bytes;
	gateway->all->in_flight += (unsigned)deliveries;
	gauge_add(gateway->all->open, deliveries);
	gauge_add(gateway->all->open_bytes, bytes);
}

static void catch_up(struct gateway *gateway);
static void keep_watch(struct gateway *gateway);

static void finish(struct delivery *delivery)
{
	struct gateway *gateway = delivery->gateway;

	list_remove(&delivery->link);
	delivery_ids_give_back(&gateway->all->ids, delivery->id);
	account(gateway, -1, -(int64_t)payload_str(delivery->batch).len);
	payload_unref(delivery->batch);
	delivery->batch = NULL;
	delivery->done(delivery);
	catch_up(gateway);
	gateway_unref(gateway);
}

static void finish_noted(struct list *noted)
{
	for (struct list *link; (link = list_pop_front(noted));) {
		struct delivery *delivery = container_of(link, struct delivery, link);
		struct gateway *gateway = delivery->gateway;

		delivery->done(delivery);
		gateway_unref(gateway);
	}
}

/* ---- sending ---- */

static void pump(struct gateway *gateway)
{
	while (gateway->is_up && !list_is_empty(&gateway->waiting)) {
		struct delivery *next = container_of(gateway->waiting.next, struct delivery, link);
		err_t err = rpc_stream_send(gateway->stream, payload_str(next->batch));

		if (err == ERR_FULL)
			worker_arm(gateway->all->worker, &gateway->retry, clock_mono_ms() + FULL_RETRY_MS);
		if (err)
			return;
		list_remove(&next->link);
		list_push_back(&gateway->sent, &next->link);
		counter_add(gateway->all->sent, 1);
	}
}

static struct payload *pack(Skein__V1__Delivery *content)
{
	Skein__V1__DeliverBatch batch = SKEIN__V1__DELIVER_BATCH__INIT;

	batch.n_deliveries = 1;
	batch.deliveries = &content;
	struct payload *payload = payload_alloc((uint32_t)skein__v1__deliver_batch__get_packed_size(&batch));
	skein__v1__deliver_batch__pack(&batch, (uint8_t *)payload->bytes);
	return payload;
}

static void enqueue(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content)
{
	gateway->refs++;
	delivery->gateway = gateway;
	delivery->id = delivery_ids_take(&gateway->all->ids, delivery);
	delivery->since_ms = clock_mono_ms();
	content->id = delivery->id;
	content->node_epoch = gateway->epoch;
	delivery->batch = pack(content);
	account(gateway, 1, (int64_t)payload_str(delivery->batch).len);
	list_push_back(&gateway->waiting, &delivery->link);
	keep_watch(gateway);
	pump(gateway);
}

static void on_retry(struct timer *timer)
{
	pump(container_of(timer, struct gateway, retry));
}

/* ---- being behind ---- */

static void fall_behind(struct gateway *gateway)
{
	gateway->is_behind = true;
	gauge_add(gateway->all->behind, 1);
	log_warn("gateway is behind: only numbers are kept for it", LOG_TEXT("gateway", gateway->name),
	         LOG_NUM("deliveries", gateway->in_flight), LOG_NUM("bytes", gateway->in_flight_bytes));
}

static void end_behind(struct gateway *gateway)
{
	if (gateway->is_behind)
		gauge_add(gateway->all->behind, -1);
	gateway->is_behind = false;
}

static void note(struct gateway *gateway, struct delivery *delivery, const Skein__V1__Delivery *content)
{
	gateway->refs++;
	delivery->gateway = gateway;
	delivery->batch = NULL;
	notes_add(&gateway->notes, content->own);
	notes_add(&gateway->notes, content->others);
	list_init(&delivery->link);
	list_push_back(&gateway->noted, &delivery->link);
	counter_add(gateway->all->noted, 1);
	keep_watch(gateway);
}

static void ignore_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery; /* whose route that is, the next message finds out */
	(void)conn;
}

static void on_told(struct delivery *delivery)
{
	struct note_delivery *made = container_of(delivery, struct note_delivery, delivery);
	struct telling *telling = made->telling;

	mem_free(made);
	if (--telling->open)
		return;
	finish_noted(&telling->noted);
	mem_free(telling);
}

static void tell(struct gateway *gateway, struct telling *telling)
{
	Skein__V1__Delivery content = SKEIN__V1__DELIVERY__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	struct note_delivery *made = MEM_NEW(struct note_delivery);

	notes_take(&gateway->notes, NOTES_A_DELIVERY, &targets);
	content.others = &targets;
	made->telling = telling;
	made->delivery.gone = ignore_gone;
	made->delivery.done = on_told;
	telling->open++;
	enqueue(gateway, &made->delivery, &content);
	mem_free(targets.conns);
}

static void catch_up(struct gateway *gateway)
{
	if (!gateway->is_behind || gateway->is_given_up || gateway->state != GATEWAY_ALIVE ||
	    gateway->in_flight > GATEWAY_MAX_IN_FLIGHT / 2 || gateway->in_flight_bytes > GATEWAY_MAX_BYTES / 2)
		return;
	log_info("gateway catches up", LOG_TEXT("gateway", gateway->name), LOG_NUM("connections", gateway->notes.count));
	end_behind(gateway);
	if (!gateway->notes.count)
		return;
	struct telling *telling = MEM_NEW(struct telling);
	list_init(&telling->noted);
	list_splice_back(&telling->noted, &gateway->noted);
	while (gateway->notes.count)
		tell(gateway, telling);
}

/* ---- giving up ---- */

static struct delivery *oldest(const struct gateway *gateway)
{
	const struct list *from = list_is_empty(&gateway->sent) ? &gateway->waiting : &gateway->sent;

	return list_is_empty(from) ? NULL : container_of(from->next, struct delivery, link);
}

static void note_batch(struct gateway *gateway, struct str packed)
{
	Skein__V1__DeliverBatch *batch = skein__v1__deliver_batch__unpack(NULL, packed.len, (const uint8_t *)packed.ptr);

	assert(batch); /* pack() made it */
	for (size_t i = 0; i < batch->n_deliveries; i++) {
		notes_add(&gateway->notes, batch->deliveries[i]->own);
		notes_add(&gateway->notes, batch->deliveries[i]->others);
	}
	skein__v1__deliver_batch__free_unpacked(batch, NULL);
}

/* It goes on like one that was behind: finish() catches up. */
static void on_probe_answered(struct delivery *probe)
{
	probe->gateway->is_given_up = false;
}

static void send_probe(struct gateway *gateway)
{
	Skein__V1__Delivery nothing = SKEIN__V1__DELIVERY__INIT;

	gateway->probe.gone = ignore_gone;
	gateway->probe.done = on_probe_answered;
	enqueue(gateway, &gateway->probe, &nothing);
}

static void take_under_way(struct gateway *gateway, struct list *to)
{
	list_init(to);
	list_splice_back(to, &gateway->sent);
	list_splice_back(to, &gateway->waiting);
}

/* Every delivery ends, and so its offset may be committed; the numbers are told when the probe is answered. */
static void give_up(struct gateway *gateway)
{
	struct list under_way;

	log_error("gateway does not answer, nobody waits for it any more", LOG_TEXT("gateway", gateway->name),
	          LOG_NUM("deliveries", gateway->in_flight));
	counter_add(gateway->all->given_up, 1);
	if (!gateway->is_behind)
		fall_behind(gateway);
	gateway->is_given_up = true;
	take_under_way(gateway, &under_way);
	while (!list_is_empty(&under_way)) {
		struct delivery *delivery = container_of(under_way.next, struct delivery, link);

		note_batch(gateway, payload_str(delivery->batch));
		finish(delivery);
	}
	rpc_stream_reopen(gateway->stream);
	send_probe(gateway);
}

static void look_whether_it_answers(struct gateway *gateway)
{
	struct delivery *first = oldest(gateway);

	if (!first || gateway->state != GATEWAY_ALIVE || clock_mono_ms() < first->since_ms + gateway->all->give_up_ms)
		return;
	if (gateway->is_given_up) { /* once more on a new stream */
		first->since_ms = clock_mono_ms();
		rpc_stream_reopen(gateway->stream);
	} else {
		give_up(gateway);
	}
}

static void on_watch(struct timer *timer)
{
	struct gateway *gateway = container_of(timer, struct gateway, watch);

	gateway->refs++;
	look_whether_it_answers(gateway);
	if (gateway->is_given_up)
		finish_noted(&gateway->noted);
	if (gateway->in_flight || !list_is_empty(&gateway->noted))
		keep_watch(gateway);
	gateway_unref(gateway);
}

static void keep_watch(struct gateway *gateway)
{
	if (!timer_is_armed(&gateway->watch))
		worker_arm(gateway->all->worker, &gateway->watch, clock_mono_ms() + WATCH_MS);
}

/* ---- the stream ---- */

static void on_opened(struct rpc_stream *stream, void *arg)
{
	struct gateway *gateway = arg;

	(void)stream;
	gateway->is_up = true;
	log_info("stream to gateway is up", LOG_TEXT("gateway", gateway->name));
	pump(gateway);
}

static void on_closed(struct rpc_stream *stream, err_t err, void *arg)
{
	struct gateway *gateway = arg;
	struct list again;

	(void)stream;
	if (gateway->is_up)
		log_warn("stream to gateway is down", LOG_TEXT("gateway", gateway->name), LOG_ERR(err));
	gateway->is_up = false;
	/* What was sent and not answered goes out again, before what waits. */
	list_init(&again);
	list_splice_back(&again, &gateway->sent);
	list_for_each(link, &again)
		counter_add(gateway->all->resent, 1);
	list_splice_back(&again, &gateway->waiting);
	list_splice_back(&gateway->waiting, &again);
}

/* ---- answers ---- */

static struct delivery *find_of(struct gateway *gateway, uint64_t id)
{
	struct delivery *delivery = delivery_ids_find(&gateway->all->ids, id);

	if (delivery && delivery->gateway == gateway)
		return delivery;
	counter_add(gateway->all->unexpected, 1);
	return NULL;
}

static void take_exception(struct gateway *gateway, const Skein__V1__Exception *exception)
{
	struct delivery *delivery = find_of(gateway, exception->id);

	if (!delivery)
		return;
	if (exception->verdict == SKEIN__V1__VERDICT__GONE) {
		counter_add(gateway->all->gone, 1);
		delivery->gone(delivery, exception->conn);
	} else {
		counter_add(gateway->all->lagging, 1);
	}
}

static void on_answers(struct rpc_stream *stream, struct str message, void *arg)
{
	struct gateway *gateway = arg;
	Skein__V1__DeliverAnswers *answers =
		skein__v1__deliver_answers__unpack(NULL, message.len, (const uint8_t *)message.ptr);

	(void)stream;
	if (!answers) {
		counter_add(gateway->all->unexpected, 1);
		log_warn("a gateway answered something that is not DeliverAnswers", LOG_TEXT("gateway", gateway->name),
		         LOG_NUM("bytes", message.len));
		return;
	}
	gateway->refs++; /* the last delivery may be all that holds a dead one */
	for (size_t i = 0; i < answers->n_exceptions; i++)
		take_exception(gateway, answers->exceptions[i]);
	for (size_t i = 0; i < answers->n_done; i++) {
		struct delivery *delivery = find_of(gateway, answers->done[i]);

		if (delivery)
			finish(delivery);
	}
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
	gateway_unref(gateway);
}

static const struct rpc_stream_handlers stream_handlers = {
	.opened = on_opened,
	.message = on_answers,
	.closed = on_closed,
};

/* ---- life of a gateway: unknown -> alive -> dead, or unknown -> dead ---- */

static void hang_up(struct gateway *gateway)
{
	gateway->is_up = false;
	if (gateway->stream)
		rpc_stream_close(gateway->stream);
	if (gateway->channel)
		rpc_channel_close(gateway->channel);
	gateway->stream = NULL;
	gateway->channel = NULL;
}

static void end_all(struct gateway *gateway)
{
	struct list under_way;

	gateway->state = GATEWAY_DEAD;
	hang_up(gateway);
	worker_cancel(gateway->all->worker, &gateway->retry);
	worker_cancel(gateway->all->worker, &gateway->watch);
	take_under_way(gateway, &under_way);
	while (!list_is_empty(&under_way)) {
		counter_add(gateway->all->undeliverable, 1);
		finish(container_of(under_way.next, struct delivery, link));
	}
	end_behind(gateway);
	finish_noted(&gateway->noted);
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
	err_t err = rpc_channel_new(&gateway->channel, gateway->all->client, node->grpc_address);

	if (err) {
		log_error("cannot open a channel to a gateway", LOG_TEXT("gateway", gateway->name),
		          LOG_TEXT("address", node->grpc_address), LOG_ERR(err));
		become_dead(gateway);
		return;
	}
	gateway->state = GATEWAY_ALIVE;
	gateway->refs++; /* the list's own, until it is dead */
	gateway->stream = rpc_stream_open(gateway->channel, gateway->all->worker, "/skein.v1.Gateway/Deliver",
	                                  &stream_handlers, STREAM_MAX_QUEUED, gateway);
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
	list_init(&gateway->waiting);
	list_init(&gateway->sent);
	list_init(&gateway->noted);
	notes_init(&gateway->notes);
	timer_init(&gateway->retry, on_retry);
	timer_init(&gateway->watch, on_watch);
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
	assert(list_is_empty(&gateway->waiting) && list_is_empty(&gateway->sent) && list_is_empty(&gateway->noted));
	worker_cancel(gateway->all->worker, &gateway->watch);
	map_remove(&gateway->all->by_key, &gateway->link);
	notes_release(&gateway->notes);
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
		fall_behind(gateway);
	delivery->is_noted = gateway->is_behind;
	if (delivery->is_noted)
		note(gateway, delivery, content);
	else
		enqueue(gateway, delivery, content);
}

unsigned gateways_in_flight(const struct gateways *all)
{
	return all->in_flight;
}
