#include "gateway/gateway_metrics.h"
#include "gateway/grpc/delivery.h"
#include "gateway/grpc/service.h"
#include "gateway/wire/event_frame.h"
#include "proto/delivery.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/streams.h"

/*
 * Batches that push streams to a gateway. The gateway of this target has no workers,
 * so every target is gone (or, in a malformed message delivery, lagging). In each
 * batch that can be read, every delivery is answered, and every target of a message
 * or a good event has a verdict.
 */

#define NODE_EPOCH 0x0101010101010101ull

static struct gateway_service *our_service(void)
{
	static struct gateway_metrics metrics;
	static atomic_uint_fast64_t node_epoch = NODE_EPOCH;
	static struct gateway_service service = { .metrics = &metrics, .node_epoch = &node_epoch };

	if (!metrics.malformed)
		gateway_metrics_init(&metrics);
	return &service;
}

/* An event without offsets that has a frame; every other event is ignored. */
static bool is_event_for(const Skein__V1__Delivery *delivery, const Skein__V1__Connections *targets)
{
	if (targets && (targets->n_offsets || targets->n_epochs))
		return false;
	if (delivery->node_epoch != NODE_EPOCH)
		return true;
	struct shared_frame *frame = event_frame_new(delivery->event);
	if (frame)
		shared_frame_unref(frame);
	return frame;
}

/* The targets that must have a verdict. */
static const Skein__V1__Targets *targets_of(const Skein__V1__Delivery *delivery)
{
	static const Skein__V1__Targets none = SKEIN__V1__TARGETS__INIT;
	bool is_event = delivery->content_case == SKEIN__V1__DELIVERY__CONTENT_EVENT;

	if (!delivery->audience || delivery->audience->who_case != SKEIN__V1__AUDIENCE__WHO_TARGETS)
		return &none;
	const Skein__V1__Targets *targets = delivery->audience->targets;
	if (is_event && (!is_event_for(delivery, targets->own) || !is_event_for(delivery, targets->others)))
		return &none;
	return targets;
}

static size_t count_targets(const Skein__V1__Connections *targets)
{
	return targets ? targets->n_conns : 0;
}

static bool is_among(uint64_t conn, const Skein__V1__Connections *targets)
{
	for (size_t i = 0; i < count_targets(targets); i++)
		if (targets->conns[i] == conn)
			return true;
	return false;
}

static bool is_asked(const Skein__V1__Exception *exception, const Skein__V1__DeliverBatch *batch)
{
	for (size_t i = 0; i < batch->n_deliveries; i++) {
		const Skein__V1__Targets *targets = targets_of(batch->deliveries[i]);

		if (batch->deliveries[i]->id == exception->id &&
		    (is_among(exception->conn, targets->others) || is_among(exception->conn, targets->own)))
			return true;
	}
	return false;
}

static void check_answers(const Skein__V1__DeliverBatch *batch)
{
	Skein__V1__DeliverAnswers *answers =
		skein__v1__deliver_answers__unpack(NULL, peer.sent.len, (const uint8_t *)peer.sent.ptr);
	size_t count = 0;

	CHECK(answers && answers->n_done == batch->n_deliveries);
	for (size_t i = 0; i < batch->n_deliveries; i++) {
		const Skein__V1__Targets *targets = targets_of(batch->deliveries[i]);

		CHECK(answers->done[i] == batch->deliveries[i]->id);
		count += count_targets(targets->others) + count_targets(targets->own);
	}
	CHECK(answers->n_exceptions == count);
	for (size_t i = 0; i < answers->n_exceptions; i++) {
		CHECK(answers->exceptions[i]->verdict != SKEIN__V1__VERDICT__QUEUED);
		CHECK(is_asked(answers->exceptions[i], batch));
	}
	skein__v1__deliver_answers__free_unpacked(answers, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	Skein__V1__DeliverBatch *batch = skein__v1__deliver_batch__unpack(NULL, len, bytes);

	peer_begin();
	delivery_handlers.message(PEER, str_of(bytes, len), our_service());
	CHECK(peer.refs == 0 && peer.kept == 0 && peer.has_ended == !batch);
	CHECK(peer.sends == (batch && batch->n_deliveries ? 1 : 0));
	if (peer.sends)
		check_answers(batch);
	if (batch)
		skein__v1__deliver_batch__free_unpacked(batch, NULL);
	return 0;
}
