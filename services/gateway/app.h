#ifndef SKEIN_GATEWAY_APP_H
#define SKEIN_GATEWAY_APP_H

#include <stdatomic.h>

#include "gateway/queues/ack_window.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/drain/drain.h"
#include "gateway/queues/out_queue.h"
#include "gateway/router/registration.h"
#include "gateway/router/route_link.h"
#include "gateway/worker/ws_worker.h"
#include "loop/signals.h"
#include "net/http/internal_server.h"
#include "net/jwt.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"

/*
 * All of one gateway process: the main worker, which talks to router, and the
 * workers that hold connections. What they share is here: the configuration
 * and the keys, which do not change, and atomics.
 */
struct app {
	struct gateway_config config;
	struct gateway_metrics metrics;
	struct jwt_keys *keys;
	struct out_limits out_limits;
	struct ack_limits ack_limits;

	/* of the main worker */
	struct worker main;
	struct signals signals;
	struct internal_server *internal;
	struct rpc_server *server;
	struct rpc_client *client;
	struct rpc_channel *im, *router; /* any thread may call */
	struct rpc_channel *routes_channel; /* to router, too: alone on it, a new stream goes to the next one */
	struct route_link routes;
	struct registration registration;
	struct leaving leaving;
	struct task last_task; /* of the main worker's mailbox */
	int exit_code;

	struct ws_worker *workers;
	unsigned worker_count;
	unsigned listening_workers;

	atomic_uint_fast64_t node_epoch; /* 0 until the gateway is registered */
	atomic_uint connections; /* of all workers, from the handshake on */
	atomic_bool is_listening;
};

#endif
