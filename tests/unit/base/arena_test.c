/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/macros.h"

struct owner {
	struct arena arena;
	_Alignas(max_align_t) char first[64];
};

static void owner_init(struct owner *owner)
{
	memset(owner->first, 'x', sizeof(owner->first));
	arena_init(&owner->arena, owner->first, sizeof(owner->first));
}

static bool is_in_first(const struct owner *owner, const char *place)
{
	return place >= owner->first && place < owner->first + sizeof(owner->first);
}

static void the_first_room_is_used_before_the_heap(void **state)
{
	struct owner owner;
	(void)state;

	owner_init(&owner);
	assert_ptr_equal(arena_alloc(&owner.arena, 1), owner.first);
	assert_ptr_equal(arena_alloc(&owner.arena, 48), owner.first + 16);
	assert_false(is_in_first(&owner, arena_alloc(&owner.arena, 1)));
	arena_release(&owner.arena);
}

static void memory_is_zeroed_and_aligned_for_any_type(void **state)
{
	static const size_t sizes[] = { 1, 3, 16, 17, 100, 4096, 5000, 1, 70000 };
	struct owner owner;
	(void)state;

	owner_init(&owner);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		unsigned char *place = arena_alloc(&owner.arena, sizes[i]);

		assert_int_equal((uintptr_t)place % _Alignof(max_align_t), 0);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(place[at], 0);
		memset(place, 0xff, sizes[i]);
	}
	arena_release(&owner.arena);
}

static void a_large_request_leaves_the_room_before_it_in_use(void **state)
{
	struct owner owner;
	(void)state;

	owner_init(&owner);
	arena_alloc(&owner.arena, 10000);
	assert_true(is_in_first(&owner, arena_alloc(&owner.arena, 32)));
	arena_release(&owner.arena);
}

static void a_copy_is_terminated_and_may_be_empty(void **state)
{
	struct arena arena;
	(void)state;

	arena_init(&arena, NULL, 0);
	struct str copy = arena_copy(&arena, STR("alice"));
	assert_string_equal(copy.ptr, "alice");
	assert_int_equal(copy.len, 5);
	assert_string_equal(arena_copy(&arena, (struct str){ 0 }).ptr, "");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_room_is_used_before_the_heap),
		cmocka_unit_test(memory_is_zeroed_and_aligned_for_any_type),
		cmocka_unit_test(a_large_request_leaves_the_room_before_it_in_use),
		cmocka_unit_test(a_copy_is_terminated_and_may_be_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
