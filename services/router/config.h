#ifndef SKEIN_ROUTER_CONFIG_H
#define SKEIN_ROUTER_CONFIG_H

#include "base/config/config.h"
#include "cluster/inbox_limits.h"

enum devices_full { DEVICES_CLOSE_OLDEST, DEVICES_REFUSE_NEW };

struct router_config {
	struct config_common common;
	char *grpc_listen;
	char *redis_uri;
	int64_t redis_timeout_ms;
	int64_t redis_max_waiting;
	int64_t route_ttl_ms;
	int64_t kick_max_waiting;
	int64_t login_policy; /* enum route_policy */
	int64_t limits_devices;
	int64_t limits_devices_full; /* enum devices_full */
	bool presence_enabled;
	struct inbox_config inbox;
	int64_t drain_timeout_ms;
};

extern const struct config_table router_config_table;

#endif
