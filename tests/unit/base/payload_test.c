/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/macros.h"
#include "base/payload.h"

static void a_payload_is_a_copy_of_its_bytes(void **state)
{
	char bytes[] = "body";
	struct payload *payload = payload_new(str_from(bytes));
	struct payload *empty = payload_new(str_of(NULL, 0));
	(void)state;

	bytes[0] = 'x';
	assert_true(str_equal(payload_str(payload), STR("body")));
	assert_int_equal(payload_str(empty).len, 0);
	payload_unref(payload);
	payload_unref(empty);
	payload_unref(NULL);
}

static void it_lives_until_the_last_reference_goes(void **state)
{
	struct payload *payload = payload_alloc(3);
	(void)state;

	memcpy(payload->bytes, "abc", 3);
	assert_ptr_equal(payload_ref(payload), payload);
	payload_unref(payload);
	assert_true(str_equal(payload_str(payload), STR("abc")));
	payload_unref(payload);
}

static void *read_and_let_go(void *arg)
{
	struct payload *payload = arg;
	size_t sum = 0;

	for (int i = 0; i < 1000; i++) {
		payload_ref(payload);
		sum += (unsigned char)payload->bytes[i % 4];
		payload_unref(payload);
	}
	payload_unref(payload);
	return (void *)sum;
}

/* The sanitizers report a use after the free, a leak, or a read that races with the free. */
static void the_last_thread_to_unref_frees_it(void **state)
{
	pthread_t threads[4];
	(void)state;

	for (int round = 0; round < 50; round++) {
		struct payload *payload = payload_new(STR("abcd"));
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, read_and_let_go, payload_ref(payload)), 0);
		payload_unref(payload);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
			void *sum;
			pthread_join(threads[i], &sum);
			assert_int_equal((size_t)sum, 250 * ('a' + 'b' + 'c' + 'd'));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_payload_is_a_copy_of_its_bytes),
		cmocka_unit_test(it_lives_until_the_last_reference_goes),
		cmocka_unit_test(the_last_thread_to_unref_frees_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
