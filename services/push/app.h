#ifndef SKEIN_PUSH_APP_H
#define SKEIN_PUSH_APP_H

#include "push/config.h"
#include "service/service.h"

/* All of one push process. Everything runs on the main worker. The parts know nothing of this file. */
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
	struct event_intake *events;
	struct load_report *load_report;
	uint64_t started_ms;
	bool has_reached_gateways; /* for readiness: the streams were up once */
	struct timer leave; /* while draining: looks whether everything is answered */
	uint64_t leave_by_ms;
};

#endif
