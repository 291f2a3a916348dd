/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/map.h"
#include "tests/unit/base/seeded.h"

#define USERS 3000

struct user {
	char name[24];
	bool is_in; /* what the map should say */
	bool is_seen;
	struct map_node node;
};

static struct user users[USERS];

static struct str name_of(const struct map_node *node)
{
	return str_from(container_of(node, struct user, node)->name);
}

static void name_all(void)
{
	memset(users, 0, sizeof(users));
	for (int i = 0; i < USERS; i++)
		snprintf(users[i].name, sizeof(users[i].name), "user-%d", i);
}

static void put(struct map *map, struct user *user)
{
	map_put(map, &user->node);
	user->is_in = true;
}

static void an_empty_map_has_nothing(void **state)
{
	struct map map;
	(void)state;

	map_init(&map, name_of);
	assert_null(map_find(&map, STR("user-1")));
	assert_null(map_first(&map));
	map_release(&map);
	map_release(&map);
}

static void assert_same(const struct map *map, size_t count)
{
	size_t walked = 0;

	assert_int_equal(map->len, count);
	for (int i = 0; i < USERS; i++) {
		struct map_node *found = map_find(map, str_from(users[i].name));
		assert_ptr_equal(found, users[i].is_in ? &users[i].node : NULL);
		users[i].is_seen = false;
	}
	for (struct map_node *node = map_first(map); node; node = map_next(map, node)) {
		struct user *user = container_of(node, struct user, node);
		assert_true(user->is_in);
		assert_false(user->is_seen);
		user->is_seen = true;
		walked++;
	}
	assert_int_equal(walked, count);
}

static void it_agrees_with_a_plain_array_after_any_operations(void **state)
{
	struct seeded seeded;
	struct map map;
	size_t count = 0;
	(void)state;

	seeded_init(&seeded);
	name_all();
	map_init(&map, name_of);
	for (int step = 0; step < 60000; step++) {
		struct user *user = &users[seeded_below(&seeded, USERS)];
		/* It fills in the first half and empties in the second. */
		bool wants_in = seeded_below(&seeded, 4) < (step < 30000 ? 3u : 1u);
		if (wants_in && !user->is_in) {
			put(&map, user);
			count++;
		} else if (!wants_in && user->is_in) {
			map_remove(&map, &user->node);
			user->is_in = false;
			count--;
		}
		if (step % 5000 == 0)
			assert_same(&map, count);
	}
	assert_same(&map, count);
	map_release(&map);
}

static void the_node_just_walked_over_may_be_removed(void **state)
{
	struct map map;
	struct map_node *next;
	size_t left = 0;
	(void)state;

	name_all();
	map_init(&map, name_of);
	for (int i = 0; i < USERS; i++)
		put(&map, &users[i]);
	for (struct map_node *node = map_first(&map); node; node = next) {
		struct user *user = container_of(node, struct user, node);
		next = map_next(&map, node);
		assert_false(user->is_seen);
		user->is_seen = true;
		if (node->hash % 3 == 0) {
			map_remove(&map, node);
			user->is_in = false;
		} else {
			left++;
		}
	}
	for (int i = 0; i < USERS; i++)
		assert_true(users[i].is_seen);
	assert_same(&map, left);
	map_release(&map);
}

static void the_table_grows_with_its_nodes_and_no_further(void **state)
{
	struct map map;
	(void)state;

	name_all();
	map_init(&map, name_of);
	for (size_t i = 0; i < USERS; i++) {
		put(&map, &users[i]);
		assert_true(map.bucket_count >= map.len);
		assert_true(map.bucket_count <= MAX(2 * map.len, 16u));
		assert_true((map.bucket_count & (map.bucket_count - 1)) == 0);
	}
	map_release(&map);
}

static void a_released_map_can_be_used_again(void **state)
{
	struct map map;
	(void)state;

	name_all();
	map_init(&map, name_of);
	put(&map, &users[0]);
	map_release(&map);
	assert_null(map_find(&map, STR("user-0")));
	put(&map, &users[1]);
	assert_ptr_equal(map_find(&map, STR("user-1")), &users[1].node);
	map_release(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(it_agrees_with_a_plain_array_after_any_operations),
		cmocka_unit_test(the_node_just_walked_over_may_be_removed),
		cmocka_unit_test(the_table_grows_with_its_nodes_and_no_further),
		cmocka_unit_test(a_released_map_can_be_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
