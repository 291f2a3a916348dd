/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static void a_size_of_zero_never_gives_null(void **state)
{
	(void)state;
	/* Through a variable: the compiler takes the header's word for it otherwise. */
	void *volatile made[] = { mem_alloc(0), mem_zalloc(0), mem_resize(NULL, 0) };

	for (int i = 0; i < 3; i++) {
		assert_non_null(made[i]);
		mem_free(made[i]);
	}
	mem_free(NULL);
}

static void zeroed_memory_is_zero(void **state)
{
	static const char zeros[4096];
	char *ptr = mem_zalloc(sizeof(zeros));
	(void)state;

	assert_memory_equal(ptr, zeros, sizeof(zeros));
	mem_free(ptr);
}

static void resizing_keeps_the_content(void **state)
{
	char *ptr = mem_alloc(6);
	(void)state;

	memcpy(ptr, "hello", 6);
	ptr = mem_resize(ptr, 100000);
	assert_string_equal(ptr, "hello");
	mem_free(ptr);
}

static void an_array_doubles_when_it_is_full(void **state)
{
	unsigned *items = NULL, count = 0, capacity = 0, growths = 0;
	(void)state;

	for (unsigned i = 0; i < 100; i++) {
		unsigned before = capacity;
		MEM_RESERVE_ONE(items, count, capacity, 3);
		growths += capacity != before;
		items[count++] = i;
	}
	assert_int_equal(capacity, 192);
	assert_int_equal(growths, 7);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(items[i], i);
	mem_free(items);
}

static void running_out_ends_the_process_with_a_line_on_stderr(void **state)
{
	volatile size_t too_much = SIZE_MAX / 4;
	char text[256] = "";
	int output[2];
	int status;
	(void)state;

	assert_int_equal(pipe(output), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(output[1], 2);
		mem_free(mem_alloc(too_much));
		_exit(0);
	}
	close(output[1]);
	/* Read to the end: a sanitizer writes more than the pipe holds. */
	size_t len = 0;
	for (char c; read(output[0], &c, 1) == 1;)
		if (len < sizeof(text) - 1)
			text[len++] = c;
	close(output[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* A sanitizer ends the process with another message. */
	assert_true(strstr(text, "out of memory") || strstr(text, "Sanitizer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_of_zero_never_gives_null),
		cmocka_unit_test(zeroed_memory_is_zero),
		cmocka_unit_test(resizing_keeps_the_content),
		cmocka_unit_test(an_array_doubles_when_it_is_full),
		cmocka_unit_test(running_out_ends_the_process_with_a_line_on_stderr),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
