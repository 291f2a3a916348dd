#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "cluster/inbox_epoch.h"

static void an_epoch_is_fifteen_digits_and_read_back(void **state)
{
	char text[INBOX_EPOCH_TEXT];
	(void)state;

	inbox_epoch_text(text, 0xabc);
	assert_string_equal(text, "000000000000abc");
	assert_int_equal(inbox_epoch_parse(str_from(text)), 0xabc);
	inbox_epoch_text(text, 0xfffffffffffffff);
	assert_string_equal(text, "fffffffffffffff");
	assert_int_equal(inbox_epoch_parse(str_from(text)), 0xfffffffffffffff);
	for (int i = 0; i < 1000; i++) {
		uint64_t epoch = inbox_fresh_epoch();
		assert_in_range(epoch, 1, 0xfffffffffffffff);
		inbox_epoch_text(text, epoch);
		assert_int_equal(inbox_epoch_parse(str_from(text)), epoch);
	}
}

static void a_malformed_epoch_is_0(void **state)
{
	static const char *const texts[] = {
		"", "0", "000000000000000", "abc", "0000000000000abcd", "00000000000000g", "00000000000000A", "-00000000000001",
		" 00000000000001", "0x0000000000001",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(inbox_epoch_parse(str_from(texts[i])), 0);
	assert_int_equal(inbox_epoch_parse((struct str){ NULL, 0 }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_epoch_is_fifteen_digits_and_read_back),
		cmocka_unit_test(a_malformed_epoch_is_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
