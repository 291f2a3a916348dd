#ifndef SKEIN_IM_APP_H
#define SKEIN_IM_APP_H

#include "im/config.h"
#include "service/service.h"

/*
 * The parts of one im process, as main.c wires them. Only the files beside this one include it; the code in a folder gets the
 * context that it needs. Everything runs on the one worker, the main thread.
 */
struct app {
	struct service service;
	struct im_config config;

	/* Clients of other processes. */
	struct pg_pools *pg;
	struct redis *redis;
	struct kafka_producer *producer;
	struct node_list *gateways;
	struct rpc_client *client;
	struct rpc_channel *routers;

	/* Callers: tokens, users, rates. */
	struct jwt_keys *keys;
	struct verified_tokens *verified_tokens;
	struct known_users *known_users;
	struct change_feed *changes;
	struct audit_keeper *audit_keeper;
	struct kicks *kicks;
	struct rates *rates;

	/* Entries: stored, published, limited. */
	struct lease_keeper *lease_keeper;
	struct publisher *publisher;
	struct events *events;
	struct entry_writer *entries;
	struct takeover *takeover;
	struct retention *retention;
	struct overload *overload;
	struct message_cache *message_cache;

	struct presence_teller *presence_teller;

	/* Contexts of the calls. */
	struct accounts *accounts;
	struct admin *admin;
	struct contacts *contacts;
	struct conversations *conversations;
	struct groups *groups;
	struct messages *messages;
	struct sync *sync;
	struct jobs *jobs;
	struct presence_calls *presence;
	struct acked_ranges *acked_ranges;
	struct rpc_api *rpc_api;

	struct dispatcher *dispatcher;
	struct http_server *http;
	struct rpc_server *rpc;

	bool is_probing; /* a readiness record is on its way to Kafka */
	struct timer drain_timer;
	uint64_t drain_until_ms;
};

#endif
