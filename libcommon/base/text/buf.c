#include "base/text/buf.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text/decimal.h"

#define FIRST_SIZE 64

void buf_release(struct buf *buf)
{
	mem_free(buf->ptr);
	*buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
}

static void buf_grow(struct buf *buf, size_t more)
{
	size_t needed;
	bool overflows = __builtin_add_overflow(buf->len, more, &needed);

	assert(!overflows);
	/* Doubled, so that appending n bytes one by one copies O(n) bytes. */
	buf->cap = MAX(MAX(needed, buf->cap * 2), FIRST_SIZE);
	buf->ptr = mem_resize(buf->ptr, buf->cap);
}

char *buf_reserve(struct buf *buf, size_t more)
{
	if (more > buf->cap - buf->len || !buf->ptr)
		buf_grow(buf, more);
	return buf->ptr + buf->len;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(buf, len), bytes, len);
	buf->len += len;
}

void buf_append_str(struct buf *buf, struct str s)
{
	buf_append(buf, s.ptr, s.len);
}

void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
	*buf_reserve(buf, 1) = c;
	buf->len++;
}

void buf_append_u64(struct buf *buf, uint64_t number)
{
	char digits[DECIMAL_SIZE];

	buf_append_str(buf, decimal(digits, number));
}

void buf_append_i64(struct buf *buf, int64_t number)
{
	if (number < 0)
		buf_append_char(buf, '-');
	buf_append_u64(buf, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	size_t room = buf->cap - buf->len;
	int len = vsnprintf(room ? buf->ptr + buf->len : NULL, room, format, args);
	assert(len >= 0);
	if ((size_t)len >= room)
		vsnprintf(buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, again);
	buf->len += (size_t)len;
	va_end(again);
}

const char *buf_text(struct buf *buf)
{
	*buf_reserve(buf, 1) = '\0';
	return buf->ptr;
}

char *buf_take(struct buf *buf)
{
	buf_text(buf);
	char *ptr = buf->ptr;
	*buf = (struct buf){ 0 };
	return ptr;
}
