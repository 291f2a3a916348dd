#ifndef SKEIN_CLUSTER_NODE_H
#define SKEIN_CLUSTER_NODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A registered gateway. A registration lives for NODE_LIFE_S unless it is
 * renewed. Readers look once a second, so routes of a dead gateway are used for
 * less than 10 s.
 */
#define NODE_LIFE_S 8

struct node {
	char name[65];
	uint64_t epoch;
	char grpc_address[128]; /* where push opens its stream: "10.0.0.7:9301" */
	char ws_url[256]; /* what /v1/endpoints tells clients */
	char cell[65];
	bool is_draining;
	uint64_t connections, queue_bytes, lag_ms; /* as of the last renewal */
};

#endif
