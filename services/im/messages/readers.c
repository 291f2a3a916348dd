#include "im/http/page.h"
#include "im/messages/messages.h"

/* caller, conversation, seq, the most members, after or '', limit -> as fn.readers() */
static const struct pg_statement reader_list = {
	"readers",
	"select verdict, uid, read_seq, read_count, member_count"
	" from fn.readers($1::text, $2::text, $3::bigint, $4::integer, $5::text, $6::integer)",
};

enum reader_column { READER_VERDICT, READER_UID, READER_SEQ, READER_COUNT, READER_MEMBERS };

#define READERS_MAX_MEMBERS 200 /* contract section 3 */

static const struct call_reason reader_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such group or message" },
	{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
	{ ERR_PERMISSION_DENIED, NULL, "only the sender of a message sees who has read it" },
	{ ERR_FAILED_PRECONDITION, NULL, "readers are kept in groups of up to 200 members" },
	{ .err = OK },
};

static void reader_put(struct buf *out, const PGresult *result, int row)
{
	buf_append_char(out, '{');
	json_put_field(out, "uid", pg_text(result, row, READER_UID));
	json_put_u64_field(out, "read_seq", (uint64_t)pg_i64(result, row, READER_SEQ));
	buf_append_char(out, '}');
}

static void reader_put_counts(struct buf *out, const PGresult *result)
{
	json_put_u64_field(out, "read_count", (uint64_t)pg_i64(result, 0, READER_COUNT));
	json_put_u64_field(out, "member_count", (uint64_t)pg_i64(result, 0, READER_MEMBERS));
}

static const struct paged_list readers = {
	&reader_list, "readers", .key = READER_UID, .put = reader_put, .put_more = reader_put_counts
};

void messages_list_readers(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	pg_put_i64(&params, (int64_t)call_path_u64(call, "seq", 1, INT64_MAX));
	pg_put_i32(&params, READERS_MAX_MEMBERS);
	call_explain(call, reader_reasons);
	call_list(call, &readers, &params);
}
