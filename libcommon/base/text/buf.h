#ifndef SKEIN_BASE_TEXT_BUF_H
#define SKEIN_BASE_TEXT_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/text/str.h"

/*
 * A growing byte buffer. `{0}` is an empty one; buf_release() frees its memory.
 * Appending never fails (see base/mem.h), so callers bound input from outside
 * first. Thread: one at a time.
 */
struct buf {
	char *ptr;
	size_t len;
	size_t cap;
};

void buf_release(struct buf *buf);

/* Empties the buffer and keeps its memory. */
void buf_clear(struct buf *buf);

/* Makes room for `more` bytes and returns their place. The caller writes them and adds their number to buf->len. */
char *buf_reserve(struct buf *buf, size_t more);

void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_append_str(struct buf *buf, struct str s);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_append_u64(struct buf *buf, uint64_t number); /* decimal */
void buf_append_i64(struct buf *buf, int64_t number);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* The content; valid until the buffer is changed. */
static inline struct str buf_str(const struct buf *buf)
{
	return (struct str){ buf->ptr, buf->len };
}

/* The content with a terminator, which is not counted in `len`; valid until the buffer is changed. */
const char *buf_text(struct buf *buf);

/* The content with a terminator. The caller frees it with mem_free(); the buffer is empty afterwards. */
char *buf_take(struct buf *buf);

#endif
