#ifndef SKEIN_IM_RPC_RPC_API_H
#define SKEIN_IM_RPC_RPC_API_H

#include "im/callers/known_users.h"
#include "im/changes/change_feed.h"
#include "im/conversations/conversations.h"
#include "im/events/acked_ranges.h"
#include "im/events/events.h"
#include "im/messages/messages.h"
#include "im/sync/sync.h"
#include "rpc/server/rpc_server.h"

/* The methods of proto/im.proto, which gateways call. */

struct rpc_api {
	struct known_users *known_users;
	const struct change_feed *changes;
	struct messages *messages;
	struct sync *sync;
	struct conversations *conversations;
	struct events *events;
	struct acked_ranges *acked_ranges;
	size_t max_body; /* bytes of a message's body */
};

/* For rpc_server_options: their `arg` is a struct rpc_api. */
extern const struct rpc_method rpc_api_methods[];
extern const size_t rpc_api_method_count;

#endif
