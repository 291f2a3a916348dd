#include "rpc/protobuf_wire.h"

#define FIELD_NUMBER_MAX ((1u << 29) - 1)

static bool read_varint(struct str *rest, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->len && i < 10; i++) {
		unsigned char byte = (unsigned char)rest->ptr[i];

		if (i == 9 && byte > 1)
			return false; /* more than 64 bits */
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*rest = str_of(rest->ptr + i + 1, rest->len - i - 1);
			*out = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct str *rest, uint64_t len)
{
	if (len > rest->len)
		return false;
	*rest = str_of(rest->ptr + len, rest->len - (size_t)len);
	return true;
}

bool wire_next(struct str *rest, struct wire_field *field)
{
	struct str at = *rest;
	uint64_t key, len;
	bool is_whole;

	if (!read_varint(&at, &key) || key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MAX)
		return false;
	*field = (struct wire_field){ .number = (uint32_t)(key >> 3), .type = (enum wire_type)(key & 7) };
	switch (field->type) {
	case WIRE_VARINT:
		is_whole = read_varint(&at, &field->value);
		break;
	case WIRE_FIXED64:
		is_whole = skip(&at, 8);
		break;
	case WIRE_FIXED32:
		is_whole = skip(&at, 4);
		break;
	case WIRE_BYTES:
		if (!read_varint(&at, &len))
			return false;
		field->bytes.ptr = at.ptr;
		field->bytes.len = (size_t)len;
		is_whole = skip(&at, len);
		break;
	default: /* groups are not supported */
		return false;
	}
	if (is_whole)
		*rest = at;
	return is_whole;
}

bool wire_is_valid(struct str message)
{
	struct wire_field field;

	while (wire_next(&message, &field))
		;
	return message.len == 0;
}

struct str wire_find(struct str message, uint32_t number)
{
	struct str found = { 0 };
	struct wire_field field;

	while (wire_next(&message, &field))
		if (field.number == number && field.type == WIRE_BYTES)
			found = field.bytes;
	return message.len == 0 ? found : (struct str){ 0 };
}

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_append_char(out, (char)(value | 0x80));
	buf_append_char(out, (char)value);
}

void wire_put_varint(struct buf *out, uint32_t number, uint64_t value)
{
	put_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
	put_varint(out, value);
}

void wire_put_bytes_head(struct buf *out, uint32_t number, size_t len)
{
	put_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
	put_varint(out, len);
}

void wire_put_bytes(struct buf *out, uint32_t number, struct str bytes)
{
	wire_put_bytes_head(out, number, bytes.len);
	buf_append_str(out, bytes);
}
