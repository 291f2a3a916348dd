#ifndef SKEIN_IM_APP_H
#define SKEIN_IM_APP_H

#include "im/http/access.h"
#include "im/entries/entry_writer.h"
#include "im/config.h"
#include "im/db/pg_pools.h"
#include "im/tokens/kicks.h"
#include "im/events/events.h"
#include "im/overload/overload.h"
#include "im/accounts/password_pool.h"
#include "im/tokens/revocation_feed.h"
#include "im/sync/sync.h"
#include "im/takeover/takeover.h"
#include "im/callers/known_users.h"
#include "loop/signals.h"
#include "net/http/http_server.h"
#include "net/http/internal_server.h"
#include "net/jwt.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"
#include "cluster/node_list.h"
#include "store/redis/redis.h"

/* All of one im process. Everything runs on the one worker, the main thread. */
struct app {
	struct im_config config;
	struct worker worker;
	struct signals signals;
	struct pg_pools pg;
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
	struct events events;
	struct entry_writer entries;
	struct takeover takeover;
	struct overload overload;
	struct message_cache messages;
	struct sync sync;
	struct known_users known_users;
	struct revocation_feed revocations;
	struct kicks kicks;
	struct user_lru send_rates; /* user_rates.h */
	struct counter *rate_limited;
	struct user_lru login_rates, logout_rates;
	struct password_pool passwords;
	struct access access;
	bool is_probing; /* a readiness record is on its way to Kafka */
	struct timer drain_timer;
	uint64_t drain_until_ms;
};

#endif
