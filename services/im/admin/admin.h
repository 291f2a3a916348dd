#ifndef SKEIN_IM_ADMIN_ADMIN_H
#define SKEIN_IM_ADMIN_ADMIN_H

#include "im/accounts/accounts.h"
#include "im/changes/change_feed.h"
#include "im/messages/messages.h"
#include "rpc/client/rpc_client.h"

struct call;
struct node_list;

/* The context of the calls of admins in this folder. Thread: the worker's. */
struct admin {
	struct worker *worker;
	struct accounts *accounts;
	struct change_feed *changes;
	struct messages *messages;
	struct node_list *gateways;
	struct rpc_channel *routers;
};

void admin_create_user(struct call *call); /* POST /v1/admin/users */
void admin_list_users(struct call *call); /* GET /v1/admin/users */
void admin_change_user(struct call *call); /* PATCH /v1/admin/users/{uid} */
void admin_log_out_user(struct call *call); /* POST /v1/admin/users/{uid}/logout */
void admin_send(struct call *call); /* POST /v1/admin/messages */
void admin_kick(struct call *call); /* POST /v1/admin/kick */
void admin_stats(struct call *call); /* GET /v1/admin/stats */
void admin_list_audit(struct call *call); /* GET /v1/admin/audit */
void admin_nodes(struct call *call); /* GET /v1/admin/nodes; the context is the list of gateways, a struct node_list */

/* GET /v1/admin/conversations/{id}/messages/{seq}/edits; needs no context */
void admin_list_edits(struct call *call);

#endif
