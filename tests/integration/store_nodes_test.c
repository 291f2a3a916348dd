#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "redis_fixture.h"
#include "cluster/node_list.h"
#include "cluster/node_registry.h"

struct change {
	struct redis_fixture *fixture;
	bool has_ended;
	err_t err;
	uint64_t epoch;
	bool was_out;
};

static void end(struct change *change, err_t err)
{
	assert_false(change->has_ended);
	change->has_ended = true;
	change->err = err;
	change->fixture->ended++;
}

static void on_registered(void *arg, err_t err, uint64_t epoch)
{
	struct change *change = arg;

	change->epoch = epoch;
	end(change, err);
}

static void on_renewed(void *arg, err_t err, bool was_out)
{
	struct change *change = arg;

	change->was_out = was_out;
	end(change, err);
}

static struct node gateway(const char *name, uint64_t epoch)
{
	struct node node = {
		.epoch = epoch, .grpc_address = "10.0.0.7:9301", .ws_url = "ws://10.0.0.7:8090/ws", .cell = "a",
		.is_draining = true, .connections = 3, .queue_bytes = 4, .lag_ms = 5,
	};

	assert_true(str_copy(node.name, sizeof(node.name), str_from(name)));
	return node;
}

static uint64_t register_now(struct redis_fixture *f, const char *name)
{
	struct change change = { .fixture = f };
	struct node node = gateway(name, 0);

	f->given++;
	node_register(f->redis, &node, on_registered, &change);
	redis_fixture_turn(f);
	assert_int_equal(change.err, OK);
	return change.epoch;
}

static struct change renewal(struct redis_fixture *f, const char *name, uint64_t epoch)
{
	struct change change = { .fixture = f };
	struct node node = gateway(name, epoch);

	f->given++;
	node_renew(f->redis, &node, on_renewed, &change);
	redis_fixture_turn(f);
	return change;
}

static err_t renew(struct redis_fixture *f, const char *name, uint64_t epoch)
{
	return renewal(f, name, epoch).err;
}

static err_t remove_node(struct redis_fixture *f, const char *name, uint64_t epoch)
{
	struct change change = { .fixture = f };

	f->given++;
	node_remove(f->redis, str_from(name), epoch, on_renewed, &change);
	redis_fixture_turn(f);
	return change.err;
}

/* Reads the list once and waits for it. */
static void read_again(struct redis_fixture *f, struct node_list *list)
{
	bool is_read = false;

	node_list_refresh(list, note_closed, &is_read);
	assert_false(is_read);
	turn_until_true(&f->worker, &is_read);
}

static void count_change(void *arg)
{
	++*(unsigned *)arg;
}

/* ---- registrations ---- */

static void each_registration_draws_a_higher_epoch_even_if_the_clock_is_behind(void **state)
{
	struct redis_fixture f;
	char future[32];
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	uint64_t first = register_now(&f, "gateway-1");
	assert_true(first >= clock_wall_ms() - 10000);
	uint64_t second = register_now(&f, "gateway-1");
	assert_true(second > first);
	snprintf(future, sizeof(future), "%llu|%llu", (unsigned long long)second + 3600000, (unsigned long long)second);
	redis_fixture_run(&f, "HSET", "im:nodes", "gateway-1", future, NULL);
	assert_int_equal(register_now(&f, "gateway-1"), second + 3600001);
	redis_fixture_close(&f);
}

static void a_renewal_is_refused_to_all_but_the_last_registration(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	uint64_t first = register_now(&f, "gateway-1");
	assert_int_equal(renew(&f, "gateway-1", first), OK);
	uint64_t second = register_now(&f, "gateway-1");
	assert_int_equal(renew(&f, "gateway-1", first), ERR_FAILED_PRECONDITION);
	assert_int_equal(renew(&f, "gateway-1", second), OK);
	assert_int_equal(remove_node(&f, "gateway-1", first), ERR_FAILED_PRECONDITION);
	assert_int_equal(renew(&f, "gateway-1", second), OK);
	assert_in_range(redis_fixture_number(&f, "PTTL", "im:node:{gateway-1}"), (NODE_LIFE_S - 1) * 1000, NODE_LIFE_S * 1000);
	assert_int_equal(remove_node(&f, "gateway-1", second), OK);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", "im:node:{gateway-1}"), 0);
	redis_fixture_close(&f);
}

