/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/lease/watermark.h"

static void the_watermark_is_below_the_oldest_open_id(void **state)
{
	struct watermark watermark;
	(void)state;

	watermark_init(&watermark);
	watermark_restart(&watermark, 5);
	assert_int_equal(watermark_value(&watermark), 5);
	struct watermark_place a = watermark_open(&watermark, 10);
	struct watermark_place b = watermark_open(&watermark, 20);
	struct watermark_place c = watermark_open(&watermark, 30);
	assert_int_equal(watermark_value(&watermark), 5);
	watermark_close(&watermark, b);
	assert_int_equal(watermark_value(&watermark), 5);
	watermark_close(&watermark, a);
	assert_int_equal(watermark_value(&watermark), 20);
	assert_false(watermark_is_settled(&watermark));
	watermark_close(&watermark, c);
	assert_int_equal(watermark_value(&watermark), 30);
	assert_true(watermark_is_settled(&watermark));
	watermark_release(&watermark);
}

/* Ids are closed in another order than opened, while the ring grows and wraps around. */
static void the_watermark_never_passes_an_open_id(void **state)
{
	enum { IDS = 20000, WINDOW = 3000 };
	static struct watermark_place places[IDS];
	static bool is_closed[IDS];
	struct watermark watermark;
	unsigned oldest = 0;
	(void)state;

	watermark_init(&watermark);
	for (unsigned i = 0; i < IDS + WINDOW; i++) {
		if (i < IDS)
			places[i] = watermark_open(&watermark, i + 1);
		/* Of two neighbours that are old enough, closes the younger one first. */
		unsigned chosen = (i - WINDOW) ^ 1;
		if (i >= WINDOW && chosen < IDS) {
			watermark_close(&watermark, places[chosen]);
			is_closed[chosen] = true;
		}
		while (oldest < IDS && is_closed[oldest])
			oldest++;
		assert_int_equal(watermark_value(&watermark), oldest);
	}
	assert_int_equal(oldest, IDS);
	assert_true(watermark_is_settled(&watermark));
	watermark_release(&watermark);
}

static void places_of_an_old_lease_do_not_touch_the_new_one(void **state)
{
	struct watermark watermark;
	(void)state;

	watermark_init(&watermark);
	struct watermark_place old = watermark_open(&watermark, 10);
	watermark_restart(&watermark, 50);
	struct watermark_place young = watermark_open(&watermark, 60);
	assert_false(watermark_is_current(&watermark, old));
	assert_true(watermark_is_current(&watermark, young));
	watermark_close(&watermark, old);
	assert_int_equal(watermark_value(&watermark), 50);
	watermark_close(&watermark, (struct watermark_place){ 0 });
	assert_int_equal(watermark_value(&watermark), 50);
	watermark_close(&watermark, young);
	assert_int_equal(watermark_value(&watermark), 60);
	watermark_release(&watermark);
	watermark_close(&watermark, young);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_watermark_is_below_the_oldest_open_id),
		cmocka_unit_test(the_watermark_never_passes_an_open_id),
		cmocka_unit_test(places_of_an_old_lease_do_not_touch_the_new_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
