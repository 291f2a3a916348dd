#include "rpc/server/reflection.h"

#include "rpc/protobuf_wire.h"
#include "rpc/server/descriptor_set.h"
#include "tests/fuzz/fuzz.h"

/*
* Requests to the reflection service, over the real set of descriptors and over a
 * set that is the input itself. Production never has such a set, but the reader must
 * not leave its bytes.
 */

#define VALID_HOST 1
#define ORIGINAL_REQUEST 2
#define FIRST_ANSWER 4
#define LAST_ANSWER 7

static void check_answer(struct str response, struct str request)
{
	struct wire_field field;
	unsigned answers = 0;

	CHECK(wire_is_valid(response));
	CHECK(str_equal(wire_find(response, ORIGINAL_REQUEST), request));
	CHECK(str_equal(wire_find(response, VALID_HOST), wire_find(request, 1)));
	while (wire_next(&response, &field))
		answers += field.number >= FIRST_ANSWER && field.number <= LAST_ANSWER;
	CHECK(answers == 1);
}

static void ask(struct str set, struct str request)
{
	struct buf response = { 0 };
	err_t err = reflection_answer(&response, set, request);

	CHECK(err == OK || err == ERR_INVALID_ARGUMENT);
	if (err == OK)
		check_answer(buf_str(&response), request);
	else
		CHECK(response.len == 0);
	buf_release(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str request = str_of(bytes, len);

	ask(str_of(proto_descriptor_set, proto_descriptor_set_len), request);
	CHECK(reflection_check(request) != OK || wire_is_valid(request));
	ask(request, request);
	return 0;
}
