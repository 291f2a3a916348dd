#include "router/config.h"

#define OPTION(member) offsetof(struct router_config, member)

static const struct config_option options[] = {
	CONFIG_COMMON_OPTIONS(struct router_config),
	{ "grpc.listen", CONFIG_TEXT, OPTION(grpc_listen), "127.0.0.1:9401", 3, 128, NULL, CONFIG_ADDRESS,
	  "Address and port where gateways reach this router." },
	{ "redis.uri", CONFIG_TEXT, OPTION(redis_uri), "redis://127.0.0.1:6379", 8, 1024, NULL, CONFIG_SECRET,
	  "The Redis that holds routes, inboxes and the list of gateways." },
	{ "redis.timeout", CONFIG_DURATION, OPTION(redis_timeout_ms), "2s", 100, 60000, NULL, 0,
	  "How long one command may take, waiting for a connection included." },
	{ "redis.max_waiting", CONFIG_INT, OPTION(redis_max_waiting), "50000", 100, 10000000, NULL, 0,
	  "Commands that may wait for an answer; those over the limit are refused." },
	{ "route.ttl", CONFIG_DURATION, OPTION(route_ttl_ms), "90s", 3000, 86400000, NULL, 0,
	  "How long a user's routes live after a gateway has renewed them; three times the gateways' renewal interval." },
	{ "kick.max_waiting", CONFIG_INT, OPTION(kick_max_waiting), "10000", 1, 1000000, NULL, 0,
	  "Orders to close connections that may wait for one gateway; those over the limit are refused." },
	{ "login.policy", CONFIG_CHOICE, OPTION(login_policy), "per_device", 0, 0, "per_device|per_platform|single", 0,
	  "How many connections a user may have: one for each device, one for each platform, or one. A newer connection "
	  "closes the one that it replaces with 4001. All routers must have the same value." },
	{ "limits.devices", CONFIG_INT, OPTION(limits_devices), "20", 1, 10000, NULL, 0,
	  "Devices of one user that may be connected at a time. All routers must have the same value." },
	{ "limits.devices_full", CONFIG_CHOICE, OPTION(limits_devices_full), "close_oldest", 0, 0, "close_oldest|refuse_new", 0,
	  "What happens to one more device: it takes the place of the one that has been connected for the longest, which is "
	  "closed with 4001, or it is itself closed with 1008." },
	{ "presence.enabled", CONFIG_BOOL, OPTION(presence_enabled), "on", 0, 0, NULL, 0,
	  "Whether im is told which users have come and gone. All routers must have the same value." },
	INBOX_CONFIG_OPTIONS(struct router_config),
	{ "drain.timeout", CONFIG_DURATION, OPTION(drain_timeout_ms), "5s", 0, 600000, NULL, 0,
	  "On SIGTERM: how long calls under way may take before they are cancelled." },
};

const struct config_table router_config_table = {
	.program = "router",
	.summary = "makes and removes routes, knows which gateways live",
	.options = options,
	.option_count = ARRAY_LEN(options),
};
