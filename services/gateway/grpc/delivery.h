#ifndef SKEIN_GATEWAY_GRPC_DELIVERY_H
#define SKEIN_GATEWAY_GRPC_DELIVERY_H

/*
 * The Deliver stream of push. A batch is read on the thread of the rpc queue,
 * where each message and event is encoded, once; every worker that has targets in
 * it gets one task for the whole batch. The last worker sends one answer: all
 * deliveries done, and the targets that were not simply queued.
 *
 * The handlers' arg is the struct gateway_service.
 */
struct rpc_stream_handlers;

extern const struct rpc_stream_handlers delivery_handlers;

#endif
