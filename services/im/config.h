#ifndef SKEIN_IM_CONFIG_H
#define SKEIN_IM_CONFIG_H

#include "base/config/config.h"
#include "cluster/inbox_limits.h"

/* Whom a user lets send direct messages. */
enum messages_from { MESSAGES_FROM_EVERYONE,
	             MESSAGES_FROM_FRIENDS };

/* Whether anybody may register. AUTO: unless auth.jwks is given, which means that an integrator's server issues the tokens. */
enum registration_policy { REGISTRATION_AUTO, REGISTRATION_ON, REGISTRATION_OFF };

struct im_config {
	struct config_common common;
	char *http_listen;
	int64_t http_idle_timeout_ms;
	int64_t http_connections;
	int64_t http_connections_per_address;
	char *grpc_listen;
	char *pg_uri;
	int64_t pg_connections;
	int64_t pg_calls_in_flight;
	int64_t pg_statement_timeout_ms;
	char *redis_uri;
	struct inbox_config inbox;
	char *kafka_brokers;
	int64_t kafka_partitions;
	int64_t kafka_replication;
	int64_t kafka_max_waiting;
	int64_t kafka_max_waiting_bytes;
	char *router_targets;
	char *auth_secret;
	char *auth_jwks;
	int64_t auth_token_ttl_ms;
	int64_t auth_session_max_ms;
	int64_t auth_registration; /* enum registration_policy */
	bool limits_enabled;
	int64_t limits_send_rate;
	int64_t limits_send_burst;
	int64_t limits_conversation_rate;
	int64_t limits_conversation_burst;
	int64_t limits_call_rate;
	int64_t limits_call_burst;
	int64_t limits_address_rate;
	int64_t limits_address_burst;
	int64_t limits_login_interval_ms;
	int64_t limits_login_burst;
	int64_t limits_login_address_interval_ms;
	int64_t limits_login_address_burst;
	int64_t limits_register_interval_ms;
	int64_t limits_register_burst;
	int64_t limits_password_hashes;
	int64_t limits_logout_interval_ms;
	int64_t limits_logout_burst;
	int64_t limits_friend_request_interval_ms;
	int64_t limits_friend_request_burst;
	int64_t limits_group_interval_ms;
	int64_t limits_group_burst;
	int64_t limits_requests;
	int64_t limits_body;
	int64_t limits_group_create_members;
	int64_t limits_group_members;
	int64_t limits_group_requests;
	int64_t limits_group_admins;
	int64_t limits_groups;
	int64_t limits_pinned_conversations;
	int64_t limits_pins;
	int64_t limits_reactions;
	int64_t limits_emoji;
	int64_t limits_friends;
	int64_t limits_friend_requests;
	int64_t limits_friend_requests_got;
	int64_t limits_blocks;
	int64_t limits_jobs;
	int64_t limits_broadcast_uids;
	int64_t contacts_messages_from; /* enum messages_from */
	int64_t messages_recall_window_ms;
	int64_t presence_offline_delay_ms, presence_last_seen_ms;
	int64_t messages_edit_window_ms;
	int64_t retention_direct_ms;
	int64_t retention_group_ms;
	char *admin_system_user;
	int64_t jobs_rate;
	int64_t jobs_keep_ms;
	int64_t lease_life_ms;
	int64_t batch_lanes;
	int64_t batch_max;
	int64_t send_max_waiting;
	int64_t send_timeout_ms;
	int64_t admission_store_target_ms;
	int64_t admission_delivery_target_ms;
	int64_t admission_free_rate;
	int64_t audit_keep_ms;
	int64_t cache_messages;
	int64_t cache_tokens;
	int64_t drain_notice_ms;
	int64_t drain_timeout_ms;
};

/* Whether users who have not said whom they let write let only friends do it. */
static inline bool im_config_is_for_friends(const struct im_config *config)
{
	return config->contacts_messages_from == MESSAGES_FROM_FRIENDS;
}

extern const struct config_table im_config_table;

#endif
