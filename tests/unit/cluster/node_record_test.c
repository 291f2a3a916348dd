#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/node_record.h"

#define FIELDS_MAX 20

/* An answer to HGETALL. */
struct answer {
	redisReply reply, texts[FIELDS_MAX];
	redisReply *elements[FIELDS_MAX];
};

static const redisReply *answer_of(struct answer *answer, const struct str *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		answer->texts[i] = (redisReply){ .type = REDIS_REPLY_STRING, .str = (char *)texts[i].ptr, .len = texts[i].len };
		answer->elements[i] = &answer->texts[i];
	}
	answer->reply = (redisReply){ .type = REDIS_REPLY_ARRAY, .elements = count, .element = answer->elements };
	return &answer->reply;
}

static void a_node_is_read_as_it_was_written(void **state)
{
	const struct node node = {
		.name = "gateway-1", .epoch = 1700000000001, .grpc_address = "10.0.0.7:9301", .ws_url = "ws://a|b/ws", .cell = "",
		.is_draining = true, .connections = UINT64_MAX, .queue_bytes = 2, .lag_ms = 3,
	};
	struct str texts[2 + NODE_RECORD_ARGS] = { STR("epoch") };
	struct node_record record;
	struct answer answer;
	struct node read = { .epoch = 0 };
	(void)state;

	node_record_write(&record, &node);
	texts[1] = record.epoch;
	memcpy(texts + 2, record.args, sizeof(record.args));
	assert_true(node_record_read(&read, STR("gateway-1"), answer_of(&answer, texts, ARRAY_LEN(texts))));
	assert_string_equal(read.name, "gateway-1");
	assert_int_equal(read.epoch, node.epoch);
	assert_string_equal(read.grpc_address, node.grpc_address);
	assert_string_equal(read.ws_url, node.ws_url);
	assert_string_equal(read.cell, "");
	assert_true(read.is_draining);
	assert_int_equal(read.connections, UINT64_MAX);
	assert_int_equal(read.queue_bytes, 2);
	assert_int_equal(read.lag_ms, 3);
}

static void fields_of_a_newer_version_are_skipped(void **state)
{
	const struct str texts[] = { STR("epoch"), STR("5"), STR("colour"), STR("green") };
	struct node read = { .epoch = 0 };
	struct answer answer;
	(void)state;

	assert_true(node_record_read(&read, STR("gateway-1"), answer_of(&answer, texts, ARRAY_LEN(texts))));
	assert_int_equal(read.epoch, 5);
}

static void a_malformed_node_is_refused(void **state)
{
	static const char long_cell[] = "01234567890123456789012345678901234567890123456789012345678901234";
	const struct str texts[][4] = {
		{ STR("epoch"), STR("x"), STR("cell"), STR("a") },
		{ STR("epoch"), STR("0"), STR("cell"), STR("a") },
		{ STR("epoch"), STR("5"), STR("connections"), STR("-1") },
		{ STR("epoch"), STR("5"), STR("lag_ms"), STR("") },
		{ STR("epoch"), STR("5"), STR("cell"), { long_cell, sizeof(long_cell) - 1 } },
		{ STR("cell"), STR("a"), STR("grpc"), STR("b") },
	};
	const redisReply nothing = { .type = REDIS_REPLY_NIL };
	struct node read = { .epoch = 0 };
	struct answer answer;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(node_record_read(&read, STR("gateway-1"), answer_of(&answer, texts[i], 4)));
	assert_false(node_record_read(&read, STR("gateway-1"), answer_of(&answer, texts[0], 0)));
	assert_false(node_record_read(&read, STR("gateway-1"), &nothing));
	const struct str good[] = { STR("epoch"), STR("5") };
	assert_false(node_record_read(&read, STR("no name"), answer_of(&answer, good, 2)));
	assert_true(node_record_read(&read, STR("name"), answer_of(&answer, good, 2)));
}

static void the_last_epoch_and_time_of_a_node_are_read_back(void **state)
{
	static const char *const bad[] = { "", "5", "5|", "|5", "5|6|7", "a|5", "5|-1" };
	struct buf text = { 0 };
	struct node_seen seen;
	(void)state;

	node_seen_write(&text, 5, 6);
	assert_true(node_seen_parse(&seen, buf_str(&text)));
	assert_int_equal(seen.last_epoch, 5);
	assert_int_equal(seen.seen_ms, 6);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(node_seen_parse(&seen, str_from(bad[i])));
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_read_as_it_was_written),
		cmocka_unit_test(fields_of_a_newer_version_are_skipped),
		cmocka_unit_test(a_malformed_node_is_refused),
		cmocka_unit_test(the_last_epoch_and_time_of_a_node_are_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
