#include "im/http/trace_context.h"

#include "base/macros.h"
#include "tests/fuzz/fuzz.h"

/* A traceparent is passed on to Kafka and gRPC unchanged, or not at all. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const size_t lengths[] = { 2, 32, 16, 2 };
	struct str header = str_of(bytes, len), passed = traceparent_or_none(header);
	struct str rest = passed;

	if (!passed.ptr)
		return 0;
	CHECK(passed.ptr == header.ptr && passed.len == header.len && len >= 55 && len <= 128);
	for (size_t i = 0; i < len; i++)
		CHECK(passed.ptr[i] > ' ' && passed.ptr[i] <= '~');
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		CHECK(str_cut(&rest, '-').len == lengths[i]);
	return 0;
}
