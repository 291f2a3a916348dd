/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "im/endpoints/gateway_order.h"

#define GATEWAYS 4

static struct node nodes[GATEWAYS];

static void make(unsigned i, uint64_t connections, bool is_draining)
{
	nodes[i] = (struct node){ .connections = connections, .is_draining = is_draining };
	snprintf(nodes[i].name, sizeof(nodes[i].name), "gateway-%u", i);
}

static size_t order(const struct node **out, const char *uid)
{
	for (unsigned i = 0; i < GATEWAYS; i++)
		out[i] = &nodes[i];
	return gateway_order(out, GATEWAYS, str_from(uid));
}

static void the_emptiest_gateways_come_first_and_draining_ones_are_left_out(void **state)
{
	const struct node *out[GATEWAYS];
	(void)state;

	make(0, 1000, false);
	make(1, 0, true);
	make(2, 3, false);
	make(3, 500, false);
	assert_int_equal(order(out, "alice"), 3);
	assert_ptr_equal(out[0], &nodes[2]);
	assert_ptr_equal(out[1], &nodes[3]);
	assert_ptr_equal(out[2], &nodes[0]);
}

static void users_spread_over_gateways_that_are_about_equal(void **state)
{
	const struct node *out[GATEWAYS];
	unsigned first[GATEWAYS] = { 0 };
	(void)state;

	make(0, 1000, false);
	make(1, 1010, false);
	make(2, 1005, false);
	make(3, 2000, false);
	for (int i = 0; i < 3000; i++) {
		char uid[16];
		snprintf(uid, sizeof(uid), "user%d", i);
		assert_int_equal(order(out, uid), GATEWAYS);
		first[out[0] - nodes]++;
		const struct node *best = out[0];
		assert_int_equal(order(out, uid), GATEWAYS);
		assert_ptr_equal(out[0], best); /* the same every time */
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(first[i], 800, 1200);
	assert_int_equal(first[3], 0);
}

static void without_gateways_the_list_is_empty(void **state)
{
	(void)state;

	assert_int_equal(gateway_order(NULL, 0, STR("alice")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_emptiest_gateways_come_first_and_draining_ones_are_left_out),
		cmocka_unit_test(users_spread_over_gateways_that_are_about_equal),
		cmocka_unit_test(without_gateways_the_list_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
