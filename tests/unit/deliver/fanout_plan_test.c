#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "deliver/fanout_plan.h"

static const struct fanout_gateway all_alive[] = { { true }, { true }, { true } };

static void nobody_connected_gives_no_batch(void **state)
{
	(void)state;
	struct fanout_plan plan = fanout_plan(NULL, 0, all_alive, FANOUT_UNICAST);

	assert_int_equal(plan.batch_count, 0);
	assert_int_equal(plan.dead_count, 0);
	fanout_plan_release(&plan);
}

static void each_gateway_gets_one_batch_with_all_its_connections(void **state)
{
	struct fanout_target targets[] = {
		{ .gateway = 1, .recipient = 0, .conn = 10 },
		{ .gateway = 0, .recipient = 1, .conn = 11 },
		{ .gateway = 1, .recipient = 2, .conn = 12 },
		{ .gateway = 2, .recipient = 3, .conn = 13 },
		{ .gateway = 1, .recipient = 4, .conn = 14 },
	};
	(void)state;
	struct fanout_plan plan = fanout_plan(targets, 5, all_alive, FANOUT_UNICAST);

	assert_int_equal(plan.batch_count, 3);
	assert_int_equal(plan.batches[0].gateway, 0);
	assert_int_equal(plan.batches[0].count, 1);
	assert_int_equal(plan.batches[1].gateway, 1);
	assert_int_equal(plan.batches[1].count, 3);
	assert_int_equal(plan.targets[plan.batches[1].first].conn, 10);
	assert_int_equal(plan.targets[plan.batches[1].first + 1].conn, 12);
	assert_int_equal(plan.targets[plan.batches[1].first + 2].conn, 14);
	assert_int_equal(plan.batches[2].gateway, 2);
	fanout_plan_release(&plan);
}

static void the_senders_connections_stand_first_in_their_batch(void **state)
{
	struct fanout_target targets[] = {
		{ .gateway = 0, .recipient = 0, .conn = 1 },
		{ .gateway = 0, .recipient = 1, .conn = 2, .is_own = true },
		{ .gateway = 0, .recipient = 2, .conn = 3 },
		{ .gateway = 0, .recipient = 1, .conn = 4, .is_own = true },
	};
	(void)state;
	struct fanout_plan plan = fanout_plan(targets, 4, all_alive, FANOUT_UNICAST);

	assert_int_equal(plan.batch_count, 1);
	assert_int_equal(plan.batches[0].own_count, 2);
	assert_true(plan.targets[0].is_own && plan.targets[1].is_own);
	assert_false(plan.targets[2].is_own || plan.targets[3].is_own);
	fanout_plan_release(&plan);
}

static void connections_of_a_dead_gateway_are_in_no_batch_and_are_counted(void **state)
{
	const struct fanout_gateway gateways[] = { { false }, { true }, { false } };
	struct fanout_target targets[] = {
		{ .gateway = 0, .conn = 1 },
		{ .gateway = 1, .conn = 2 },
		{ .gateway = 2, .conn = 3 },
		{ .gateway = 0, .conn = 4 },
	};
	(void)state;
	struct fanout_plan plan = fanout_plan(targets, 4, gateways, FANOUT_UNICAST);

	assert_int_equal(plan.batch_count, 1);
	assert_int_equal(plan.batches[0].gateway, 1);
	assert_int_equal(plan.batches[0].count, 1);
	assert_int_equal(plan.targets[plan.batches[0].first].conn, 2);
	assert_int_equal(plan.dead_count, 3);
	fanout_plan_release(&plan);
}

static void every_living_target_is_in_exactly_one_batch(void **state)
{
	enum { COUNT = 1000 };
	static struct fanout_target targets[COUNT];
	const struct fanout_gateway gateways[] = { { true }, { false }, { true }, { true } };
	bool seen[COUNT] = { false };
	size_t living = 0;
	(void)state;

	for (uint32_t i = 0; i < COUNT; i++) {
		targets[i] = (struct fanout_target){
			.gateway = (i * 7 + i / 3) % 4, .recipient = i, .conn = i, .is_own = i % 11 == 0
		};
		living += gateways[targets[i].gateway].is_alive;
	}
	struct fanout_plan plan = fanout_plan(targets, COUNT, gateways, FANOUT_UNICAST);
	for (size_t b = 0; b < plan.batch_count; b++)
		for (size_t i = plan.batches[b].first; i < plan.batches[b].first + plan.batches[b].count; i++) {
			assert_int_equal(plan.targets[i].gateway, plan.batches[b].gateway);
			assert_false(seen[plan.targets[i].conn]);
			seen[plan.targets[i].conn] = true;
			living--;
		}
	assert_int_equal(living, 0);
	fanout_plan_release(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_connected_gives_no_batch),
		cmocka_unit_test(each_gateway_gets_one_batch_with_all_its_connections),
		cmocka_unit_test(the_senders_connections_stand_first_in_their_batch),
		cmocka_unit_test(connections_of_a_dead_gateway_are_in_no_batch_and_are_counted),
		cmocka_unit_test(every_living_target_is_in_exactly_one_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
