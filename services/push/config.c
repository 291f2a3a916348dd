#include "push/config.h"

#define OPTION(member) offsetof(struct push_config, member)

static const struct config_option options[] = {
	CONFIG_COMMON_OPTIONS(struct push_config),
	{ "pg.uri", CONFIG_TEXT, OPTION(pg_uri), "postgresql://skein@127.0.0.1:5432/skein", 8, 1024, NULL,
	  CONFIG_SECRET,
	  "PostgreSQL, read for members of groups and for messages whose records are missing. "
	  "push sets `options` of its sessions itself." },
	{ "pg.connections", CONFIG_INT, OPTION(pg_connections), "2", 1, 64, NULL, 0, "Connections to PostgreSQL." },
	{ "pg.timeout", CONFIG_DURATION, OPTION(pg_timeout_ms), "5s", 100, 60000, NULL, 0,
	  "How long one query may take, waiting for a connection included." },
	{ "redis.uri", CONFIG_TEXT, OPTION(redis_uri), "redis://127.0.0.1:6379", 8, 1024, NULL, CONFIG_SECRET,
	  "The Redis that holds routes, inboxes and the list of gateways." },
	{ "redis.timeout", CONFIG_DURATION, OPTION(redis_timeout_ms), "2s", 100, 60000, NULL, 0,
	  "How long one command may take, waiting for a connection included." },
	{ "redis.max_waiting", CONFIG_INT, OPTION(redis_max_waiting), "30000", 100, 10000000, NULL, 0,
	  "Commands that may wait for an answer; those over the limit are tried again later. Appends to inboxes, of which "
	  "10,000 are under way at once, are most of them." },
	{ "kafka.brokers", CONFIG_TEXT, OPTION(kafka_brokers), "127.0.0.1:9092", 3, 1024, NULL, 0,
	  "Bootstrap list of the Kafka cluster." },
	{ "kafka.group", CONFIG_TEXT, OPTION(kafka_group), "skein-push", 1, 128, NULL, 0,
	  "Consumer group that all push processes share." },
	{ "kafka.commit_interval", CONFIG_DURATION, OPTION(kafka_commit_interval_ms), "500ms", 10, 60000, NULL, 0,
	  "How often the offsets of answered records are committed." },
	{ "in_flight.max", CONFIG_INT, OPTION(max_in_flight), "10000", 1, 1000000, NULL, 0,
	  "Messages under way at once. When the limit is reached, no records are taken until fewer than half are under "
	  "way. A gateway that does not answer holds up to 1000 messages." },
	{ "in_flight.max_bytes", CONFIG_BYTES, OPTION(max_in_flight_bytes), "64m", 65536, 1LL << 40, NULL, 0,
	  "Bytes of the messages under way, with the connections that they go to." },
	{ "slim.max", CONFIG_INT, OPTION(max_slim), "200000", 1, 100000000, NULL, 0,
	  "Messages under way of which only the place is kept, since their conversation is stuck or a gateway is behind; "
	  "about 300 bytes each." },
	{ "conversations.max", CONFIG_INT, OPTION(max_conversations), "100000", 100, 10000000, NULL, 0,
	  "Conversations whose last seq is remembered; about 400 bytes each." },
	{ "routes.max", CONFIG_INT, OPTION(max_routes), "100000", 1000, 100000000, NULL, 0,
	  "Users whose routes are remembered, as of the version that Redis tells with each append; about 400 bytes each." },
	{ "members.max", CONFIG_INT, OPTION(max_members), "2000000", 1000, 100000000, NULL, 0,
	  "Members of groups that are remembered, over all groups; about 30 bytes each." },
	/* Longer than the node key of a frozen gateway lives, and short enough that a restart of push repeats little.
	 */
	{ "gateway.give_up", CONFIG_DURATION, OPTION(gateway_give_up_ms), "30s", 1000, 600000, NULL, 0,
	  "How long push waits for the answer of a registered gateway. After that it goes on without the gateway, whose "
	  "connections read the missed messages from their inboxes when it answers again." },
	INBOX_CONFIG_OPTIONS(struct push_config),
	{ "drain.timeout", CONFIG_DURATION, OPTION(drain_timeout_ms), "10s", 0, 600000, NULL, 0,
	  "On SIGTERM: how long messages under way may take before the rest is left to the other push processes." },
};

const struct config_table push_config_table = {
	.program = "push",
	.summary = "writes inboxes and streams messages to the gateways",
	.options = options,
	.option_count = ARRAY_LEN(options),
};
