#include "im/routes.h"

#include "im/accounts/accounts.h"
#include "im/admin/admin.h"
#include "im/app.h"
#include "im/contacts/contacts.h"
#include "im/conversations/conversations.h"
#include "im/endpoints/endpoints.h"
#include "im/groups/groups.h"
#include "im/jobs/jobs.h"
#include "im/messages/messages.h"
#include "im/presence/presence.h"
#include "im/sync/sync.h"

#define WITH(member) offsetof(struct app, member)

const struct call_route im_routes[] = {
	{ "POST", "/v1/messages", CALL_USER, RATE_SEND, messages_send, WITH(messages) },
	{ "POST", "/v1/messages/batch", CALL_USER, RATE_SEND, messages_send_batch, WITH(messages) },
	{ "GET", "/v1/conversations/{id}/messages", CALL_USER, RATE_NONE, messages_history, WITH(messages) },
	{ "GET", "/v1/conversations", CALL_USER, RATE_NONE, conversations_list, WITH(conversations) },
	{ "PATCH", "/v1/conversations/{id}", CALL_USER, RATE_NONE, conversations_choose, WITH(conversations) },
	{ "DELETE", "/v1/conversations/{id}", CALL_USER, RATE_NONE, conversations_hide, WITH(conversations) },
	{ "PUT", "/v1/conversations/{id}/read", CALL_USER, RATE_NONE, conversations_read, WITH(conversations) },
	{ "DELETE", "/v1/conversations/{id}/messages", CALL_USER, RATE_NONE, conversations_clear, WITH(conversations) },
	{ "GET", "/v1/conversations/{id}/messages/{seq}/readers", CALL_USER, RATE_NONE, messages_list_readers,
	  WITH(messages) },
	{ "GET", "/v1/conversations/{id}/pins", CALL_USER, RATE_NONE, messages_list_pins, WITH(messages) },
	{ "PUT", "/v1/conversations/{id}/pins/{seq}", CALL_USER, RATE_NONE, messages_pin, WITH(messages) },
	{ "DELETE", "/v1/conversations/{id}/pins/{seq}", CALL_USER, RATE_NONE, messages_unpin, WITH(messages) },
	{ "POST", "/v1/conversations/{id}/messages/{seq}/recall", CALL_USER, RATE_NONE, messages_recall,
	  WITH(messages) },
	{ "POST", "/v1/conversations/{id}/messages/{seq}/edit", CALL_USER, RATE_NONE, messages_edit, WITH(messages) },
	{ "POST", "/v1/conversations/{id}/messages/{seq}/reactions", CALL_USER, RATE_NONE, messages_react,
	  WITH(messages) },
	{ "DELETE", "/v1/conversations/{id}/messages/{seq}/reactions/{emoji}", CALL_USER, RATE_NONE, messages_unreact,
	  WITH(messages) },
	{ "GET", "/v1/sync", CALL_USER, RATE_NONE, sync_get, WITH(sync) },
	{ "GET", "/v1/presence", CALL_USER, RATE_NONE, presence_get, WITH(presence) },
	{ "GET", "/v1/endpoints", CALL_USER, RATE_NONE, endpoints_list, WITH(gateways) },
	{ "POST", "/v1/groups", CALL_USER, RATE_GROUP, groups_create, WITH(groups) },
	{ "GET", "/v1/groups/{gid}/members", CALL_USER, RATE_NONE, groups_list_members, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/members", CALL_USER, RATE_NONE, groups_add_members, WITH(groups) },
	{ "DELETE", "/v1/groups/{gid}/members/{uid}", CALL_USER, RATE_NONE, groups_remove_member, WITH(groups) },
	{ "PUT", "/v1/groups/{gid}/members/{uid}/role", CALL_USER, RATE_NONE, groups_set_role, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/leave", CALL_USER, RATE_NONE, groups_leave, WITH(groups) },
	{ "GET", "/v1/groups/{gid}", CALL_USER, RATE_NONE, groups_get, WITH(groups) },
	{ "PATCH", "/v1/groups/{gid}", CALL_USER, RATE_NONE, groups_change, WITH(groups) },
	{ "DELETE", "/v1/groups/{gid}", CALL_USER, RATE_NONE, groups_dissolve, WITH(groups) },
	{ "PUT", "/v1/groups/{gid}/members/{uid}/mute", CALL_USER, RATE_NONE, groups_mute_member, WITH(groups) },
	{ "PUT", "/v1/groups/{gid}/owner", CALL_USER, RATE_NONE, groups_hand_over, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/join", CALL_USER, RATE_NONE, groups_join, WITH(groups) },
	{ "GET", "/v1/groups/{gid}/requests", CALL_USER, RATE_NONE, groups_list_requests, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/requests/{uid}/accept", CALL_USER, RATE_NONE, groups_accept_request, WITH(groups) },
	{ "POST", "/v1/groups/{gid}/requests/{uid}/reject", CALL_USER, RATE_NONE, groups_reject_request, WITH(groups) },
	{ "POST", "/v1/users", CALL_ANYONE, RATE_REGISTER, accounts_register, WITH(accounts) },
	{ "GET", "/v1/users/{uid}", CALL_USER, RATE_NONE, accounts_profile, WITH(accounts) },
	{ "PATCH", "/v1/users/me", CALL_USER, RATE_NONE, accounts_change_profile, WITH(accounts) },
	{ "POST", "/v1/auth/login", CALL_ANYONE, RATE_LOGIN, accounts_login, WITH(accounts) },
	{ "POST", "/v1/auth/refresh", CALL_USER, RATE_NONE, accounts_refresh, WITH(accounts) },
	{ "POST", "/v1/auth/logout", CALL_USER, RATE_LOGOUT, accounts_logout, WITH(accounts) },
	{ "POST", "/v1/friends/requests", CALL_USER, RATE_FRIEND_REQUEST, contacts_request, WITH(contacts) },
	{ "GET", "/v1/friends/requests", CALL_USER, RATE_NONE, contacts_list_requests, WITH(contacts) },
	{ "POST", "/v1/friends/requests/{id}/accept", CALL_USER, RATE_NONE, contacts_accept, WITH(contacts) },
	{ "POST", "/v1/friends/requests/{id}/reject", CALL_USER, RATE_NONE, contacts_reject, WITH(contacts) },
	{ "GET", "/v1/friends", CALL_USER, RATE_NONE, contacts_list_friends, WITH(contacts) },
	{ "PATCH", "/v1/friends/{uid}", CALL_USER, RATE_NONE, contacts_set_remark, WITH(contacts) },
	{ "DELETE", "/v1/friends/{uid}", CALL_USER, RATE_NONE, contacts_remove_friend, WITH(contacts) },
	{ "PUT", "/v1/blocks/{uid}", CALL_USER, RATE_NONE, contacts_block, WITH(contacts) },
	{ "DELETE", "/v1/blocks/{uid}", CALL_USER, RATE_NONE, contacts_unblock, WITH(contacts) },
	{ "GET", "/v1/blocks", CALL_USER, RATE_NONE, contacts_list_blocks, WITH(contacts) },
	{ "GET", "/v1/admin/nodes", CALL_ADMIN, RATE_NONE, admin_nodes, WITH(gateways) },
	{ "POST", "/v1/admin/users", CALL_ADMIN, RATE_NONE, admin_create_user, WITH(admin) },
	{ "GET", "/v1/admin/users", CALL_ADMIN, RATE_NONE, admin_list_users, WITH(admin) },
	{ "PATCH", "/v1/admin/users/{uid}", CALL_ADMIN, RATE_NONE, admin_change_user, WITH(admin) },
	{ "POST", "/v1/admin/users/{uid}/logout", CALL_ADMIN, RATE_NONE, admin_log_out_user, WITH(admin) },
	{ "POST", "/v1/admin/messages", CALL_ADMIN, RATE_SEND, admin_send, WITH(admin) },
	{ "POST", "/v1/admin/kick", CALL_ADMIN, RATE_NONE, admin_kick, WITH(admin) },
	{ "GET", "/v1/admin/stats", CALL_ADMIN, RATE_NONE, admin_stats, WITH(admin) },
	{ "GET", "/v1/admin/audit", CALL_ADMIN, RATE_NONE, admin_list_audit, WITH(admin) },
	{ "GET", "/v1/admin/conversations/{id}/messages/{seq}/edits", CALL_ADMIN, RATE_NONE, admin_list_edits,
	  WITH(admin) },
	{ "POST", "/v1/admin/broadcast", CALL_ADMIN, RATE_NONE, jobs_broadcast, WITH(jobs) },
	{ "GET", "/v1/admin/jobs", CALL_ADMIN, RATE_NONE, jobs_list, WITH(jobs) },
	{ "GET", "/v1/admin/jobs/{id}", CALL_ADMIN, RATE_NONE, jobs_get, WITH(jobs) },
	{ "GET", "/v1/admin/jobs/{id}/output", CALL_ADMIN, RATE_NONE, jobs_output, WITH(jobs) },
	{ "DELETE", "/v1/admin/users/{uid}", CALL_ADMIN, RATE_NONE, jobs_delete_user, WITH(jobs) },
	{ "POST", "/v1/admin/users/{uid}/export", CALL_ADMIN, RATE_NONE, jobs_export, WITH(jobs) },
	{ "POST", "/v1/admin/jobs/{id}/cancel", CALL_ADMIN, RATE_NONE, jobs_cancel, WITH(jobs) },
};

const size_t im_route_count = ARRAY_LEN(im_routes);
