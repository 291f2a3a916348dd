#ifndef SKEIN_GATEWAY_CONFIG_H
#define SKEIN_GATEWAY_CONFIG_H

#include "base/config/config.h"

struct gateway_config {
	struct config_common common;
	char *ws_listen, *ws_url;
	int64_t ws_workers;
	int64_t ws_max_connections;
	int64_t ws_handshakes_per_address;
	int64_t ws_handshakes, ws_handshake_bytes;
	int64_t ws_max_message, ws_message_timeout_ms;
	int64_t ws_heartbeat_ms, ws_silence_ms;
	char *grpc_listen, *grpc_advertise;
	char *cell;
	char *auth_secret;
	char *auth_jwks;
	char *router_targets, *im_targets;
	bool limits_enabled;
	int64_t limits_frame_rate, limits_frame_burst;
	int64_t limits_refused_rate, limits_refused_burst;
	int64_t limits_connect_rate, limits_connect_burst;
	int64_t limits_connect_address_rate, limits_connect_address_burst;
	int64_t queue_bytes, queue_entries, queue_stalled_bytes;
	int64_t window_messages, window_bytes;
	int64_t ack_timeout_ms, sync_timeout_ms;
	bool delivered_events;
	int64_t typing_interval_ms;
	int64_t drain_timeout_ms;
};

extern const struct config_table gateway_config_table;

#endif
