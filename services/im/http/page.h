#ifndef SKEIN_IM_HTTP_PAGE_H
#define SKEIN_IM_HTTP_PAGE_H

#include "im/http/call.h"

/*
 * A page of a list, by keyset: the statement orders by a key that does not change, and begins after the last key of the page
 * before. A client gets that key as `next_cursor`, opaque (base64url) but not secret: it is checked like any input, and an
 * invented one shows nothing that the caller may not see.
 *
 *   struct page page;
 *
 *   call_page(call, &page);                    reads `limit` and `cursor`
 *   page_put(&params, &page);                  two parameters: the key or '', and the limit plus one row
 *   ...
 *   for (int row = 0; row < page_rows(&page, result, column); row++)
 *           ...
 *   page_put_next(out, &page, result, column);  `next_cursor`, where there is more
 */

#define PAGE_LIMIT_MAX 200
#define PAGE_LIMIT_DEFAULT 50

struct page {
	unsigned limit;
	struct str after; /* an id (ident_is_valid); empty: from the beginning */
};

/* `page` may be part of the call's state: its texts live as long as the call. */
void call_page(struct call *call, struct page *page);

void page_put(struct pg_params *params, const struct page *page);

/*
 * How many rows of the result to show; `column` holds the key. A statement with a verdict always has a row: if its key is
 * NULL, no row is shown.
 */
int page_rows(const struct page *page, const PGresult *result, int column);

void page_put_next(struct buf *out, const struct page *page, const PGresult *result, int column);

/* Appends the cursor that stands for `key`. */
void page_cursor(struct buf *out, struct str key);

/* Appends the key of `cursor` to `key`. False: it is not an id. */
bool page_cursor_read(struct str cursor, struct buf *key) MUST_CHECK;

#endif
