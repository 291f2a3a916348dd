/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/changes/id_set.h"

static void number_id(unsigned char id[JWT_TOKEN_ID_BYTES], uint32_t number)
{
	memset(id, 0, JWT_TOKEN_ID_BYTES);
	memcpy(id + 5, &number, sizeof(number));
}

static bool has(const struct id_set *tokens, uint32_t number)
{
	unsigned char id[JWT_TOKEN_ID_BYTES];

	number_id(id, number);
	return id_set_have(tokens, str_of(id, sizeof(id)));
}

static bool add(struct id_set *tokens, uint32_t number, uint64_t expires_ms)
{
	unsigned char id[JWT_TOKEN_ID_BYTES];

	number_id(id, number);
	return id_set_add(tokens, id, expires_ms);
}

static void what_was_added_is_found(void **state)
{
	unsigned char id[JWT_TOKEN_ID_BYTES];
	struct id_set tokens;
	(void)state;

	id_set_init(&tokens);
	assert_false(has(&tokens, 1));
	number_id(id, 7);
	assert_true(id_set_add(&tokens, id, 5));
	assert_false(id_set_add(&tokens, id, 7));
	assert_true(id_set_have(&tokens, str_of(id, sizeof(id))));
	assert_false(id_set_have(&tokens, str_of(id, sizeof(id) - 1)));
	assert_false(id_set_have(&tokens, STR("")));
	number_id(id, 8);
	assert_false(id_set_have(&tokens, str_of(id, sizeof(id))));
	id_set_release(&tokens);
}

static void only_expired_ids_are_forgotten(void **state)
{
	struct id_set tokens;
	(void)state;

	id_set_init(&tokens);
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(add(&tokens, i, 100 + i % 10));
	id_set_forget(&tokens, 100);
	assert_int_equal(tokens.by_id.len, 1000);
	id_set_forget(&tokens, 105);
	assert_int_equal(tokens.by_id.len, 500);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(has(&tokens, i), i % 10 >= 5);
	id_set_forget(&tokens, UINT64_MAX);
	assert_int_equal(tokens.by_id.len, 0);
	id_set_release(&tokens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found),
		cmocka_unit_test(only_expired_ids_are_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
