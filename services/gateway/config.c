#include "gateway/config.h"

#include "gateway/conn_table.h"

#define OPTION(member) offsetof(struct gateway_config, member)

static const struct config_option options[] = {
	CONFIG_COMMON_OPTIONS(struct gateway_config),
	{ "ws.listen", CONFIG_TEXT, OPTION(ws_listen), "0.0.0.0:8090", 3, 128, NULL, 0,
	  "Address and port where clients open their WebSocket." },
	{ "ws.url", CONFIG_TEXT, OPTION(ws_url), "ws://127.0.0.1:8090/ws", 5, 255, NULL, 0,
	  "What clients are told to connect to: this gateway's WebSocket as it is reached from outside." },
	{ "ws.workers", CONFIG_INT, OPTION(ws_workers), "2", 1, CONN_WORKERS_MAX, NULL, 0,
	  "Threads that serve connections." },
	{ "ws.max_connections", CONFIG_INT, OPTION(ws_max_connections), "100000", 1, CONN_SLOTS_MAX, NULL, 0,
	  "Connections at a time; more are refused with 503." },
	{ "ws.handshakes_per_address", CONFIG_INT, OPTION(ws_handshakes_per_address), "1000", 1, 1000000, NULL, 0,
	  "Connections of one address that are not upgraded yet, for each worker; more are closed at once." },
	{ "ws.max_message", CONFIG_BYTES, OPTION(ws_max_message), "16k", 1024, 1 << 20, NULL, 0,
	  "Largest frame a client may send, all its fragments together." },
	{ "ws.heartbeat", CONFIG_DURATION, OPTION(ws_heartbeat_ms), "54s", 100, 3600000, NULL, 0,
	  "Time between two pings to a client." },
	{ "ws.silence", CONFIG_DURATION, OPTION(ws_silence_ms), "60s", 100, 3600000, NULL, 0,
	  "A connection from which nothing came for so long is closed; more than ws.heartbeat." },
	{ "grpc.listen", CONFIG_TEXT, OPTION(grpc_listen), "127.0.0.1:9301", 3, 128, NULL, 0,
	  "Address and port where push reaches this gateway." },
	{ "grpc.advertise", CONFIG_TEXT, OPTION(grpc_advertise), "", 0, 127, NULL, 0,
	  "The same as seen from the other machines; empty: grpc.listen." },
	{ "cell", CONFIG_TEXT, OPTION(cell), "default", 1, 64, NULL, 0,
	  "The part of a large cluster to which this gateway belongs." },
	{ "auth.secret", CONFIG_TEXT, OPTION(auth_secret), NULL, 16, 1024, NULL, CONFIG_SECRET,
	  "The HS256 key of the users' tokens, as text; the same in im." },
	{ "router.targets", CONFIG_TEXT, OPTION(router_targets), "127.0.0.1:9401", 3, 4096, NULL, 0,
	  "Addresses of the routers, comma-separated, or dns:NAME:PORT." },
	{ "im.targets", CONFIG_TEXT, OPTION(im_targets), "127.0.0.1:9201", 3, 4096, NULL, 0,
	  "Addresses of im's gRPC ports, comma-separated, or dns:NAME:PORT." },
	{ "limits.enabled", CONFIG_BOOL, OPTION(limits_enabled), "on", 0, 0, NULL, 0,
	  "Whether the limits on rates hold." },
	{ "limits.frame_rate", CONFIG_INT, OPTION(limits_frame_rate), "100", 1, 1000000, NULL, 0,
	  "Frames a second that one client may send." },
	{ "limits.frame_burst", CONFIG_INT, OPTION(limits_frame_burst), "300", 1, 1000000, NULL, 0,
	  "Frames that it may send at once after a rest." },
	{ "queue.bytes", CONFIG_BYTES, OPTION(queue_bytes), "256k", 4096, 1 << 30, NULL, 0,
	  "Bytes that may wait for one client that reads slowly; over it the connection is closed." },
	{ "queue.entries", CONFIG_INT, OPTION(queue_entries), "1000", 16, 1000000, NULL, 0,
	  "Frames that may wait for one client; over it the connection is closed." },
	{ "drain.timeout", CONFIG_DURATION, OPTION(drain_timeout_ms), "10s", 0, 600000, NULL, 0,
	  "On SIGTERM: how long clients have to move to another gateway before the process ends." },
};

const struct config_table gateway_config_table = {
	.program = "gateway",
	.summary = "holds the clients' WebSocket connections",
	.options = options,
	.option_count = ARRAY_LEN(options),
};
