#ifndef SKEIN_BASE_TEXT_BUF_H
#define SKEIN_BASE_TEXT_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/text/str.h"

/*
 * A growing byte buffer. `{0}` is an empty one; buf_release() gives its memory
 * back. Appending never fails (see base/mem.h): whoever appends what comes
 * from outside bounds it first.
 */
struct buf {
	char *ptr;
	size_t len;
	size_t cap;
};

void buf_release(struct buf *buf);

/* Forgets the content, keeps the memory. */
void buf_clear(struct buf *buf);

/* Room for `more` further bytes; returns where they go. Account for them with buf->len. */
char *buf_reserve(struct buf *buf, size_t more);

void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_append_str(struct buf *buf, struct str s);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_append_u64(struct buf *buf, uint64_t number); /* decimal */
void buf_append_i64(struct buf *buf, int64_t number);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* The content as a string that lives as long as the buffer is not changed. */
static inline struct str buf_str(const struct buf *buf)
{
	return (struct str){ buf->ptr, buf->len };
}

/* Terminates the content (the terminator is not counted) and returns it. */
const char *buf_text(struct buf *buf);

/* Hands the memory over to the caller, who free()s it; the buffer is empty again. */
char *buf_take(struct buf *buf);

#endif
