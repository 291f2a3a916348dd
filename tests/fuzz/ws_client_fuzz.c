#include "libclient/transport/upgrade.h"
#include "tests/fuzz/ws_events.h"

/* Bytes from a server to a client: the answer to the handshake, and frames, whole and in pieces. */

static const struct ws_reader_rules rules = { .sender = WS_SERVER, .max_message = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str input = str_of(bytes, len);
	size_t step = 1 + fuzz_byte(&input) % 16;
	struct str exact = fuzz_exact(input), rest = exact;
	struct upgrade_answer answer;

	if (upgrade_take_answer(&rest, "dGhlIHNhbXBsZSBub25jZQ==", &answer))
		CHECK(answer.status < 1000 && fuzz_is_inside(rest, exact));
	check_ws_stream(&rules, exact, step);
	mem_free((void *)exact.ptr);
	return 0;
}
