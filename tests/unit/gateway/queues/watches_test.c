#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/watches.h"

/* The index only keeps the pointers. */
#define PHONE ((struct session *)0x10)
#define LAPTOP ((struct session *)0x20)

static unsigned watchers_of(const struct watches *watches, const char *uid)
{
	struct watched *watched = watches_find(watches, str_from(uid));
	unsigned count = 0;

	if (watched)
		list_for_each(link, &watched->watchers)
			count++;
	return count;
}

static void each_user_knows_who_watches(void **state)
{
	struct watches watches;
	(void)state;

	watches_init(&watches);
	struct watch_list *phone = watch_list_new(&watches, PHONE, "bob\0carol\0bob", 3);
	struct watch_list *laptop = watch_list_new(&watches, LAPTOP, "carol", 1);
	assert_int_equal(phone->count, 2);
	assert_int_equal(watchers_of(&watches, "bob"), 1);
	assert_int_equal(watchers_of(&watches, "carol"), 2);
	assert_int_equal(watchers_of(&watches, "dave"), 0);
	watch_list_free(phone);
	assert_null(watches_find(&watches, STR("bob")));
	struct watched *carol = watches_find(&watches, STR("carol"));
	assert_ptr_equal(container_of(carol->watchers.next, struct watch, link)->list->session, LAPTOP);
	watch_list_free(laptop);
	assert_int_equal(watches.by_uid.len, 0);
	watches_release(&watches);
}

static void the_same_is_told_once(void **state)
{
	struct watches watches;
	(void)state;

	watches_init(&watches);
	struct watch_list *phone = watch_list_new(&watches, PHONE, "bob", 1);
	struct watch_list *laptop = watch_list_new(&watches, LAPTOP, "bob", 1);
	assert_true(watch_list_is_news(phone, STR("bob"), 7));
	assert_false(watch_list_is_news(phone, STR("bob"), 7));
	assert_true(watch_is_news(&laptop->items[0], 7));
	assert_true(watch_list_is_news(phone, STR("bob"), 8));
	assert_true(watch_list_is_news(phone, STR("bob"), 7));
	for (int i = 0; i < 2; i++)
		assert_true(watch_list_is_news(phone, STR("carol"), 7)); /* a friend who is not watched */
	watch_list_free(phone);
	watch_list_free(laptop);
	watches_release(&watches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_user_knows_who_watches),
		cmocka_unit_test(the_same_is_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
