#include "tests/fuzz/ws_events.h"

/*
* Bytes from a client to a server: masked frames, whole and in pieces. Any bytes that are written as a client's frame are
 * read back unchanged.
 */

static const struct ws_reader_rules rules = { .sender = WS_CLIENT, .max_message = 4096 };

static void check_round_trip(struct str payload, size_t step)
{
	static const unsigned char mask[WS_MASK_LEN] = { 0x00, 0x80, 0x55, 0xff };
	struct ws_events events;
	struct buf frame = { 0 };

	ws_put_masked_frame(&frame, WS_BINARY, payload, mask);
	read_ws_in_steps(&rules, buf_str(&frame), step, &events);
	CHECK(events.count == 1);
	if (payload.len <= rules.max_message)
		CHECK(events.list[0].what == WS_GOT_BINARY && events.list[0].hash == str_hash(payload));
	else
		CHECK(events.list[0].what == WS_GOT_VIOLATION && events.list[0].code == 1009);
	buf_release(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str input = str_of(bytes, len);
	size_t step = 1 + fuzz_byte(&input) % 16;

	check_ws_stream(&rules, input, step);
	check_round_trip(input, step);
	return 0;
}
