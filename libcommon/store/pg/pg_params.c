#include <assert.h>
#include <endian.h>
#include <limits.h>

#include "store/pg/pg.h"

/* The server's binary formats: numbers in network order; an array is its header, then length and bytes of each element. */

struct array_header {
	uint32_t dimensions; /* 1, or 0 for an empty array, which ends behind `element` */
	uint32_t has_null;
	uint32_t element;
	uint32_t count;
	uint32_t lower_bound;
};

#define EMPTY_ARRAY_SIZE offsetof(struct array_header, count)

static void params_put_u16(struct buf *buf, uint16_t number)
{
	number = htobe16(number);
	buf_append(buf, &number, sizeof(number));
}

static void params_put_u32(struct buf *buf, uint32_t number)
{
	number = htobe32(number);
	buf_append(buf, &number, sizeof(number));
}

static void params_put_u64(struct buf *buf, uint64_t number)
{
	number = htobe64(number);
	buf_append(buf, &number, sizeof(number));
}

void pg_params_release(struct pg_params *params)
{
	buf_release(&params->bytes);
	params->count = 0;
}

/* All bytes appended from here to params_end() are the next parameter. */
static void params_begin(struct pg_params *params)
{
	assert(params->count < PG_MAX_PARAMS);
	params->params[params->count].at = params->bytes.len;
}

static void params_end(struct pg_params *params)
{
	size_t len = params->bytes.len - params->params[params->count].at;

	assert(len <= INT_MAX);
	params->params[params->count++].len = (int)len;
}

void pg_put_null(struct pg_params *params)
{
	params_begin(params);
	params->params[params->count++].len = -1;
}

void pg_put_text(struct pg_params *params, struct str text)
{
	params_begin(params);
	buf_append_str(&params->bytes, text);
	params_end(params);
}

void pg_put_text_or_null(struct pg_params *params, struct str text)
{
	if (text.ptr)
		pg_put_text(params, text);
	else
		pg_put_null(params);
}

void pg_put_i16(struct pg_params *params, int16_t number)
{
	params_begin(params);
	params_put_u16(&params->bytes, (uint16_t)number);
	params_end(params);
}

void pg_put_i32(struct pg_params *params, int32_t number)
{
	params_begin(params);
	params_put_u32(&params->bytes, (uint32_t)number);
	params_end(params);
}

void pg_put_i64(struct pg_params *params, int64_t number)
{
	params_begin(params);
	params_put_u64(&params->bytes, (uint64_t)number);
	params_end(params);
}

void pg_put_bool(struct pg_params *params, bool value)
{
	params_begin(params);
	buf_append_char(&params->bytes, value);
	params_end(params);
}

void pg_array_begin(struct pg_params *params, enum pg_element element)
{
	struct array_header header = { .dimensions = htobe32(1), .element = htobe32(element), .lower_bound = htobe32(1) };

	params_begin(params);
	buf_append(&params->bytes, &header, sizeof(header));
}

static char *params_header_of(struct pg_params *params)
{
	return params->bytes.ptr + params->params[params->count].at;
}

/* Begins an element; its `len` bytes follow. */
static void params_begin_element(struct pg_params *params, uint32_t len)
{
	struct array_header header;

	memcpy(&header, params_header_of(params), sizeof(header));
	header.count = htobe32(be32toh(header.count) + 1);
	memcpy(params_header_of(params), &header, sizeof(header));
	params_put_u32(&params->bytes, len);
}

void pg_array_text(struct pg_params *params, struct str text)
{
	assert(text.len <= INT_MAX);
	params_begin_element(params, (uint32_t)text.len);
	buf_append_str(&params->bytes, text);
}

void pg_array_i64(struct pg_params *params, int64_t number)
{
	params_begin_element(params, sizeof(number));
	params_put_u64(&params->bytes, (uint64_t)number);
}

void pg_array_i32(struct pg_params *params, int32_t number)
{
	params_begin_element(params, sizeof(number));
	params_put_u32(&params->bytes, (uint32_t)number);
}

void pg_array_bool(struct pg_params *params, bool value)
{
	params_begin_element(params, 1);
	buf_append_char(&params->bytes, value);
}

void pg_array_null(struct pg_params *params)
{
	uint32_t yes = htobe32(1);

	params_begin_element(params, UINT32_MAX); /* -1 */
	memcpy(params_header_of(params) + offsetof(struct array_header, has_null), &yes, sizeof(yes));
}

void pg_array_end(struct pg_params *params)
{
	struct array_header header;

	memcpy(&header, params_header_of(params), sizeof(header));
	if (header.count == 0) {
		memset(params_header_of(params), 0, sizeof(header.dimensions));
		params->bytes.len = params->params[params->count].at + EMPTY_ARRAY_SIZE;
	}
	params_end(params);
}
