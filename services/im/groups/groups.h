#ifndef SKEIN_IM_GROUPS_GROUPS_H
#define SKEIN_IM_GROUPS_GROUPS_H

#include "im/config.h"

struct call;
struct entry_writer;
struct events;

/* Groups and their members: the context of the calls in this folder. Thread: the worker's. */
struct groups {
	const struct im_config *config;
	struct entry_writer *entries;
	struct events *events;
};

void groups_create(struct call *call); /* POST /v1/groups */
void groups_list_members(struct call *call); /* GET /v1/groups/{gid}/members */
void groups_add_members(struct call *call); /* POST /v1/groups/{gid}/members */
void groups_remove_member(struct call *call); /* DELETE /v1/groups/{gid}/members/{uid} */
void groups_set_role(struct call *call); /* PUT /v1/groups/{gid}/members/{uid}/role */
void groups_leave(struct call *call); /* POST /v1/groups/{gid}/leave */
void groups_mute_member(struct call *call); /* PUT /v1/groups/{gid}/members/{uid}/mute */
void groups_hand_over(struct call *call); /* PUT /v1/groups/{gid}/owner */
void groups_get(struct call *call); /* GET /v1/groups/{gid} */
void groups_change(struct call *call); /* PATCH /v1/groups/{gid} */
void groups_dissolve(struct call *call); /* DELETE /v1/groups/{gid} */
void groups_join(struct call *call); /* POST /v1/groups/{gid}/join */
void groups_list_requests(struct call *call); /* GET /v1/groups/{gid}/requests */
void groups_accept_request(struct call *call); /* POST /v1/groups/{gid}/requests/{uid}/accept */
void groups_reject_request(struct call *call); /* POST /v1/groups/{gid}/requests/{uid}/reject */

#endif
