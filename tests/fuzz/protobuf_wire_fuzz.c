#include "rpc/protobuf_wire.h"

#include "tests/fuzz/fuzz.h"

/* The protobuf wire format: fields that were read and written in their shortest form are read as the same fields. */

/* False if there is a fixed-size field, which rpc/ never writes. */
static bool write_again(struct buf *out, struct str message)
{
	struct wire_field field;

	while (wire_next(&message, &field)) {
		if (field.type == WIRE_VARINT)
			wire_put_varint(out, field.number, field.value);
		else if (field.type == WIRE_BYTES)
			wire_put_bytes(out, field.number, field.bytes);
		else
			return false;
	}
	return true;
}

static void check_same(struct str message, struct str again)
{
	struct wire_field a, b;

	while (wire_next(&message, &a)) {
		CHECK(wire_next(&again, &b));
		CHECK(a.number == b.number && a.type == b.type && a.value == b.value && str_equal(a.bytes, b.bytes));
	}
	CHECK(again.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str message = str_of(bytes, len), rest = message, last = { 0 };
	struct wire_field field;
	struct buf again = { 0 };

	while (wire_next(&rest, &field)) {
		CHECK(field.number >= 1 && field.number < 1u << 29);
		CHECK(fuzz_is_inside(field.bytes, message) && fuzz_is_inside(rest, message));
		CHECK(field.type != WIRE_BYTES || field.value == 0);
		if (field.number == 1 && field.type == WIRE_BYTES)
			last = field.bytes;
	}
	CHECK(wire_is_valid(message) == (rest.len == 0));
	CHECK(str_equal(wire_find(message, 1), rest.len == 0 ? last : STR("")));
	if (rest.len == 0 && write_again(&again, message)) {
		CHECK(again.len <= len);
		check_same(message, buf_str(&again));
	}
	buf_release(&again);
	return 0;
}
