#include "deliver/gateway_stream.h"

#include <assert.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/payload.h"
#include "base/telemetry/log.h"

#define STREAM_MAX_QUEUED (4u << 20)
#define FULL_RETRY_MS 20

void delivery_streams_init(struct delivery_streams *all, struct worker *worker, struct rpc_client *client)
{
	*all = (struct delivery_streams){ .worker = worker, .client = client };
	delivery_ids_init(&all->ids);
	all->sent = metrics_counter("skein_push_deliveries_sent_total", "Records sent to gateways.", NULL);
	all->resent = metrics_counter("skein_push_deliveries_resent_total",
	                              "Records to be sent again after a stream broke.", NULL);
	all->gone = metrics_counter("skein_push_targets_gone_total", "Connections that a gateway no longer had.", NULL);
	all->lagging = metrics_counter("skein_push_targets_lagging_total",
	                               "Connections that could not take a message at once.", NULL);
	all->unexpected = metrics_counter("skein_push_answers_unexpected_total",
	                                  "Answers of gateways that fit no delivery: late, repeated, or invalid.", NULL);
	all->too_large = metrics_counter("skein_push_deliveries_too_large_total",
	                                 "Records sent without their message, which was too large for gRPC.", NULL);
	all->answer_time = metrics_histogram(
		"skein_push_answer_seconds",
		"From giving a message to a gateway's stream until the gateway has answered it.", NULL);
	all->open = metrics_gauge("skein_push_deliveries_in_flight", "Records that gateways have not answered.", NULL);
	all->open_bytes = metrics_gauge("skein_push_deliveries_in_flight_bytes",
	                                "Bytes of the records that gateways have not answered.", NULL);
}

void delivery_streams_release(struct delivery_streams *all)
{
	delivery_ids_release(&all->ids);
}

/* ---- unanswered deliveries ---- */

static void stream_account(struct gateway_stream *stream, const struct delivery *delivery, int sign)
{
	struct delivery_load *load = delivery->is_event ? &stream->event_load : &stream->message_load;
	int64_t bytes = sign * (int64_t)payload_str(delivery->batch).len;

	load->count += (unsigned)sign;
	load->bytes += (size_t)bytes;
	stream->all->in_flight += (unsigned)sign;
	gauge_add(stream->all->open, sign);
	gauge_add(stream->all->open_bytes, bytes);
}

/* The delivery is in no list and has no id from here on. */
static void stream_take(struct gateway_stream *stream, struct delivery *delivery)
{
	list_remove(&delivery->link);
	delivery_ids_give_back(&stream->all->ids, delivery->id);
	stream_account(stream, delivery, -1);
}

static struct delivery *stream_first(const struct list *list)
{
	return list_is_empty(list) ? NULL : container_of(list->next, struct delivery, link);
}

struct delivery *gateway_stream_oldest(const struct gateway_stream *stream)
{
	struct delivery *oldest = stream_first(&stream->sent);

	if (!oldest)
		oldest = stream_first(&stream->messages);
	return oldest ? oldest : stream_first(&stream->events);
}

void gateway_stream_take_all(struct gateway_stream *stream, struct list *to)
{
	list_init(to);
	for (struct delivery *delivery; (delivery = gateway_stream_oldest(stream));) {
		stream_take(stream, delivery);
		list_push_back(to, &delivery->link);
	}
}

/* ---- sending ---- */

static void stream_pump(struct gateway_stream *stream)
{
	while (stream->is_up) {
		struct delivery *next = stream_first(&stream->messages);

		if (!next)
			next = stream_first(&stream->events);
		if (!next)
			return;
		err_t err = rpc_stream_send(stream->rpc, payload_str(next->batch));
		if (err == ERR_FULL)
			worker_arm_in(stream->all->worker, &stream->retry, FULL_RETRY_MS);
		if (err)
			return;
		list_remove(&next->link);
		list_push_back(&stream->sent, &next->link);
		counter_add(stream->all->sent, 1);
	}
}

static struct payload *stream_pack(Skein__V1__Delivery *content)
{
	Skein__V1__DeliverBatch batch = SKEIN__V1__DELIVER_BATCH__INIT;

	batch.n_deliveries = 1;
	batch.deliveries = &content;
	size_t len = skein__v1__deliver_batch__get_packed_size(&batch);
	if (len > RPC_MESSAGE_MAX)
		return NULL;
	struct payload *packed = payload_alloc((uint32_t)len);
	skein__v1__deliver_batch__pack(&batch, (uint8_t *)packed->bytes);
	return packed;
}

/* Numbers alone always fit: FANOUT_MAX_TARGETS. */
static struct payload *stream_pack_numbers(const struct gateway_stream *stream, Skein__V1__Delivery *content)
{
	log_error("message is too large for gRPC: its connections read it from their inboxes", LOG_TEXT("gateway", stream->name),
	          LOG_NUM("bytes", content->message.len));
	counter_add(stream->all->too_large, 1);
	content->content_case = SKEIN__V1__DELIVERY__CONTENT__NOT_SET;
	return stream_pack(content);
}

