/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/accounts/password.h"

static void a_hash_matches_its_password_only(void **state)
{
	char text[PASSWORD_TEXT_SIZE], other[PASSWORD_TEXT_SIZE];
	(void)state;

	password_hash(text, STR("correct horse"));
	password_hash(other, STR("correct horse"));
	assert_string_not_equal(text, other); /* salted */
	assert_true(str_starts_with(str_from(text), STR("scrypt$14$8$1$")));
	assert_true(password_matches(str_from(text), STR("correct horse")));
	assert_true(password_matches(str_from(other), STR("correct horse")));
	assert_false(password_matches(str_from(text), STR("correct horsf")));
	assert_false(password_matches(str_from(text), STR("")));
}

static void texts_made_with_other_costs_are_read(void **state)
{
	(void)state;

	/* hashlib.scrypt(b"swordfish", salt=bytes(range(16)), n=2**10, r=8, p=2, dklen=32) */
	struct str text = STR("scrypt$10$8$2$AAECAwQFBgcICQoLDA0ODw$kn08y3laZCPfXsvFvvjvJFcyga8DkcMUhCPslELRrn0");
	assert_true(password_matches(text, STR("swordfish")));
	assert_false(password_matches(text, STR("Swordfish")));
}

static void a_text_that_is_no_hash_matches_no_password(void **state)
{
	static const char *const texts[] = {
		"",
		"swordfish",
		"scrypt$14$8$1$$",
		"scrypt$14$8$1$AAECAwQFBgcICQoLDA0ODw$",
		"scrypt$60$8$1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
		"bcrypt$14$8$1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(password_matches(str_from(texts[i]), STR("swordfish")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_matches_its_password_only),
		cmocka_unit_test(texts_made_with_other_costs_are_read),
		cmocka_unit_test(a_text_that_is_no_hash_matches_no_password),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
