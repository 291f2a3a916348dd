#ifndef SKEIN_IM_ENDPOINTS_ENDPOINTS_H
#define SKEIN_IM_ENDPOINTS_ENDPOINTS_H

struct call;

/* Where clients connect. The context is the list of gateways, a struct node_list. */

void endpoints_list(struct call *call); /* GET /v1/endpoints */

#endif
