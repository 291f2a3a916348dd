#ifndef SKEIN_GATEWAY_GRPC_DELIVERY_H
#define SKEIN_GATEWAY_GRPC_DELIVERY_H

/*
 * The Deliver stream of push. A batch is read on the thread of the rpc queue;
 * each message and event is encoded there, once. Every worker that has targets in
 * the batch gets one task for all of it. The last worker sends one answer: all
 * deliveries are done, with the exceptions: targets that are gone or lagging.
 *
 * A batch counts against the stream's limit until its last worker is done: a push
 * that delivers faster than the workers work has to wait. A push that does not read
 * its answers loses the stream.
 *
 * The arg of the handlers is the struct gateway_service.
 */
struct rpc_stream_handlers;

extern const struct rpc_stream_handlers delivery_handlers;

#endif