void gateway_stream_send(struct gateway_stream *stream, struct delivery *delivery, Skein__V1__Delivery *content)
{
	delivery->stream = stream;
	delivery->id = delivery_ids_take(&stream->all->ids, delivery);
	delivery->since_us = clock_mono_us();
	content->id = delivery->id;
	delivery->batch = stream_pack(content);
	if (!delivery->batch)
		delivery->batch = stream_pack_numbers(stream, content);
	assert(delivery->batch);
	stream_account(stream, delivery, 1);
	list_push_back(delivery->is_event ? &stream->events : &stream->messages, &delivery->link);
	stream_pump(stream);
}

static void stream_on_retry(struct timer *timer)
{
	stream_pump(container_of(timer, struct gateway_stream, retry));
}

/* ---- answers ---- */

static struct delivery *stream_find(struct gateway_stream *stream, uint64_t id)
{
	struct delivery *delivery = delivery_ids_find(&stream->all->ids, id);

	if (delivery && delivery->stream == stream)
		return delivery;
	counter_add(stream->all->unexpected, 1);
	return NULL;
}

static void stream_on_message(struct rpc_stream *rpc, struct str message, void *arg)
{
	struct gateway_stream *stream = arg;
	void (*answered)(struct delivery * delivery) = stream->answered;
	Skein__V1__DeliverAnswers *answers =
		skein__v1__deliver_answers__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	uint64_t now_us = clock_mono_us();
	struct list done;

	(void)rpc;
	if (!answers) {
		counter_add(stream->all->unexpected, 1);
		log_warn("a gateway's answer is not a DeliverAnswers", LOG_TEXT("gateway", stream->name),
		         LOG_NUM("bytes", message.len));
		return;
	}
	list_init(&done);
	for (size_t i = 0; i < answers->n_exceptions; i++) {
		const Skein__V1__Exception *exception = answers->exceptions[i];
		struct delivery *delivery = stream_find(stream, exception->id);
		bool is_gone = exception->verdict == SKEIN__V1__VERDICT__GONE;

		if (!delivery)
			continue;
		counter_add(is_gone ? stream->all->gone : stream->all->lagging, 1);
		if (is_gone)
			delivery->gone(delivery, exception->conn);
	}
	for (size_t i = 0; i < answers->n_done; i++) {
		struct delivery *delivery = stream_find(stream, answers->done[i]);

		if (!delivery)
			continue;
		stream_take(stream, delivery);
		if (!delivery->is_event)
			histogram_observe(stream->all->answer_time, now_us - delivery->since_us);
		list_push_back(&done, &delivery->link);
	}
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
	for (struct list *link; (link = list_pop_front(&done));)
		answered(container_of(link, struct delivery, link)); /* the last one may free the stream */
}

/* ---- opening and closing ---- */

static void stream_on_opened(struct rpc_stream *rpc, void *arg)
{
	struct gateway_stream *stream = arg;

	(void)rpc;
	stream->is_up = true;
	log_info("stream to gateway is up", LOG_TEXT("gateway", stream->name));
	stream_pump(stream);
}

static void stream_on_closed(struct rpc_stream *rpc, err_t err, void *arg)
{
	struct gateway_stream *stream = arg;

	(void)rpc;
	if (stream->is_up)
		log_warn("stream to gateway is down", LOG_TEXT("gateway", stream->name), LOG_ERR(err));
	stream->is_up = false;
	/* Each delivery goes back to the front of its own kind, before those that were never sent. */
	while (!list_is_empty(&stream->sent)) {
		struct delivery *last = container_of(stream->sent.prev, struct delivery, link);

		list_remove(&last->link);
		list_push_front(last->is_event ? &stream->events : &stream->messages, &last->link);
		counter_add(stream->all->resent, 1);
	}
}

static const struct rpc_stream_handlers stream_handlers = {
	.opened = stream_on_opened,
	.message = stream_on_message,
	.closed = stream_on_closed,
};

void gateway_stream_init(struct gateway_stream *stream, struct delivery_streams *all, const char *name,
                         void (*answered)(struct delivery *delivery))
{
	*stream = (struct gateway_stream){ .all = all, .name = name, .answered = answered };
	list_init(&stream->messages);
	list_init(&stream->events);
	list_init(&stream->sent);
	timer_init(&stream->retry, stream_on_retry);
}

err_t gateway_stream_open(struct gateway_stream *stream, const char *address)
{
	err_t err = rpc_channel_new(&stream->channel, stream->all->client, address);

	if (err) {
		log_error("cannot open a channel to a gateway", LOG_TEXT("gateway", stream->name), LOG_TEXT("address", address),
		          LOG_ERR(err));
		return err;
	}
	stream->rpc = rpc_stream_open(stream->channel, stream->all->worker, "/skein.v1.Gateway/Deliver", &stream_handlers,
	                              STREAM_MAX_QUEUED, stream);
	return OK;
}

void gateway_stream_reopen(struct gateway_stream *stream)
{
	rpc_stream_reopen(stream->rpc);
}

void gateway_stream_close(struct gateway_stream *stream)
{
	stream->is_up = false;
	worker_cancel(stream->all->worker, &stream->retry);
	if (stream->rpc)
		rpc_stream_close(stream->rpc);
	if (stream->channel)
		rpc_channel_close(stream->channel);
	stream->rpc = NULL;
	stream->channel = NULL;
}
