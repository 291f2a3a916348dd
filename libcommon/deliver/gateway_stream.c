#include "base/clock.h"
#include "base/telemetry/log.h"
#include "deliver/gateway.h"

#define STREAM_MAX_QUEUED (4u << 20)
#define FULL_RETRY_MS 20

/* ---- the end of a delivery ---- */

static void account(struct gateway *gateway, int deliveries, int64_t bytes)
{
	gateway->in_flight += (unsigned)deliveries;
	gateway->in_flight_bytes += (size_t)bytes;
	gateway->all->in_flight += (unsigned)deliveries;
	gauge_add(gateway->all->open, deliveries);
	gauge_add(gateway->all->open_bytes, bytes);
}

void delivery_finish(struct delivery *delivery)
{
	struct gateway *gateway = delivery->gateway;

	list_remove(&delivery->link);
	delivery_ids_give_back(&gateway->all->ids, delivery->id);
	account(gateway, -1, -(int64_t)payload_str(delivery->batch).len);
	payload_unref(delivery->batch);
	delivery->batch = NULL;
	delivery->done(delivery);
	gateway_catch_up(gateway);
	gateway_unref(gateway);
}

void gateway_take_under_way(struct gateway *gateway, struct list *to)
{
	list_init(to);
	list_splice_back(to, &gateway->sent);
	list_splice_back(to, &gateway->waiting);
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

void gateway_send(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content)
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
	gateway_keep_watch(gateway);
	pump(gateway);
}

static void on_retry(struct timer *timer)
{
	pump(container_of(timer, struct gateway, retry));
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
			delivery_finish(delivery);
	}
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
	gateway_unref(gateway);
}

static const struct rpc_stream_handlers stream_handlers = {
	.opened = on_opened,
	.message = on_answers,
	.closed = on_closed,
};

/* ---- up and down ---- */

void gateway_stream_init(struct gateway *gateway)
{
	list_init(&gateway->waiting);
	list_init(&gateway->sent);
	timer_init(&gateway->retry, on_retry);
}

err_t gateway_connect(struct gateway *gateway, const char *address)
{
	err_t err = rpc_channel_new(&gateway->channel, gateway->all->client, address);

	if (err) {
		log_error("cannot open a channel to a gateway", LOG_TEXT("gateway", gateway->name), LOG_TEXT("address", address),
		          LOG_ERR(err));
		return err;
	}
	gateway->stream = rpc_stream_open(gateway->channel, gateway->all->worker, "/skein.v1.Gateway/Deliver",
	                                  &stream_handlers, STREAM_MAX_QUEUED, gateway);
	return OK;
}

void gateway_hang_up(struct gateway *gateway)
{
	gateway->is_up = false;
	worker_cancel(gateway->all->worker, &gateway->retry);
	if (gateway->stream)
		rpc_stream_close(gateway->stream);
	if (gateway->channel)
		rpc_channel_close(gateway->channel);
	gateway->stream = NULL;
	gateway->channel = NULL;
}
