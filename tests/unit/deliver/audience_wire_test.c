#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "deliver/audience_wire.h"

static const struct fanout_gateway one_alive[] = { { .is_alive = true, .holds = true } };

/* The only batch of the audience as a gateway reads it. */
static Skein__V1__Audience *over_the_wire(const struct audience *audience, enum fanout_mode mode)
{
	struct fanout_plan plan = fanout_plan(audience, one_alive, 1, mode);
	struct audience_wire wire;

	assert_int_equal(plan.batch_count, 1);
	audience_wire_init(&wire, &plan, &plan.batches[0]);
	uint8_t *packed = mem_alloc(skein__v1__audience__get_packed_size(&wire.audience));
	size_t len = skein__v1__audience__pack(&wire.audience, packed);
	audience_wire_release(&wire);
	fanout_plan_release(&plan);
	Skein__V1__Audience *read = skein__v1__audience__unpack(NULL, len, packed);
	mem_free(packed);
	assert_non_null(read);
	return read;
}

static void targets_carry_their_offsets_with_the_senders_in_a_list_of_their_own(void **state)
{
	struct fanout_target targets[] = {
		{ .conn = 7, .offset = 70, .epoch = 700 },
		{ .conn = 8, .offset = 80, .epoch = 800, .is_own = true },
		{ .conn = 9, .offset = 90, .epoch = 900, .recipient = 1 },
	};
	const struct audience audience = { .kind = AUDIENCE_OF_TARGETS, .targets = { .items = targets, .count = 3 } };
	(void)state;
	Skein__V1__Audience *read = over_the_wire(&audience, FANOUT_UNICAST);

	assert_int_equal(read->who_case, SKEIN__V1__AUDIENCE__WHO_TARGETS);
	const Skein__V1__Connections *own = read->targets->own, *others = read->targets->others;
	assert_int_equal(own->n_conns, 1);
	assert_int_equal(own->conns[0], 8);
	assert_int_equal(own->offsets[0], 80);
	assert_int_equal(own->epochs[0], 800);
	assert_int_equal(others->n_conns, 2);
	assert_int_equal(others->n_offsets, 2);
	assert_int_equal(others->n_epochs, 2);
	assert_int_equal(others->conns[1], 9);
	assert_int_equal(others->offsets[1], 90);
	assert_int_equal(others->epochs[1], 900);
	skein__v1__audience__free_unpacked(read, NULL);
}

static void targets_without_an_offset_are_only_connections(void **state)
{
	struct fanout_target targets[] = { { .conn = 7 }, { .conn = 8, .recipient = 1 } };
	const struct audience audience = { .kind = AUDIENCE_OF_TARGETS, .targets = { .items = targets, .count = 2 } };
	(void)state;
	Skein__V1__Audience *read = over_the_wire(&audience, FANOUT_UNICAST);

	assert_null(read->targets->own);
	assert_int_equal(read->targets->others->n_conns, 2);
	assert_int_equal(read->targets->others->n_offsets, 0);
	assert_int_equal(read->targets->others->n_epochs, 0);
	skein__v1__audience__free_unpacked(read, NULL);
}

static void uids_need_not_be_terminated(void **state)
{
	const struct str uids[] = { str_of("alicebob", 5), str_of("bobcarol", 3) };
	const struct audience audience = { .kind = AUDIENCE_OF_USERS, .users = { .uids = uids, .count = 2 } };
	(void)state;
	Skein__V1__Audience *read = over_the_wire(&audience, FANOUT_BROADCAST);

	assert_int_equal(read->who_case, SKEIN__V1__AUDIENCE__WHO_USERS);
	assert_int_equal(read->users->n_uids, 2);
	assert_string_equal(read->users->uids[0], "alice");
	assert_string_equal(read->users->uids[1], "bob");
	skein__v1__audience__free_unpacked(read, NULL);
}

static void everybody_is_a_list_of_no_users(void **state)
{
	const struct audience audience = { .kind = AUDIENCE_OF_USERS };
	(void)state;
	Skein__V1__Audience *read = over_the_wire(&audience, FANOUT_BROADCAST);

	assert_int_equal(read->who_case, SKEIN__V1__AUDIENCE__WHO_USERS);
	assert_int_equal(read->users->n_uids, 0);
	skein__v1__audience__free_unpacked(read, NULL);
}

static void a_group_carries_its_seq_and_a_room_its_name(void **state)
{
	const struct audience group = { .kind = AUDIENCE_OF_GROUP, .group = { .gid = STR("crew"), .seq = 7 } };
	const struct audience room = { .kind = AUDIENCE_OF_ROOM, .room = STR("lobby") };
	(void)state;
	Skein__V1__Audience *of_group = over_the_wire(&group, FANOUT_UNICAST), *of_room = over_the_wire(&room, FANOUT_UNICAST);

	assert_int_equal(of_group->who_case, SKEIN__V1__AUDIENCE__WHO_GROUP);
	assert_string_equal(of_group->group->group_id, "crew");
	assert_int_equal(of_group->group->seq, 7);
	assert_int_equal(of_room->who_case, SKEIN__V1__AUDIENCE__WHO_ROOM);
	assert_string_equal(of_room->room, "lobby");
	skein__v1__audience__free_unpacked(of_group, NULL);
	skein__v1__audience__free_unpacked(of_room, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_carry_their_offsets_with_the_senders_in_a_list_of_their_own),
		cmocka_unit_test(targets_without_an_offset_are_only_connections),
		cmocka_unit_test(uids_need_not_be_terminated),
		cmocka_unit_test(everybody_is_a_list_of_no_users),
		cmocka_unit_test(a_group_carries_its_seq_and_a_room_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
