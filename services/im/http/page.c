#include "im/http/page.h"

#include "base/text/base64.h"

#define PAGE_CURSOR_MAX 88 /* base64url of 64 bytes takes 86 */

void page_cursor(struct buf *out, struct str key)
{
	base64url_encode(out, key);
}

bool page_cursor_read(struct str cursor, struct buf *key)
{
	return cursor.len <= PAGE_CURSOR_MAX && !base64url_decode(key, cursor) && ident_is_valid(buf_str(key));
}

void call_page(struct call *call, struct page *page)
{
	struct str cursor = call_query_text(call, "cursor");
	struct buf key = { 0 };

	*page = (struct page){ 0 };
	page->limit = (unsigned)call_query_int(call, "limit", PAGE_LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX);
	if (!cursor.ptr)
		return;
	if (page_cursor_read(cursor, &key))
		page->after = call_copy(call, buf_str(&key));
	else
		call_reject(call, ERR_INVALID_ARGUMENT, "cursor", "cursor is not one that was given out as next_cursor");
	buf_release(&key);
}

void page_put(struct pg_params *params, const struct page *page)
{
	pg_put_text(params, page->after);
	pg_put_i32(params, (int32_t)page->limit + 1);
}

int page_rows(const struct page *page, const PGresult *result, int column)
{
	if (PQntuples(result) == 0 || PQgetisnull(result, 0, column))
		return 0;
	return MIN(PQntuples(result), (int)page->limit);
}

void page_put_next(struct buf *out, const struct page *page, const PGresult *result, int column)
{
	struct buf cursor = { 0 };

	if (PQntuples(result) <= (int)page->limit)
		return;
	page_cursor(&cursor, pg_text(result, (int)page->limit - 1, column));
	json_put_field(out, "next_cursor", buf_str(&cursor));
	buf_release(&cursor);
}