static void a_renewal_restores_a_registration_that_redis_forgot(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	uint64_t epoch = register_now(&f, "gateway-1");
	assert_false(renewal(&f, "gateway-1", epoch).was_out);
	redis_fixture_run(&f, "FLUSHALL", NULL);
	struct change made_again = renewal(&f, "gateway-1", epoch);
	assert_int_equal(made_again.err, OK);
	assert_true(made_again.was_out);
	assert_false(renewal(&f, "gateway-1", epoch).was_out);
	read_again(&f, list);
	assert_non_null(node_list_find_epoch(list, STR("gateway-1"), epoch));
	node_list_free(list);
	redis_fixture_close(&f);
}

/* ---- the list ---- */

static void the_list_has_the_live_nodes_in_the_order_of_their_names(void **state)
{
	const struct node *all[3];
	struct redis_fixture f;
	unsigned changes = 0;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	node_list_on_change(list, count_change, &changes);
	assert_false(node_list_is_fresh(list));
	read_again(&f, list);
	assert_true(node_list_is_fresh(list));
	assert_int_equal(node_list_all(list, all, 3), 0);
	uint64_t b = register_now(&f, "gateway-b"), a = register_now(&f, "gateway-a");
	read_again(&f, list);
	assert_true(changes > 0);
	assert_int_equal(node_list_all(list, all, 3), 2);
	assert_string_equal(all[0]->name, "gateway-a");
	assert_int_equal(all[0]->epoch, a);
	assert_string_equal(all[1]->name, "gateway-b");
	assert_string_equal(all[1]->grpc_address, "10.0.0.7:9301");
	assert_string_equal(all[1]->ws_url, "ws://10.0.0.7:8090/ws");
	assert_string_equal(all[1]->cell, "a");
	assert_true(all[1]->is_draining);
	assert_int_equal(all[1]->connections + all[1]->queue_bytes + all[1]->lag_ms, 12);
	assert_int_equal(node_list_all(list, all, 1), 1);
	assert_null(node_list_find_epoch(list, STR("gateway-b"), b + 1));
	assert_null(node_list_find(list, STR("gateway-c")));
	/* Nothing changed: no callback. */
	unsigned before = changes;
	read_again(&f, list);
	assert_int_equal(renew(&f, "gateway-b", b), OK);
	read_again(&f, list);
	assert_int_equal(changes, before);
	assert_int_equal(remove_node(&f, "gateway-b", b), OK);
	read_again(&f, list);
	assert_int_equal(changes, before + 1);
	assert_null(node_list_find(list, STR("gateway-b")));
	node_list_free(list);
	redis_fixture_close(&f);
}

static void a_node_that_comes_back_under_another_epoch_is_a_change(void **state)
{
	struct redis_fixture f;
	unsigned changes = 0;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	uint64_t first = register_now(&f, "gateway-1");
	read_again(&f, list);
	const struct node *node = node_list_find(list, STR("gateway-1"));
	node_list_on_change(list, count_change, &changes);
	uint64_t second = register_now(&f, "gateway-1");
	read_again(&f, list);
	assert_int_equal(changes, 1);
	assert_null(node_list_find_epoch(list, STR("gateway-1"), first));
	assert_ptr_equal(node_list_find_epoch(list, STR("gateway-1"), second), node);
	node_list_free(list);
	redis_fixture_close(&f);
}

static bool has_no_node(void *list)
{
	const struct node *one;

	return node_list_all(list, &one, 1) == 0;
}

static void a_node_that_is_not_renewed_leaves_the_list_after_its_lifetime(void **state)
{
	struct redis_fixture f;
	unsigned changes = 0;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	register_now(&f, "gateway-1");
	uint64_t start = clock_mono_ms();
	read_again(&f, list);
	node_list_on_change(list, count_change, &changes);
	turn_until(&f.worker, has_no_node, list);
	assert_in_range(clock_mono_ms() - start, 7500, 12000);
	assert_true(node_list_is_fresh(list));
	assert_int_equal(changes, 1);
	node_list_free(list);
	redis_fixture_close(&f);
}

