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

void page_reject_cursor(struct call *call)
{
	call_reject(call, ERR_INVALID_ARGUMENT, "cursor", "cursor is not one that was given out as next_cursor");
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
		page_reject_cursor(call);
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

static void page_put_cursor(struct buf *out, struct str key)
{
	struct buf cursor = { 0 };

	page_cursor(&cursor, key);
	json_put_field(out, "next_cursor", buf_str(&cursor));
	buf_release(&cursor);
}

void page_put_next(struct buf *out, const struct page *page, const PGresult *result, int column)
{
	if (PQntuples(result) > (int)page->limit)
		page_put_cursor(out, pg_text(result, (int)page->limit - 1, column));
}

/* ---- the whole list ---- */

struct listing {
	const struct paged_list *list;
	struct page page;
};

static void list_put_next(struct buf *out, const struct listing *listing, const PGresult *result)
{
	const struct paged_list *list = listing->list;
	int rows = page_rows(&listing->page, result, list->key);

	if (!list->has_more)
		page_put_next(out, &listing->page, result, list->key);
	else if (rows && pg_bool(result, 0, list->has_more))
		page_put_cursor(out, pg_text(result, rows - 1, list->key));
}

static void list_on_rows(struct call *call, const PGresult *result)
{
	const struct listing *listing = call_state(call);
	const struct paged_list *list = listing->list;
	struct buf *out = call_out(call);

	buf_append_char(out, '{');
	json_put_key(out, list->noun);
	buf_append_char(out, '[');
	for (int row = 0; row < page_rows(&listing->page, result, list->key); row++) {
		if (row)
			buf_append_char(out, ',');
		list->put(out, result, row);
	}
	buf_append_char(out, ']');
	if (list->put_more)
		list->put_more(out, result);
	if (list->was_read)
		list->was_read(call, result);
	list_put_next(out, listing, result);
	buf_append_char(out, '}');
	call_ok(call, 200);
}

bool page_key_is_number(struct str key)
{
	int64_t number;

	return str_to_i64(key, &number) && number > 0;
}

void call_list(struct call *call, const struct paged_list *list, struct pg_params *params)
{
	struct listing *listing = call_make_state(call, sizeof(*listing));

	listing->list = list;
	call_page(call, &listing->page);
	if (list->is_key && listing->page.after.len && !list->is_key(listing->page.after))
		page_reject_cursor(call);
	if (list->has_more) {
		pg_put_text(params, listing->page.after);
		pg_put_i32(params, (int32_t)listing->page.limit);
		pg_put_i64(params, PAGE_BYTES);
	} else {
		page_put(params, &listing->page);
	}
	call_query(call, list->statement, params, list_on_rows);
}
