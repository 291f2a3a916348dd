#include "im/sync/sync_request.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

/*
* The query of GET /v1/sync in three lines, and an entry of an inbox in the fourth. Accepted values are in range. A refusal
 * names one of the three fields.
 */

static void check_request(struct str epoch, struct str offset, struct str limit)
{
	struct json_error error = { 0 };
	struct sync_request request;

	sync_request_read(&request, epoch, offset, limit, &error);
	if (error.err) {
		struct str field = str_from(error.field);
		CHECK(error.err == ERR_INVALID_ARGUMENT && error.detail[0]);
		CHECK(str_equal(field, STR("epoch")) || str_equal(field, STR("offset")) || str_equal(field, STR("limit")));
		return;
	}
	CHECK(request.limit >= 1 && request.limit <= SYNC_LIMIT_MAX);
	CHECK(request.has_position == (epoch.ptr && offset.ptr) && request.has_position == (epoch.ptr || offset.ptr));
	CHECK(request.position.epoch < 1ull << 60);
}

static void check_entry(struct str entry)
{
	struct conversation conversation;
	struct str id, again;
	struct buf written = { 0 };
	uint64_t seq, same;

	if (!inbox_entry_parse(entry, &id, &seq))
		return;
	CHECK(fuzz_is_inside(id, entry) && conversation_parse(id, &conversation) && seq > 0);
	inbox_entry_write(&written, id, seq);
	CHECK(inbox_entry_parse(buf_str(&written), &again, &same) && str_equal(again, id) && same == seq);
	buf_release(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str copy = fuzz_exact(str_of(bytes, len)), rest = copy;
	struct str epoch = str_cut(&rest, '\n'), offset = str_cut(&rest, '\n'), limit = str_cut(&rest, '\n');

	check_request(epoch, offset, limit);
	check_entry(rest);
	mem_free((void *)copy.ptr);
	return 0;
}
