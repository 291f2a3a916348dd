#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "push/inboxes/append_window.h"

#define WRITERS 3

struct writer {
	struct append_turn turn;
	struct append_window *window;
	unsigned left, under_way;
};

static void issue(struct writer *writer)
{
	while (writer->left && append_window_take(writer->window, &writer->turn)) {
		writer->left--;
		writer->under_way++;
	}
}

static void on_turn(struct append_turn *turn)
{
	issue(container_of(turn, struct writer, turn));
}

static void end_one(struct writer *writer)
{
	assert_true(writer->under_way > 0);
	writer->under_way--;
	append_window_give_back(writer->window);
	issue(writer);
}

static void open_writers(struct writer *writers, struct append_window *window, size_t max, unsigned each)
{
	append_window_init(window, max);
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .window = window, .left = each };
		append_turn_init(&writers[i].turn, on_turn);
	}
}

static void no_more_are_under_way_than_the_window_has(void **state)
{
	struct append_window window;
	struct writer writers[WRITERS];
	(void)state;

	open_writers(writers, &window, 10, 100);
	for (size_t i = 0; i < WRITERS; i++)
		issue(&writers[i]);
	for (unsigned ended = 0, i = 0; ended < WRITERS * 100; i++) {
		assert_int_equal(writers[0].under_way + writers[1].under_way + writers[2].under_way, window.under_way);
		assert_true(window.under_way <= 10);
		if (!writers[i % WRITERS].under_way)
			continue;
		end_one(&writers[i % WRITERS]);
		ended++;
	}
	assert_int_equal(window.under_way, 0);
	assert_true(list_is_empty(&window.waiting));
}

static void a_writer_that_came_late_gets_its_turns_beside_a_large_one(void **state)
{
	struct append_window window;
	struct writer writers[WRITERS];
	(void)state;

	open_writers(writers, &window, 10, 2);
	writers[0].left = 1000;
	issue(&writers[0]);
	issue(&writers[1]);
	issue(&writers[2]);
	assert_int_equal(writers[0].under_way, 10);
	for (int i = 0; i < 6; i++)
		end_one(&writers[0]);
	assert_int_equal(writers[1].left + writers[2].left, 0);
}

static void a_writer_that_leaves_gets_no_turn(void **state)
{
	struct append_window window;
	struct writer writers[WRITERS];
	(void)state;

	open_writers(writers, &window, 1, 2);
	for (size_t i = 0; i < WRITERS; i++)
		issue(&writers[i]);
	append_turn_leave(&writers[1].turn);
	append_turn_leave(&writers[0].turn);
	writers[0].left = 0;
	end_one(&writers[0]);
	assert_int_equal(writers[1].under_way, 0);
	assert_int_equal(writers[2].under_way, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_are_under_way_than_the_window_has),
		cmocka_unit_test(a_writer_that_came_late_gets_its_turns_beside_a_large_one),
		cmocka_unit_test(a_writer_that_leaves_gets_no_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
