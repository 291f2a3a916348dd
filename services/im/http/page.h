#ifndef SKEIN_IM_HTTP_PAGE_H
#define SKEIN_IM_HTTP_PAGE_H

#include "im/http/call.h"

/*
 * A page of a list, by keyset: the statement orders by a key that does not change, and begins after the last key of the page
 * before. A client gets that key as `next_cursor`, opaque (base64url) but not secret: it is checked like any input, and an
 * invented one shows nothing that the caller may not see.
 *
 *   static const struct paged_list blocks = { &block_list, "blocks", .key = BLOCK_UID, .put = block_put };
 *
 *   void contacts_list_blocks(struct call *call)
 *   {
 *           struct pg_params params = { 0 };
 *
 *           pg_put_text(&params, call_uid(call));
 *           call_list(call, &blocks, &params);
 *   }
 */

#define PAGE_LIMIT_MAX 200
#define PAGE_LIMIT_DEFAULT 50

struct page {
	unsigned limit;
	struct str after; /* an id (ident_is_valid); empty: from the beginning */
};

/* A list that is read in pages. */
struct paged_list {
	const struct pg_statement
		*statement; /* its last two parameters are the key before the page or '', and the limit plus one row */
	const char *noun; /* the answer's member: {"blocks":[...],"next_cursor":...} */
	int key; /* the column of the key: a text */
	bool (*is_key)(struct str key); /* what a cursor may hold, of ids; NULL: any */
	void (*put)(struct buf *out, const PGresult *result, int row); /* appends one item, a JSON object */
	void (*put_more)(struct buf *out, const PGresult *result); /* appends further members of the answer; may be NULL */
	void (*was_read)(struct call *call, const PGresult *result); /* before the answer; may be NULL */
	/*
	 * Of a list with large items: the column that says in each row whether there is more. The statement's last
	 * three parameters are then the key, the limit and PAGE_BYTES: the page ends once its items are that long. 0:
	 * the limit plus one row says so.
	 */
	int has_more;
};

#define PAGE_BYTES (1024 * 1024) /* the last item may be beyond */

/* For is_key: a decimal number from 1 on. */
bool page_key_is_number(struct str key);

/* Reads `limit` and `cursor`, runs the statement with `params` and these two, and answers the page. It takes the call's state. */
void call_list(struct call *call, const struct paged_list *list, struct pg_params *params);

/* ---- The parts of it ---- */

/* `page` may be part of the call's state: its texts live as long as the call. */
void call_page(struct call *call, struct page *page);

/* Keeps the error of a cursor that was never given out. */
void page_reject_cursor(struct call *call);

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
