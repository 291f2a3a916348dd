#ifndef SKEIN_IM_CONTACTS_CONTACTS_H
#define SKEIN_IM_CONTACTS_CONTACTS_H

#include "im/config.h"
#include "im/http/call.h"

struct events;

/* Friends, requests to become one, and blocks: the context of the calls in this folder. Thread: the worker's. */
struct contacts {
	const struct im_config *config;
	struct events *events;
};

void contacts_request(struct call *call); /* POST /v1/friends/requests */
void contacts_list_requests(struct call *call); /* GET /v1/friends/requests */
void contacts_accept(struct call *call); /* POST /v1/friends/requests/{id}/accept */
void contacts_reject(struct call *call); /* POST /v1/friends/requests/{id}/reject */
void contacts_list_friends(struct call *call); /* GET /v1/friends */
void contacts_set_remark(struct call *call); /* PATCH /v1/friends/{uid} */
void contacts_remove_friend(struct call *call); /* DELETE /v1/friends/{uid} */
void contacts_block(struct call *call); /* PUT /v1/blocks/{uid} */
void contacts_unblock(struct call *call); /* DELETE /v1/blocks/{uid} */
void contacts_list_blocks(struct call *call); /* GET /v1/blocks */

/*
 * Tells all devices of the caller and of `other` that `op` happened between the two, after the commit. An empty `request_id`: it is
 * about no request.
 */
void contacts_tell(struct call *call, struct str other, const char *op, struct str request_id);

#endif