static void a_redis_outage_removes_no_node_for_ten_seconds(void **state)
{
	struct redis_fixture f;
	bool is_told = false, is_told_at_once = false;
	unsigned changes = 0;
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	register_now(&f, "gateway-1");
	read_again(&f, list);
	node_list_on_change(list, count_change, &changes);
	uint64_t start = clock_mono_ms();
	real_server_kill(&redis_fixture_server);
	node_list_refresh(list, note_closed, &is_told);
	turn_for(&f.worker, 8000);
	assert_non_null(node_list_find(list, STR("gateway-1")));
	assert_true(node_list_is_fresh(list));
	assert_false(is_told); /* the next good read is still to come */
	assert_int_equal(changes, 0);
	turn_until(&f.worker, has_no_node, list);
	assert_in_range(clock_mono_ms() - start, 7500, 12000);
	turn_until_true(&f.worker, &is_told);
	assert_false(node_list_is_fresh(list));
	node_list_refresh(list, note_closed, &is_told_at_once);
	turn_until_true(&f.worker, &is_told_at_once);
	turn_until_count(&f.worker, &changes, 1);
	real_server_start(&redis_fixture_server);
	read_again(&f, list);
	while (!node_list_is_fresh(list))
		read_again(&f, list);
	node_list_free(list);
	redis_fixture_close(&f);
}

static void a_caller_that_asks_during_a_read_waits_for_the_next_one(void **state)
{
	struct redis_fixture f;
	bool first = false, second = false;
	struct change change = { .fixture = &f };
	struct node node = gateway("gateway-1", 0);
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	node_list_refresh(list, note_closed, &first); /* the list's own first read is under way */
	read_again(&f, list);
	assert_true(first);
	node_list_refresh(list, NULL, NULL);
	f.given++;
	node_register(f.redis, &node, on_registered, &change);
	redis_fixture_turn(&f);
	node_list_refresh(list, note_closed, &second);
	turn_until_true(&f.worker, &second);
	assert_non_null(node_list_find(list, STR("gateway-1")));
	/* The list is freed while a caller waits: its callback is not called. */
	node_list_refresh(list, note_closed, &first);
	first = false;
	node_list_free(list);
	turn_for(&f.worker, 50);
	assert_false(first);
	redis_fixture_close(&f);
}

static void names_of_nodes_long_dead_are_forgotten_and_malformed_ones_are_skipped(void **state)
{
	struct redis_fixture f;
	char seen[64];
	(void)state;

	redis_fixture_open_empty(&f, 1000);
	struct node_list *list = node_list_new(f.redis, &f.worker);
	uint64_t now = clock_wall_ms(), day = 24 * 3600 * 1000ull;
	snprintf(seen, sizeof(seen), "5|%llu", (unsigned long long)(now - day - 1000));
	redis_fixture_run(&f, "HSET", "im:nodes", "long-dead", seen, NULL);
	snprintf(seen, sizeof(seen), "5|%llu", (unsigned long long)(now - day + 60000));
	redis_fixture_run(&f, "HSET", "im:nodes", "dead", seen, NULL);
	redis_fixture_run(&f, "HSET", "im:nodes", "no good name", seen, NULL);
	redis_fixture_run(&f, "HSET", "im:nodes", "rubbish", "x", NULL);
	redis_fixture_run(&f, "HSET", "im:nodes", "broken", seen, NULL);
	redis_fixture_run(&f, "HSET", "im:node:{broken}", "epoch", "many", NULL);
	uint64_t epoch = register_now(&f, "gateway-1");
	read_again(&f, list);
	read_again(&f, list);
	assert_int_equal(redis_fixture_number(&f, "HLEN", "im:nodes"), 5);
	struct redis_call gone = { .fixture = NULL };
	redis_fixture_command(&f, &gone, "HEXISTS", "im:nodes", "long-dead", NULL);
	redis_fixture_turn(&f);
	assert_int_equal(gone.number, 0);
	assert_non_null(node_list_find_epoch(list, STR("gateway-1"), epoch));
	assert_null(node_list_find(list, STR("broken")));
	node_list_free(list);
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_registration_draws_a_higher_epoch_even_if_the_clock_is_behind),
		cmocka_unit_test(a_renewal_is_refused_to_all_but_the_last_registration),
		cmocka_unit_test(a_renewal_restores_a_registration_that_redis_forgot),
		cmocka_unit_test(the_list_has_the_live_nodes_in_the_order_of_their_names),
		cmocka_unit_test(a_node_that_comes_back_under_another_epoch_is_a_change),
		cmocka_unit_test(a_node_that_is_not_renewed_leaves_the_list_after_its_lifetime),
		cmocka_unit_test(a_redis_outage_removes_no_node_for_ten_seconds),
		cmocka_unit_test(a_caller_that_asks_during_a_read_waits_for_the_next_one),
		cmocka_unit_test(names_of_nodes_long_dead_are_forgotten_and_malformed_ones_are_skipped),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
