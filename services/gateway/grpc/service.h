#ifndef SKEIN_GATEWAY_GRPC_SERVICE_H
#define SKEIN_GATEWAY_GRPC_SERVICE_H

#include <stdatomic.h>

/*
 * The parts of the process that the gateway's own gRPC service (Deliver, Kick)
 * uses: the `arg` of its handlers. Does not change while the server runs.
 */

struct gateway_metrics;
struct ws_worker;

struct gateway_service {
	struct ws_worker *workers;
	unsigned worker_count;
	const atomic_uint_fast64_t *node_epoch; /* of the registration; connection ids of another epoch are invalid */
	struct gateway_metrics *metrics;
};

#endif
