#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "push/inboxes/route_cache.h"

static redisReply text_of(char *value)
{
	return (redisReply){ .type = REDIS_REPLY_STRING, .str = value, .len = strlen(value) };
}

/* What an append answered: a route in the right form and one in another. The texts are gone afterwards, as a reply's are. */
static struct user_routes *put(struct route_cache *cache, const char *uid, uint64_t version)
{
	char device[] = "phone", route[] = "gateway-1|7|42|ios|5", bad[] = "nonsense";
	redisReply parts[] = { text_of(device), text_of(route), text_of(bad), text_of(bad) };
	redisReply *elements[] = { &parts[0], &parts[1], &parts[2], &parts[3] };
	redisReply routes = { .type = REDIS_REPLY_ARRAY, .elements = 4, .element = elements };
	const struct inbox_appended appended = { .routes = &routes, .known = { .version = version } };
	struct user_routes *made = route_cache_put(cache, str_from(uid), &appended);

	memset(device, 'x', sizeof(device));
	memset(route, 'x', sizeof(route));
	return made;
}

static void what_an_append_answered_is_copied(void **state)
{
	struct route_cache cache;
	(void)state;

	route_cache_init(&cache, 10);
	assert_null(route_cache_find(&cache, STR("alice")));
	struct user_routes *made = put(&cache, "alice", 3);
	assert_ptr_equal(route_cache_find(&cache, STR("alice")), made);
	assert_int_equal(made->known.version, 3);
	assert_int_equal(made->count, 1);
	assert_true(str_equal(made->items[0].device, STR("phone")));
	assert_true(str_equal(made->items[0].route.node, STR("gateway-1")));
	assert_int_equal(made->items[0].route.conn, 42);
	route_cache_release(&cache);
}

static void an_append_under_way_keeps_the_routes_of_its_version(void **state)
{
	struct route_cache cache;
	(void)state;

	route_cache_init(&cache, 10);
	struct user_routes *first = user_routes_ref(put(&cache, "alice", 1));
	put(&cache, "alice", 2);
	assert_int_equal(route_cache_find(&cache, STR("alice"))->known.version, 2);
	route_cache_forget(&cache, STR("alice"));
	route_cache_forget(&cache, STR("alice"));
	assert_null(route_cache_find(&cache, STR("alice")));
	assert_int_equal(first->known.version, 1);
	assert_int_equal(first->items[0].route.conn, 42);
	user_routes_unref(first);
	route_cache_release(&cache);
}

static void the_user_that_was_not_used_for_longest_is_forgotten(void **state)
{
	struct route_cache cache;
	(void)state;

	route_cache_init(&cache, 2);
	put(&cache, "alice", 1);
	put(&cache, "bob", 1);
	assert_non_null(route_cache_find(&cache, STR("alice")));
	put(&cache, "carol", 1);
	assert_null(route_cache_find(&cache, STR("bob")));
	assert_non_null(route_cache_find(&cache, STR("alice")));
	assert_non_null(route_cache_find(&cache, STR("carol")));
	route_cache_release(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_append_answered_is_copied),
		cmocka_unit_test(an_append_under_way_keeps_the_routes_of_its_version),
		cmocka_unit_test(the_user_that_was_not_used_for_longest_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
