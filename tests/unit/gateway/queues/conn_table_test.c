#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/conn_table.h"

#define MANY 1000

static int conns[MANY];

static void an_id_finds_its_connection_and_no_other(void **state)
{
	struct conn_table table;
	uint64_t ids[MANY];
	(void)state;

	conn_table_init(&table, 3);
	for (int i = 0; i < MANY; i++) {
		ids[i] = conn_table_add(&table, &conns[i]);
		assert_true(ids[i] != 0);
		assert_int_equal(conn_worker(ids[i]), 3);
	}
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(conn_table_find(&table, ids[i]), &conns[i]);
	assert_int_equal(table.used, MANY);
	conn_table_release(&table);
}

static void the_id_of_a_removed_connection_does_not_find_the_next_one_in_its_slot(void **state)
{
	struct conn_table table;
	uint64_t old, before = 0;
	(void)state;

	conn_table_init(&table, 0);
	for (int i = 0; i < 5; i++) {
		old = conn_table_add(&table, &conns[0]);
		assert_true(old != before);
		conn_table_remove(&table, old);
		assert_null(conn_table_find(&table, old));
		assert_int_equal(table.slot_count, 1);
		before = old;
	}
	uint64_t id = conn_table_add(&table, &conns[1]);
	assert_null(conn_table_find(&table, old));
	assert_ptr_equal(conn_table_find(&table, id), &conns[1]);
	conn_table_release(&table);
}

static void a_generation_that_wraps_never_makes_the_id_0(void **state)
{
	struct conn_table table;
	(void)state;

	conn_table_init(&table, 0);
	uint64_t id = conn_table_add(&table, &conns[0]);
	conn_table_remove(&table, id);
	table.slots[0].generation = UINT32_MAX;
	id = conn_table_add(&table, &conns[0]);
	assert_true(id != 0);
	assert_ptr_equal(conn_table_find(&table, id), &conns[0]);
	conn_table_release(&table);
}

static void unknown_ids_find_nothing(void **state)
{
	struct conn_table table;
	(void)state;

	conn_table_init(&table, 1);
	assert_null(conn_table_find(&table, 0));
	uint64_t id = conn_table_add(&table, &conns[0]);
	assert_null(conn_table_find(&table, 0));
	assert_null(conn_table_find(&table, UINT64_MAX));
	assert_null(conn_table_find(&table, id + 1));
	assert_null(conn_table_find(&table, id + (1ull << 32)));
	assert_null(conn_table_find(&table, id + (1ull << 56)));
	conn_table_release(&table);
}

static void a_walk_returns_each_connection_once(void **state)
{
	struct conn_table table;
	uint64_t ids[10];
	int met = 0;
	(void)state;

	conn_table_init(&table, 0);
	for (int i = 0; i < 10; i++)
		ids[i] = conn_table_add(&table, &conns[i]);
	for (int i = 0; i < 10; i += 2)
		conn_table_remove(&table, ids[i]);
	void *conn;
	for (uint32_t slot = 0; (conn = conn_table_next(&table, &slot)); met++) {
		assert_ptr_equal(conn, &conns[2 * met + 1]);
		assert_ptr_equal(conn, conn_table_at(&table, slot - 1));
		conn_table_remove(&table, ids[2 * met + 1]); /* as a walk that closes connections does */
	}
	assert_int_equal(met, 5);
	assert_int_equal(table.used, 0);
	conn_table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_finds_its_connection_and_no_other),
		cmocka_unit_test(the_id_of_a_removed_connection_does_not_find_the_next_one_in_its_slot),
		cmocka_unit_test(a_generation_that_wraps_never_makes_the_id_0),
		cmocka_unit_test(unknown_ids_find_nothing),
		cmocka_unit_test(a_walk_returns_each_connection_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
