#include "cluster/node_record.h"

#include <assert.h>
#include <stdio.h>

#include "base/text/ident.h"

void node_key_fill(struct node_key *key, struct str name)
{
	int len = snprintf(key->text, sizeof(key->text), "im:node:{%.*s}", STR_ARG(name));

	assert(len > 0 && (size_t)len < sizeof(key->text));
	key->key = str_of(key->text, (size_t)len);
}

void node_record_write(struct node_record *record, const struct node *node)
{
	const struct str args[NODE_RECORD_ARGS] = {
		STR("grpc"), str_from(node->grpc_address),
		STR("ws"), str_from(node->ws_url),
		STR("cell"), str_from(node->cell),
		STR("draining"), node->is_draining ? STR("1") : STR("0"),
		STR("connections"), decimal(record->numbers[0], node->connections),
		STR("queue_bytes"), decimal(record->numbers[1], node->queue_bytes),
		STR("lag_ms"), decimal(record->numbers[2], node->lag_ms),
	};

	memcpy(record->args, args, sizeof(args));
	record->epoch = decimal(record->numbers[3], node->epoch);
}

static bool node_record_read_field(struct node *out, struct str field, struct str value)
{
	if (str_equal(field, STR("epoch")))
		return str_to_u64(value, &out->epoch);
	if (str_equal(field, STR("grpc")))
		return str_copy(out->grpc_address, sizeof(out->grpc_address), value);
	if (str_equal(field, STR("ws")))
		return str_copy(out->ws_url, sizeof(out->ws_url), value);
	if (str_equal(field, STR("cell")))
		return str_copy(out->cell, sizeof(out->cell), value);
	if (str_equal(field, STR("connections")))
		return str_to_u64(value, &out->connections);
	if (str_equal(field, STR("queue_bytes")))
		return str_to_u64(value, &out->queue_bytes);
	if (str_equal(field, STR("lag_ms")))
		return str_to_u64(value, &out->lag_ms);
	if (str_equal(field, STR("draining")))
		out->is_draining = str_equal(value, STR("1"));
	return true;
}

bool node_record_read(struct node *out, struct str name, const redisReply *reply)
{
	struct node node = { .epoch = 0 };

	if (reply->type != REDIS_REPLY_ARRAY || !ident_is_valid(name) || !str_copy(node.name, sizeof(node.name), name))
		return false;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		if (!node_record_read_field(&node, redis_reply_str(reply->element[i]),
		                            redis_reply_str(reply->element[i + 1])))
			return false;
	}
	if (node.epoch == 0)
		return false;
	*out = node;
	return true;
}

void node_seen_write(struct buf *out, uint64_t epoch, uint64_t seen_ms)
{
	buf_append_u64(out, epoch);
	buf_append_char(out, '|');
	buf_append_u64(out, seen_ms);
}

bool node_seen_parse(struct node_seen *out, struct str text)
{
	struct str seen = text;
	struct str epoch = str_cut(&seen, '|');

	return str_to_u64(epoch, &out->last_epoch) && str_to_u64(seen, &out->seen_ms);
}
