/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>

#include "../http/call_rig.h"
#include "base/macros.h"
#include "cluster/node_list.h"
#include "im/admin/admin.h"
#include "im/endpoints/endpoints.h"

#define NODES_MAX 2000

static struct node nodes[NODES_MAX];
static size_t node_count, node_count_when_read;

/* In place of the list that is read from Redis. */
size_t node_list_all(const struct node_list *list, const struct node **out, size_t max)
{
	size_t count = MIN(node_count, max);
	(void)list;

	for (size_t i = 0; i < count; i++)
		out[i] = &nodes[i];
	return count;
}

/* In place of the read. */
void node_list_refresh(struct node_list *list, void (*done)(void *arg), void *arg)
{
	(void)list;

	node_count = node_count_when_read;
	done(arg);
}

static const struct call_route rows[] = {
	{ "GET", "/endpoints", CALL_USER, RATE_NONE, endpoints_list, CALL_RIG_CONTEXT },
	{ "GET", "/nodes", CALL_ADMIN, RATE_NONE, admin_nodes, CALL_RIG_CONTEXT },
};

/* The last node has the fewest connections. */
static void make_nodes(size_t count)
{
	node_count = node_count_when_read = count;
	for (size_t i = 0; i < count; i++) {
		nodes[i] = (struct node){ .epoch = 1, .connections = 100000 - i * 40 };
		snprintf(nodes[i].name, sizeof(nodes[i].name), "gateway-%zu", i);
		snprintf(nodes[i].ws_url, sizeof(nodes[i].ws_url), "wss://gateway-%zu.example.com/ws", i);
	}
}

static json_t *ask(const char *path, const char *list)
{
	struct http_request *request = call_rig_ask(path, (struct http_request){ .authorization = call_rig_token(true) });
	json_t *whole = json_loads(call_rig_answer, 0, NULL);

	assert_int_equal(request->status, 200);
	assert_non_null(whole);
	json_t *nodes_of_list = json_incref(json_object_get(whole, list));
	json_decref(whole);
	return nodes_of_list;
}

static void every_gateway_is_listed_however_many_there_are(void **state)
{
	static const size_t counts[] = { 1, 63, 64, 65, 256, 257, 300, 1500 };
	(void)state;

	call_rig_start(rows, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char last[32];
		make_nodes(counts[i]);
		snprintf(last, sizeof(last), "gateway-%zu", counts[i] - 1);
		json_t *gateways = ask("/endpoints", "gateways");
		assert_int_equal(json_array_size(gateways), counts[i]);
		json_decref(gateways);
		json_t *listed = ask("/nodes", "nodes");
		assert_int_equal(json_array_size(listed), counts[i]);
		assert_string_equal(json_string_value(json_object_get(json_array_get(listed, counts[i] - 1), "node")), last);
		json_decref(listed);
	}
}

static void the_best_gateway_comes_first_though_it_is_the_last_of_the_list(void **state)
{
	(void)state;

	call_rig_start(rows, ARRAY_LEN(rows));
	make_nodes(1000);
	nodes[999].connections = 1;
	json_t *gateways = ask("/endpoints", "gateways");
	assert_string_equal(json_string_value(json_object_get(json_array_get(gateways, 0), "node")), "gateway-999");
	json_decref(gateways);
}

static void without_a_gateway_the_answer_is_503(void **state)
{
	(void)state;

	call_rig_start(rows, ARRAY_LEN(rows));
	make_nodes(0);
	assert_problem(call_rig_ask("/endpoints", (struct http_request){ .authorization = call_rig_token(false) }),
	               ERR_UNAVAILABLE, "");
}

static void a_gateway_that_came_up_after_the_list_was_read_is_found(void **state)
{
	(void)state;

	call_rig_start(rows, ARRAY_LEN(rows));
	make_nodes(1);
	node_count = 0;
	json_t *gateways = ask("/endpoints", "gateways");
	assert_int_equal(json_array_size(gateways), 1);
	json_decref(gateways);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_gateway_is_listed_however_many_there_are, call_rig_stop),
		cmocka_unit_test_teardown(the_best_gateway_comes_first_though_it_is_the_last_of_the_list, call_rig_stop),
		cmocka_unit_test_teardown(without_a_gateway_the_answer_is_503, call_rig_stop),
		cmocka_unit_test_teardown(a_gateway_that_came_up_after_the_list_was_read_is_found, call_rig_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
