#ifndef SKEIN_IM_ADMIN_ADMIN_H
#define SKEIN_IM_ADMIN_ADMIN_H

struct call;

/* Calls for admins only. */

void admin_nodes(struct call *call); /* GET /v1/admin/nodes; the context is the list of gateways, a struct node_list */

/* GET /v1/admin/conversations/{id}/messages/{seq}/edits; needs no context */
void admin_list_edits(struct call *call);

#endif
