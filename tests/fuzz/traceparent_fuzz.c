#include "im/trace_context.h"
#include "tests/fuzz/fuzz.h"

/* A traceparent goes on to Kafka and gRPC as it came, or not at all. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str header = str_of(bytes, len), passed = traceparent_or_none(header);
	struct str rest = passed;

	if (!passed.ptr)
		return 0;
	CHECK(passed.ptr == header.ptr && passed.len == header.len && len >= 55 && len <= 128);
	for (size_t i = 0; i < len; i++)
		CHECK(passed.ptr[i] > ' ' && passed.ptr[i] <= '~');
	CHECK(str_cut(&rest, '-').len == 2 && str_cut(&rest, '-').len == 32);
	CHECK(str_cut(&rest, '-').len == 16 && str_cut(&rest, '-').len == 2);
	return 0;
}
