#ifndef SKEIN_CLUSTER_NODE_RECORD_H
#define SKEIN_CLUSTER_NODE_RECORD_H

#include "base/text/buf.h"
#include "base/text/decimal.h"
#include "base/text/str.h"
#include "cluster/node.h"
#include "store/redis/redis_reply.h"

/*
 * The form of gateways in Redis; used by node_registry.c and node_list.c.
 *
 *   im:node:{name}   hash: epoch, grpc, ws, cell, draining, connections, queue_bytes, lag_ms; lives NODE_LIFE_S
 *   im:nodes         hash: name -> "last epoch|time when it was last seen, ms"
 */
#define NODES_KEY STR("im:nodes")

struct node_key {
	struct str key;
	char text[96];
};

/* `name` is a valid ident. Do not copy the struct: `key` points into it. */
void node_key_fill(struct node_key *key, struct str name);

/* The node as fields and values for HSET. Do not copy the struct; it points into itself and into the node. */
#define NODE_RECORD_ARGS 14

struct node_record {
	struct str epoch;
	struct str args[NODE_RECORD_ARGS];
	char numbers[4][DECIMAL_SIZE];
};

void node_record_write(struct node_record *record, const struct node *node);

/* From the answer to HGETALL. Unknown fields are skipped. False if the key is missing or a field is invalid. */
bool node_record_read(struct node *out, struct str name, const redisReply *reply);

struct node_seen {
	uint64_t last_epoch, seen_ms;
};

void node_seen_write(struct buf *out, uint64_t epoch, uint64_t seen_ms);
bool node_seen_parse(struct node_seen *out, struct str text);

#endif
