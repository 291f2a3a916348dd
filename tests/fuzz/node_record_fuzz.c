#include "cluster/node_record.h"

#include "base/macros.h"
#include "tests/fuzz/fuzz.h"

/*
 * The answer to HGETALL of a node: the input's lines are the node's name, then
 * field, value, field ... A line that starts with '!' is an answer of another
 * type. A node that is read, written and read again is the same.
 */

#define ELEMENTS_MAX 40

struct answer {
	redisReply array;
	redisReply items[ELEMENTS_MAX];
	redisReply *elements[ELEMENTS_MAX];
};

static void add(struct answer *answer, struct str text)
{
	redisReply *item = &answer->items[answer->array.elements];

	answer->elements[answer->array.elements++] = item;
	item->type = text.len && text.ptr[0] == '!' ? REDIS_REPLY_NIL : REDIS_REPLY_STRING;
	if (item->type == REDIS_REPLY_STRING) {
		item->str = (char *)text.ptr;
		item->len = text.len;
	}
}

static void begin(struct answer *answer)
{
	*answer = (struct answer){ .array = { .type = REDIS_REPLY_ARRAY } };
	answer->array.element = answer->elements;
}

static void check_round_trip(const struct node *node)
{
	struct node_record record;
	struct answer answer;
	struct node again = { 0 };

	begin(&answer);
	node_record_write(&record, node);
	add(&answer, STR("epoch"));
	add(&answer, record.epoch);
	for (size_t i = 0; i < NODE_RECORD_ARGS; i++)
		add(&answer, record.args[i]);
	/* A text with '!' first has no such form here. */
	if (node->grpc_address[0] == '!' || node->ws_url[0] == '!' || node->cell[0] == '!')
		return;
	CHECK(node_record_read(&again, str_from(node->name), &answer.array));
	CHECK(again.epoch == node->epoch && again.is_draining == node->is_draining);
	CHECK(!strcmp(again.grpc_address, node->grpc_address) && !strcmp(again.ws_url, node->ws_url));
	CHECK(!strcmp(again.cell, node->cell) && !strcmp(again.name, node->name));
	CHECK(again.connections == node->connections && again.queue_bytes == node->queue_bytes);
	CHECK(again.lag_ms == node->lag_ms);
}

static void check_seen(struct str text)
{
	struct node_seen seen, again;
	struct buf written = { 0 };

	if (!node_seen_parse(&seen, text))
		return;
	node_seen_write(&written, seen.last_epoch, seen.seen_ms);
	CHECK(node_seen_parse(&again, buf_str(&written)));
	CHECK(seen.last_epoch == again.last_epoch && seen.seen_ms == again.seen_ms);
	buf_release(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str rest = str_of(bytes, len);
	struct str name = str_cut(&rest, '\n');
	struct answer answer;
	struct node node = { .epoch = 7, .name = "before" };

	check_seen(str_of(bytes, len));
	begin(&answer);
	while (rest.ptr && answer.array.elements < ELEMENTS_MAX)
		add(&answer, str_cut(&rest, '\n'));
	if (node_record_read(&node, name, &answer.array)) {
		CHECK(node.epoch && str_equal(str_from(node.name), name));
		check_round_trip(&node);
	} else {
		CHECK(node.epoch == 7 && !strcmp(node.name, "before"));
	}
	return 0;
}
