#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rpc/protobuf_wire.h"

static void fields_come_in_order_with_their_values(void **state)
{
	/* 1: 150, 2: "hi", 3: fixed64, 4: fixed32, 536870911: 0 */
	struct str rest = STR("\x08\x96\x01\x12\x02hi\x19"
	                      "12345678\x25"
	                      "1234\xf8\xff\xff\xff\x0f\x00");
	struct wire_field field;
	(void)state;

	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.number, 1);
	assert_int_equal(field.type, WIRE_VARINT);
	assert_int_equal(field.value, 150);
	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.number, 2);
	assert_true(str_equal(field.bytes, STR("hi")));
	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.type, WIRE_FIXED64);
	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.type, WIRE_FIXED32);
	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.number, (1 << 29) - 1);
	assert_int_equal(rest.len, 0);
	assert_false(wire_next(&rest, &field));
}

static void the_largest_varint_is_64_bits_and_no_more(void **state)
{
	struct str largest = STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	struct str too_large = STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
	struct str too_long = STR("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
	struct wire_field field;
	(void)state;

	assert_true(wire_next(&largest, &field));
	assert_true(field.value == UINT64_MAX);
	assert_false(wire_next(&too_large, &field));
	assert_false(wire_next(&too_long, &field));
}

static void a_malformed_message_is_neither_read_nor_valid(void **state)
{
	static const struct str cases[] = {
		{ "\x08", 1 }, /* no value */
		{ "\x08\x80", 2 }, /* a varint that does not end */
		{ "\x00\x00", 2 }, /* field 0 */
		{ "\x80\x80\x80\x80\x10\x00", 6 }, /* field 2^29 */
		{ "\x0a\x05hell", 6 }, /* shorter than it says */
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* 2^64 - 1 bytes */
		{ "\x09"
		  "1234567",
		  8 }, /* half a fixed64 */
		{ "\x0d"
		  "123",
		  4 }, /* half a fixed32 */
		{ "\x0b\x0c", 2 }, /* a group */
		{ "\x0f\x00", 2 }, /* type 7 */
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* At the end of a heap block: the sanitizer sees a read behind it. */
		char *copy = malloc(cases[i].len);
		struct str rest = { copy, cases[i].len };
		struct wire_field field;

		assert_non_null(copy);
		memcpy(copy, cases[i].ptr, cases[i].len);
		assert_false(wire_next(&rest, &field));
		assert_int_equal(rest.len, cases[i].len);
		assert_false(wire_is_valid(rest));
		assert_int_equal(wire_find(rest, 1).len, 0);
		free(copy);
	}
}

static void the_last_of_several_is_found_unless_the_message_is_broken(void **state)
{
	(void)state;
	assert_true(str_equal(wire_find(STR("\x0a\x01"
	                                    "a\x12\x01"
	                                    "b\x0a\x01"
	                                    "c"),
	                                1),
	                      STR("c")));
	assert_int_equal(wire_find(STR("\x08\x01"), 1).len, 0); /* a number, not bytes */
	assert_int_equal(wire_find(STR("\x0a\x01"
	                               "a\x0a\x09"
	                               "b"),
	                           1)
	                         .len,
	                 0);
	assert_true(wire_is_valid(STR("")));
}

static void written_fields_are_read_back(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX };
	struct buf out = { 0 };
	struct wire_field field;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		wire_put_varint(&out, (uint32_t)(i + 1), numbers[i]);
	wire_put_bytes(&out, 1000, STR("bytes"));
	wire_put_bytes(&out, 1001, (struct str){ 0 });

	struct str rest = buf_str(&out);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		assert_true(wire_next(&rest, &field));
		assert_int_equal(field.number, i + 1);
		assert_true(field.value == numbers[i]);
	}
	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.number, 1000);
	assert_true(str_equal(field.bytes, STR("bytes")));
	assert_true(wire_next(&rest, &field));
	assert_int_equal(field.bytes.len, 0);
	assert_int_equal(rest.len, 0);
	buf_release(&out);
}

static void a_head_and_the_bytes_behind_it_are_a_field(void **state)
{
	struct buf whole = { 0 }, pieces = { 0 };
	(void)state;

	wire_put_bytes(&whole, 15, STR("one two"));
	wire_put_bytes_head(&pieces, 15, 7);
	buf_append_text(&pieces, "one ");
	buf_append_text(&pieces, "two");
	assert_true(str_equal(buf_str(&whole), buf_str(&pieces)));
	buf_release(&whole);
	buf_release(&pieces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_in_order_with_their_values),
		cmocka_unit_test(the_largest_varint_is_64_bits_and_no_more),
		cmocka_unit_test(a_malformed_message_is_neither_read_nor_valid),
		cmocka_unit_test(the_last_of_several_is_found_unless_the_message_is_broken),
		cmocka_unit_test(written_fields_are_read_back),
		cmocka_unit_test(a_head_and_the_bytes_behind_it_are_a_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
