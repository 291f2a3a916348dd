#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "deliver/fanout_plan.h"

static const struct fanout_gateway all_alive[] = { { .is_alive = true }, { .is_alive = true }, { .is_alive = true } };

/* Targets, whose plan is the same in every mode. */
static struct audience audience;

static struct fanout_plan plan_targets(struct fanout_target *targets, size_t count, const struct fanout_gateway *gateways,
                                       size_t gateway_count)
{
	audience = (struct audience){ .kind = AUDIENCE_OF_TARGETS, .targets = { .items = targets, .count = count } };
	return fanout_plan(&audience, gateways, gateway_count, FANOUT_UNICAST);
}

static void without_a_connection_there_is_no_batch(void **state)
{
	(void)state;
	struct fanout_plan plan = plan_targets(NULL, 0, all_alive, ARRAY_LEN(all_alive));

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
	struct fanout_plan plan = plan_targets(targets, 5, all_alive, ARRAY_LEN(all_alive));

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

static void the_senders_connections_are_first_in_their_batch(void **state)
{
	struct fanout_target targets[] = {
		{ .gateway = 0, .recipient = 0, .conn = 1 },
		{ .gateway = 0, .recipient = 1, .conn = 2, .is_own = true },
		{ .gateway = 0, .recipient = 2, .conn = 3 },
		{ .gateway = 0, .recipient = 1, .conn = 4, .is_own = true },
	};
	(void)state;
	struct fanout_plan plan = plan_targets(targets, 4, all_alive, ARRAY_LEN(all_alive));

	assert_int_equal(plan.batch_count, 1);
	assert_int_equal(plan.batches[0].own_count, 2);
	assert_true(plan.targets[0].is_own && plan.targets[1].is_own);
	assert_false(plan.targets[2].is_own || plan.targets[3].is_own);
	fanout_plan_release(&plan);
}

static void connections_of_a_dead_gateway_are_in_no_batch_and_are_counted(void **state)
{
	const struct fanout_gateway gateways[] = { { .is_alive = false }, { .is_alive = true }, { .is_alive = false } };
	struct fanout_target targets[] = {
		{ .gateway = 0, .conn = 1 },
		{ .gateway = 1, .conn = 2 },
		{ .gateway = 2, .conn = 3 },
		{ .gateway = 0, .conn = 4 },
	};
	(void)state;
	struct fanout_plan plan = plan_targets(targets, 4, gateways, ARRAY_LEN(gateways));

	assert_int_equal(plan.batch_count, 1);
	assert_int_equal(plan.batches[0].gateway, 1);
	assert_int_equal(plan.batches[0].count, 1);
	assert_int_equal(plan.targets[plan.batches[0].first].conn, 2);
	assert_int_equal(plan.dead_count, 3);
	fanout_plan_release(&plan);
}

static void targets_of_one_gateway_over_the_limit_are_split(void **state)
{
	enum { COUNT = 2 * FANOUT_MAX_TARGETS + 1 };
	static struct fanout_target targets[COUNT + 1];
	(void)state;

	for (uint32_t i = 0; i < COUNT; i++)
		targets[i] = (struct fanout_target){ .gateway = 1, .recipient = i, .is_own = i == 7 };
	targets[COUNT] = (struct fanout_target){ .gateway = 0, .recipient = COUNT };
	struct fanout_plan plan = plan_targets(targets, COUNT + 1, all_alive, ARRAY_LEN(all_alive));

	assert_int_equal(plan.batch_count, 4);
	for (size_t b = 1, next = 1; b < 4; next += plan.batches[b++].count) {
		assert_int_equal(plan.batches[b].gateway, 1);
		assert_int_equal(plan.batches[b].first, next);
		assert_int_equal(plan.batches[b].count, b < 3 ? FANOUT_MAX_TARGETS : 1);
		assert_int_equal(plan.batches[b].own_count, b == 1);
	}
	fanout_plan_release(&plan);
}

static void every_living_target_is_in_exactly_one_batch(void **state)
{
	enum { COUNT = 1000 };
	static struct fanout_target targets[COUNT];
	const struct fanout_gateway gateways[] = {
		{ .is_alive = true }, { .is_alive = false }, { .is_alive = true }, { .is_alive = true }
	};
	bool seen[COUNT] = { false };
	size_t living = 0;
	(void)state;

	for (uint32_t i = 0; i < COUNT; i++) {
		targets[i] = (struct fanout_target){
			.gateway = (i * 7 + i / 3) % 4, .recipient = i, .conn = i, .is_own = i % 11 == 0
		};
		living += gateways[targets[i].gateway].is_alive;
	}
	struct fanout_plan plan = plan_targets(targets, COUNT, gateways, ARRAY_LEN(gateways));
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

/* ---- users ---- */

static struct str *make_uids(size_t count)
{
	static char texts[2 * FANOUT_MAX_UIDS + 1][24];
	struct str *uids = mem_alloc(count * sizeof(*uids));

	assert_true(count <= ARRAY_LEN(texts));
	for (size_t i = 0; i < count; i++) {
		snprintf(texts[i], sizeof(texts[i]), "u%zu", i);
		uids[i] = str_from(texts[i]);
	}
	return uids;
}

static struct audience users(const struct str *uids, size_t count)
{
	return (struct audience){ .kind = AUDIENCE_OF_USERS, .users = { .uids = uids, .count = count } };
}

static void a_broadcast_to_many_users_is_split_and_names_each_once(void **state)
{
	enum { COUNT = 2 * FANOUT_MAX_UIDS + 1 };
	struct str *uids = make_uids(COUNT);
	struct audience to = users(uids, COUNT);
	size_t next = 0;
	(void)state;
	struct fanout_plan plan = fanout_plan(&to, all_alive, ARRAY_LEN(all_alive), FANOUT_BROADCAST);

	assert_int_equal(plan.batch_count, 3);
	for (size_t b = 0; b < plan.batch_count; b++) {
		assert_int_equal(plan.batches[b].gateway, FANOUT_EVERY_GATEWAY);
		assert_int_equal(plan.batches[b].first, next);
		assert_in_range(plan.batches[b].count, 1, FANOUT_MAX_UIDS);
		next += plan.batches[b].count;
	}
	assert_int_equal(next, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_true(str_equal(plan.uids[i], uids[i]));
	fanout_plan_release(&plan);
	mem_free(uids);
}

static void a_broadcast_to_everybody_is_one_record_without_uids(void **state)
{
	struct audience to = users(NULL, 0);
	(void)state;
	struct fanout_plan plan = fanout_plan(&to, all_alive, ARRAY_LEN(all_alive), FANOUT_BROADCAST);

	assert_int_equal(plan.batch_count, 1);
	assert_int_equal(plan.batches[0].gateway, FANOUT_EVERY_GATEWAY);
	assert_int_equal(plan.batches[0].count, 0);
	fanout_plan_release(&plan);
}

static void by_hash_each_living_gateway_gets_the_uids_that_are_placed_on_it(void **state)
{
	enum { COUNT = 2 * FANOUT_MAX_UIDS };
	const struct fanout_gateway gateways[] = { { .is_alive = true }, { .is_alive = false }, { .is_alive = true } };
	struct str *uids = make_uids(COUNT);
	struct audience to = users(uids, COUNT);
	static uint32_t placed[COUNT];
	size_t seen = 0, dead = 0;
	(void)state;

	for (size_t i = 0; i < COUNT; i++) {
		placed[i] = i % 4 == 1 ? 1 : i % 4 == 3 ? 0 :
		                                          2; /* half of them on the last gateway */
		dead += placed[i] == 1;
	}
	to.users.placed = placed;
	struct fanout_plan plan = fanout_plan(&to, gateways, ARRAY_LEN(gateways), FANOUT_HASH);
	assert_int_equal(plan.batch_count, 2);
	assert_int_equal(plan.dead_count, dead);
	for (size_t b = 0; b < plan.batch_count; b++)
		for (size_t i = 0; i < plan.batches[b].count; i++, seen++) {
			struct str uid = plan.uids[plan.batches[b].first + i];
			uint64_t user;

			assert_true(str_to_u64(str_of(uid.ptr + 1, uid.len - 1), &user));
			assert_int_equal(placed[user], plan.batches[b].gateway);
		}
	assert_int_equal(seen + dead, COUNT);
	fanout_plan_release(&plan);
	mem_free(uids);
}

static void more_uids_on_one_gateway_than_a_record_holds_are_split(void **state)
{
	enum { COUNT = FANOUT_MAX_UIDS + 1 };
	struct str *uids = make_uids(COUNT);
	struct audience to = users(uids, COUNT);
	static uint32_t placed[COUNT];
	(void)state;

	to.users.placed = placed;
	struct fanout_plan plan = fanout_plan(&to, all_alive, ARRAY_LEN(all_alive), FANOUT_HASH);
	assert_int_equal(plan.batch_count, 2);
	assert_int_equal(plan.batches[0].count, FANOUT_MAX_UIDS);
	assert_int_equal(plan.batches[1].count, 1);
	fanout_plan_release(&plan);
	mem_free(uids);
}

/* ---- groups and rooms ---- */

static const struct fanout_gateway some_hold[] = {
	{ .is_alive = true, .holds = true },
	{ .is_alive = true },
	{ .is_alive = false, .holds = true },
	{ .is_alive = true, .holds = true },
};

static void a_group_or_room_goes_to_the_living_gateways_that_have_members_of_it(void **state)
{
	const struct audience both[] = {
		{ .kind = AUDIENCE_OF_GROUP, .group = { .gid = STR("crew"), .seq = 7 } },
		{ .kind = AUDIENCE_OF_ROOM, .room = STR("lobby") },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct fanout_plan plan = fanout_plan(&both[i], some_hold, ARRAY_LEN(some_hold), FANOUT_UNICAST);

		assert_int_equal(plan.batch_count, 2);
		assert_int_equal(plan.batches[0].gateway, 0);
		assert_int_equal(plan.batches[1].gateway, 3);
		fanout_plan_release(&plan);
	}
}

static void a_room_that_is_broadcast_is_one_record(void **state)
{
	const struct audience room = { .kind = AUDIENCE_OF_ROOM, .room = STR("lobby") };
	(void)state;
	struct fanout_plan plan = fanout_plan(&room, some_hold, ARRAY_LEN(some_hold), FANOUT_BROADCAST);

	assert_int_equal(plan.batch_count, 1);
	assert_int_equal(plan.batches[0].gateway, FANOUT_EVERY_GATEWAY);
	fanout_plan_release(&plan);
}

/* ---- modes ---- */

static void a_mode_that_is_set_is_kept(void **state)
{
	struct audience to = users(NULL, 0);
	(void)state;

	for (enum fanout_mode mode = FANOUT_UNICAST; mode <= FANOUT_HASH; mode++)
		assert_int_equal(fanout_mode_for(&to, all_alive, 3, mode), mode);
}

static void automatic_looks_few_users_up_and_broadcasts_to_many(void **state)
{
	struct fanout_gateway gateways[20] = { { 0 } };
	struct str *uids = make_uids(20);
	(void)state;

	for (size_t i = 0; i < 10; i++)
		gateways[2 * i].is_alive = true; /* ten copies by broadcast */
	struct audience few = users(uids, 5), many = users(uids, 6), all = users(NULL, 0);
	assert_int_equal(fanout_mode_for(&few, gateways, 20, FANOUT_AUTO), FANOUT_UNICAST);
	assert_int_equal(fanout_mode_for(&many, gateways, 20, FANOUT_AUTO), FANOUT_BROADCAST);
	assert_int_equal(fanout_mode_for(&all, gateways, 20, FANOUT_AUTO), FANOUT_BROADCAST);
	mem_free(uids);
}

static void automatic_sends_only_to_known_gateways(void **state)
{
	const struct audience room = { .kind = AUDIENCE_OF_ROOM, .room = STR("lobby") };
	(void)state;

	audience = (struct audience){ .kind = AUDIENCE_OF_TARGETS };
	assert_int_equal(fanout_mode_for(&audience, all_alive, 3, FANOUT_AUTO), FANOUT_UNICAST);
	assert_int_equal(fanout_mode_for(&room, some_hold, 4, FANOUT_AUTO), FANOUT_UNICAST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_connection_there_is_no_batch),
		cmocka_unit_test(each_gateway_gets_one_batch_with_all_its_connections),
		cmocka_unit_test(the_senders_connections_are_first_in_their_batch),
		cmocka_unit_test(connections_of_a_dead_gateway_are_in_no_batch_and_are_counted),
		cmocka_unit_test(targets_of_one_gateway_over_the_limit_are_split),
		cmocka_unit_test(every_living_target_is_in_exactly_one_batch),
		cmocka_unit_test(a_broadcast_to_many_users_is_split_and_names_each_once),
		cmocka_unit_test(a_broadcast_to_everybody_is_one_record_without_uids),
		cmocka_unit_test(by_hash_each_living_gateway_gets_the_uids_that_are_placed_on_it),
		cmocka_unit_test(more_uids_on_one_gateway_than_a_record_holds_are_split),
		cmocka_unit_test(a_group_or_room_goes_to_the_living_gateways_that_have_members_of_it),
		cmocka_unit_test(a_room_that_is_broadcast_is_one_record),
		cmocka_unit_test(a_mode_that_is_set_is_kept),
		cmocka_unit_test(automatic_looks_few_users_up_and_broadcasts_to_many),
		cmocka_unit_test(automatic_sends_only_to_known_gateways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
