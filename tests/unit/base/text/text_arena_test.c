#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/text/text_arena.h"

static void texts_stand_terminated_in_one_allocation(void **state)
{
	const struct str texts[] = { STR("alice"), STR(""), { "b\0b", 3 } };
	size_t size = text_arena_size(texts, ARRAY_LEN(texts));
	char *memory = mem_alloc(size);
	struct text_arena arena = text_arena(memory, size);
	(void)state;

	assert_int_equal(size, 5 + 0 + 3 + 3);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct str copy = text_arena_put(&arena, texts[i]);
		assert_true(str_equal(copy, texts[i]));
		assert_true(copy.ptr >= memory && copy.ptr + copy.len < memory + size);
		assert_int_equal(copy.ptr[copy.len], '\0');
	}
	assert_ptr_equal(arena.next, memory + size);
	mem_free(memory);
}

static void an_absent_text_stays_absent_and_as_a_string_is_empty(void **state)
{
	const struct str absent = { NULL, 0 };
	char memory[1];
	struct text_arena arena = text_arena(memory, text_arena_size(&absent, 1));
	(void)state;

	assert_null(text_arena_put(&arena, absent).ptr);
	assert_string_equal(text_arena_put_text(&arena, absent), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_stand_terminated_in_one_allocation),
		cmocka_unit_test(an_absent_text_stays_absent_and_as_a_string_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
