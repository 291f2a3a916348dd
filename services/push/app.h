#ifndef SKEIN_PUSH_APP_H
#define SKEIN_PUSH_APP_H

#include "push/config.h"
#include "push/order/conversations.h"
#include "deliver/gateways.h"
#include "push/intake/load_report.h"
#include "push/recipients/recipients.h"
#include "rpc/client/rpc_client.h"
#include "service/service.h"
#include "store/kafka/kafka.h"
#include "cluster/node_list.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

struct intake;

/* All of one push process. Everything runs on the main worker. */
struct app {
	struct service service;
	struct push_config config;
	struct pg *pg;
	struct redis *redis;
	struct node_list *nodes;
	struct rpc_client *rpc;
	struct gateways *gateways;
	struct member_cache *members;
	struct conversations *conversations;
	struct intake *intake;
	struct load_report load_report;
	struct timer leave; /* while draining: looks whether all is answered */
	uint64_t leave_by_ms;
};

#endif
