/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text/base64.h"
#include "base/macros.h"
#include "base/random.h"

/* RFC 4648 section 10, without the padding. */
static void the_vectors_of_the_rfc(void **state)
{
	static const struct {
		const char *bytes, *text;
	} vectors[] = {
		{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "-__-" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct buf out = { 0 };
		base64url_encode(&out, str_from(vectors[i].bytes));
		assert_string_equal(buf_text(&out), vectors[i].text);
		buf_clear(&out);
		assert_int_equal(base64url_decode(&out, str_from(vectors[i].text)), OK);
		assert_string_equal(buf_text(&out), vectors[i].bytes);
		buf_release(&out);
	}
}

static void any_bytes_come_back_as_they_were(void **state)
{
	char bytes[200];
	(void)state;

	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct buf text = { 0 }, back = { 0 };
		random_bytes(bytes, len);
		base64url_encode(&text, str_of(bytes, len));
		assert_int_equal(text.len, (len * 4 + 2) / 3);
		buf_append_text(&back, "kept");
		assert_int_equal(base64url_decode(&back, buf_str(&text)), OK);
		assert_int_equal(back.len, 4 + len);
		assert_memory_equal(back.ptr + 4, bytes, len);
		buf_release(&text);
		buf_release(&back);
	}
}

static void anything_but_exact_base64url_is_refused_and_leaves_no_trace(void **state)
{
	static const char *const wrong[] = {
		"A", "AAAAA", "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zm9v.", "Zh", "Zm9", "Zn",
		"a\xc3\xa4q",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf out = { 0 };
		buf_append_text(&out, "kept");
		assert_int_equal(base64url_decode(&out, str_from(wrong[i])), ERR_INVALID_ARGUMENT);
		assert_string_equal(buf_text(&out), "kept");
		buf_release(&out);
	}
	struct buf out = { 0 };
	assert_int_equal(base64url_decode(&out, STR("Zm\0v")), ERR_INVALID_ARGUMENT);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc),
		cmocka_unit_test(any_bytes_come_back_as_they_were),
		cmocka_unit_test(anything_but_exact_base64url_is_refused_and_leaves_no_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
