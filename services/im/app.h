#ifndef SKEIN_IM_APP_H
#define SKEIN_IM_APP_H

#include "im/access.h"
#include "im/batcher.h"
#include "im/config.h"
#include "im/kicks.h"
#include "im/overload.h"
#include "im/passwords.h"
#include "im/revocations.h"
#include "im/sync.h"
#include "im/takeover.h"
#include "im/users_seen.h"
#include "loop/signals.h"
#include "net/http_server.h"
#include "net/internal_server.h"
#include "net/jwt.h"
#include "rpc/rpc_client.h"
#include "rpc/rpc_server.h"
#include "store/nodes.h"
#include "store/redis.h"

/* All of one im process. Everything runs on the one worker, the main thread. */
struct app {
	struct im_config config;
	struct worker worker;
	struct signals signals;
	struct pg *pg;
	struct redis *redis;
	struct node_list *gateways;
	struct kafka_producer *producer;
	struct http_server *http;
	struct rpc_server *rpc;
	struct rpc_client *client;
	struct rpc_channel *routers;
	struct internal_server *internal;
	struct jwt_keys *keys;
	struct lease_keeper lease_keeper;
	struct publisher publisher;
	struct batcher batcher;
	struct takeover takeover;
	struct overload overload;
	struct message_cache messages;
	struct sync sync;
	struct users_seen users_seen;
	struct revocations revocations;
	struct kicks kicks;
	struct recent send_rates; /* user_rates.h */
	struct counter *rate_limited;
	struct recent login_rates, logout_rates;
	struct passwords passwords;
	struct access access;
	bool is_probing; /* a readiness record is on its way to Kafka */
	struct timer drain_timer;
	uint64_t drain_until_ms;
};

#endif
