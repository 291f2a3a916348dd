#include "im/routes.h"

#include "im/accounts/accounts.h"
#include "im/admin/admin.h"
#include "im/app.h"
#include "im/endpoints/endpoints.h"
#include "im/groups/groups.h"
#include "im/messages/messages.h"
#include "im/sync/sync.h"

#define WITH(member) offsetof(struct app, member)

const struct call_route im_routes[] = {
	{ "POST", "/v1/messages", CALL_USER, RATE_SEND, messages_send, WITH(messages) },
	{ "POST", "/v1/messages/batch", CALL_USER, RATE_SEND, messages_send_batch, WITH(messages) },
	{ "GET", "/v1/conversations/{id}/messages", CALL_USER, RATE_NONE, messages_history, WITH(messages) },
	{ "POST", "/v1/conversations/{id}/messages/{seq}/recall", CALL_USER, RATE_NONE, messages_recall, WITH(messages) },
	{ "POST", "/v1/conversations/{id}/messages/{seq}/edit", CALL_USER, RATE_NONE, messages_edit, WITH(messages) },
	{ "GET", "/v1/sync", CALL_USER, RATE_NONE, sync_get, WITH(sync) },
	{ "GET", "/v1/endpoints", CALL_USER, RATE_NONE, endpoints_list, WITH(gateways) },
	{ "POST", "/v1/groups", CALL_USER, RATE_NONE, groups_create, WITH(groups) },
	{ "GET", "/v1/groups/{gid}/members", CALL_USER, RATE_NONE, groups_list_members, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/members", CALL_USER, RATE_NONE, groups_add_members, WITH(groups) },
	{ "DELETE", "/v1/groups/{gid}/members/{uid}", CALL_USER, RATE_NONE, groups_remove_member, WITH(groups) },
	{ "PUT", "/v1/groups/{gid}/members/{uid}/role", CALL_USER, RATE_NONE, groups_set_role, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/leave", CALL_USER, RATE_NONE, groups_leave, WITH(groups) },
	{ "POST", "/v1/users", CALL_ANYONE, RATE_REGISTER, accounts_register, WITH(accounts) },
	{ "POST", "/v1/auth/login", CALL_ANYONE, RATE_LOGIN, accounts_login, WITH(accounts) },
	{ "POST", "/v1/auth/refresh", CALL_USER, RATE_NONE, accounts_refresh, WITH(accounts) },
	{ "POST", "/v1/auth/logout", CALL_USER, RATE_LOGOUT, accounts_logout, WITH(accounts) },
	{ "GET", "/v1/admin/nodes", CALL_ADMIN, RATE_NONE, admin_nodes, WITH(gateways) },
};

const size_t im_route_count = ARRAY_LEN(im_routes);
