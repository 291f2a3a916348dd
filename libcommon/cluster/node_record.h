#ifndef SKEIN_CLUSTER_NODE_RECORD_H
#define SKEIN_CLUSTER_NODE_RECORD_H

#include "base/text/buf.h"
#include "base/text/decimal.h"
#include "cluster/node_registry.h"

/*
 * How nodes stand in Redis. Internal to store.
 *
 *   im:node:{name}   hash: epoch, grpc, ws, cell, draining, connections, queue_bytes, lag_ms; lives NODE_LIFE_S
 *   im:nodes         hash: name -> "last epoch|when it was last seen"
 */
#define NODES_KEY STR("im:nodes")

struct node_key {
	struct str key;
	char text[96];
};

/* `name` is valid. The struct may not be moved. */
void node_key_fill(struct node_key *key, struct str name);

/* The node as fields and values for HSET; the struct may not be moved, and the node has to live as long. */
#define NODE_RECORD_ARGS 14

struct node_record {
	struct str epoch;
	struct str args[NODE_RECORD_ARGS];
	char numbers[4][DECIMAL_SIZE];
};

void node_record_write(struct node_record *record, const struct node *node);

/* From the answer to HGETALL; unknown fields are skipped. False if it is no node (any more). Does not touch `link`. */
bool node_record_read(struct node *out, struct str name, const redisReply *reply);

struct node_seen {
	uint64_t last_epoch, seen_ms;
};

void node_seen_write(struct buf *out, uint64_t epoch, uint64_t seen_ms);
bool node_seen_parse(struct node_seen *out, struct str text);

#endif
