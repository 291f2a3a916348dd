#ifndef SKEIN_PUSH_CONFIG_H
#define SKEIN_PUSH_CONFIG_H

#include "base/config/config.h"
#include "cluster/inbox_limits.h"

struct push_config {
	struct config_common common;
	char *pg_uri;
	int64_t pg_connections;
	int64_t pg_timeout_ms;
	char *redis_uri;
	int64_t redis_timeout_ms;
	int64_t redis_max_waiting;
	char *kafka_brokers;
	char *kafka_group;
	int64_t kafka_commit_interval_ms;
	int64_t max_in_flight;
	int64_t max_in_flight_bytes;
	int64_t max_slim;
	int64_t max_conversations;
	int64_t max_routes;
	int64_t gateway_give_up_ms;
	int64_t max_members;
	struct inbox_config inbox;
	int64_t drain_timeout_ms;
};

extern const struct config_table push_config_table;

#endif
