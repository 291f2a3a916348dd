#ifndef SKEIN_PUSH_APP_H
#define SKEIN_PUSH_APP_H

#include "loop/signals.h"
#include "loop/worker.h"
#include "net/http/internal_server.h"
#include "push/config.h"
#include "push/order/conversations.h"
#include "deliver/gateways.h"
#include "push/intake/load_report.h"
#include "push/recipients/recipients.h"
#include "rpc/client/rpc_client.h"
#include "store/kafka/kafka.h"
#include "cluster/nodes.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

struct intake;

/* The statements of push, in the order of the table in main.c. */
enum push_statement { STATEMENT_PING,
	              STATEMENT_MEMBERS,
	              STATEMENT_STORED_MESSAGES,
	              STATEMENT_PROGRESS };

/* All of one push process. Everything runs on the one worker, the main thread. */
struct app {
	struct push_config config;
	struct worker worker;
	struct signals signals;
	struct pg *pg;
	struct redis *redis;
	struct node_list *nodes;
	struct rpc_client *rpc;
	struct gateways *gateways;
	struct member_cache *members;
	struct conversations *conversations;
	struct intake *intake;
	struct load_report load_report;
	struct internal_server *internal;
	struct timer leave; /* while draining: looks whether all is answered */
	uint64_t leave_by_ms;
};

#endif
