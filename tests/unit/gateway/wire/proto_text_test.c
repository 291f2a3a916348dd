#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text/buf.h"
#include "gateway/wire/proto_text.h"
#include "proto/client.pb-c.h"
#include "rpc/protobuf_wire.h"

/* Of a Send (proto/client.proto). */
enum { RID = 1, BODY = 6, REPLY_TO = 7, MENTIONS = 8, FORWARD = 10, FORWARD_CONVERSATION = 1, FORWARD_SEQS = 2, UNKNOWN = 99 };

static bool is_whole(struct buf *send)
{
	bool verdict = proto_text_is_whole(&skein__v1__send__descriptor, buf_str(send));

	buf_release(send);
	return verdict;
}

static void a_nul_is_found_in_every_text(void **state)
{
	struct buf send = { 0 }, forward = { 0 };
	(void)state;

	wire_put_bytes(&send, RID, STR("r1"));
	wire_put_bytes(&send, BODY, STR("{}\0"));
	assert_false(is_whole(&send));
	wire_put_bytes(&send, BODY, STR("\0"));
	wire_put_bytes(&send, BODY, STR("{}")); /* the last one counts */
	assert_false(is_whole(&send));
	wire_put_bytes(&send, MENTIONS, STR("bob"));
	wire_put_bytes(&send, MENTIONS, STR("car\0ol"));
	assert_false(is_whole(&send));
	wire_put_bytes(&forward, FORWARD_CONVERSATION, STR("g:crew\0"));
	wire_put_bytes(&send, FORWARD, buf_str(&forward));
	assert_false(is_whole(&send));
	buf_release(&forward);
}

static void zero_bytes_outside_of_texts_are_none(void **state)
{
	struct buf send = { 0 }, forward = { 0 };
	(void)state;

	assert_true(is_whole(&send));
	wire_put_bytes(&forward, FORWARD_SEQS, STR("\0\0"));
	wire_put_bytes(&send, RID, STR(""));
	wire_put_varint(&send, REPLY_TO, 0);
	wire_put_bytes(&send, FORWARD, buf_str(&forward));
	wire_put_bytes(&send, UNKNOWN, STR("\0"));
	assert_true(is_whole(&send));
	buf_release(&forward);
}

/* protobuf-c reads it, and what stands behind it. */
static void nothing_hides_behind_a_field_number_out_of_range(void **state)
{
	const struct str bytes = STR("\x82\x80\x80\x80\x10\x01x\x0a\x02r\0");
	Skein__V1__Send *send = skein__v1__send__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
	(void)state;

	assert_non_null(send);
	assert_string_equal(send->rid, "r");
	skein__v1__send__free_unpacked(send, NULL);
	assert_false(proto_text_is_whole(&skein__v1__send__descriptor, bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nul_is_found_in_every_text),
		cmocka_unit_test(zero_bytes_outside_of_texts_are_none),
		cmocka_unit_test(nothing_hides_behind_a_field_number_out_of_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
