#include "base/mem.h"
#include "base/text/utf8.h"
#include "libclient/ws.h"
#include "tests/fuzz/fuzz.h"

/*
 * What a server sends to the client library, whole and in pieces: the same events come of it, none reaches outside of what came,
 * and each text is one.
 */

#define MAX_EVENTS 256

struct events {
	struct {
		enum ws_event what;
		uint64_t hash;
	} list[MAX_EVENTS];
	size_t count;
};

static bool take_event(struct ws_reader *reader, struct str *in, struct events *events)
{
	struct str payload = STR("");
	unsigned code = 0;
	enum ws_event what = ws_read(reader, in, &payload, &code);

	if (what == WS_GOT_NOTHING)
		return false;
	CHECK(payload.len <= WS_MAX_MESSAGE && code <= 0xffff);
	CHECK(what != WS_GOT_TEXT || utf8_is_valid(payload));
	events->list[events->count].what = what;
	events->list[events->count++].hash = what == WS_GOT_NONSENSE ? 0 : str_hash(payload);
	return what != WS_GOT_NONSENSE && what != WS_GOT_CLOSE && events->count < MAX_EVENTS;
}

/* `step` bytes arrive at a time. */
static void read_in_steps(struct str bytes, size_t step, struct events *events)
{
	struct ws_reader reader = { 0 };
	struct str in = str_of(bytes.ptr, 0);

	events->count = 0;
	for (size_t arrived = 0; arrived < bytes.len;) {
		size_t more = MIN(step, bytes.len - arrived), before = events->count;

		arrived += more;
		in.len += more;
		while (take_event(&reader, &in, events))
			;
		CHECK(fuzz_is_inside(in, bytes));
		if (events->count > before && (events->list[events->count - 1].what == WS_GOT_NONSENSE ||
		                               events->list[events->count - 1].what == WS_GOT_CLOSE || events->count == MAX_EVENTS))
			break;
	}
	ws_reader_release(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str input = str_of(bytes, len);
	size_t step = 1 + fuzz_byte(&input) % 16;
	struct str exact = fuzz_exact(input), rest = exact;
	struct ws_answer answer;
	struct events whole, pieces;

	if (ws_take_answer(&rest, "dGhlIHNhbXBsZSBub25jZQ==", &answer))
		CHECK(answer.status < 1000 && fuzz_is_inside(rest, exact));
	read_in_steps(exact, MAX(exact.len, 1), &whole);
	read_in_steps(exact, step, &pieces);
	CHECK(whole.count == pieces.count);
	for (size_t i = 0; i < whole.count; i++)
		CHECK(whole.list[i].what == pieces.list[i].what && whole.list[i].hash == pieces.list[i].hash);
	mem_free((void *)exact.ptr);
	return 0;
}
