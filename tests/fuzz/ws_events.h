#ifndef SKEIN_TESTS_FUZZ_WS_EVENTS_H
#define SKEIN_TESTS_FUZZ_WS_EVENTS_H

#include "base/macros.h"
#include "base/mem.h"
#include "base/text/utf8.h"
#include "base/ws/ws_reader.h"
#include "tests/fuzz/fuzz.h"

/*
* Checks for every stream of WebSocket frames, from either side; include it once, in a target. The stream gives the same
 * events whole and in pieces, each within its bounds, and the reader never holds more bytes than have come.
 */

#define MAX_EVENTS 256

struct ws_events {
	struct {
		enum ws_event what;
		uint16_t code;
		uint64_t hash;
	} list[MAX_EVENTS];
	size_t count;
};

static void check_ws_message(const struct ws_reader_rules *rules, enum ws_event what, const struct ws_message *message)
{
	bool is_data = what == WS_GOT_TEXT || what == WS_GOT_BINARY;

	CHECK(message->payload.len <= (is_data ? rules->max_message : WS_CONTROL_MAX));
	CHECK((what != WS_GOT_TEXT && what != WS_GOT_CLOSE) || utf8_is_valid(message->payload));
	CHECK(what != WS_GOT_CLOSE || message->payload.len <= WS_CONTROL_MAX - 2);
	CHECK((what == WS_GOT_VIOLATION) == (message->violation != NULL));
	CHECK(what == WS_GOT_CLOSE || what == WS_GOT_VIOLATION ? message->code >= 1000 && message->code < 5000 :
	                                                         message->code == 0);
}

/* One piece, in memory of its own: a read past its end is found, and it may be unmasked in place. */
static void feed_ws_reader(struct ws_reader *reader, struct str piece, struct ws_events *events)
{
	struct str copy = fuzz_exact(piece);
	char *at = (char *)copy.ptr;
	size_t len = copy.len;
	struct ws_message message;
	enum ws_event what;

	while ((what = ws_reader_take(reader, &at, &len, &message)) != WS_GOT_NOTHING) {
		check_ws_message(reader->rules, what, &message);
		if (events->count == MAX_EVENTS)
			continue;
		events->list[events->count].what = what;
		events->list[events->count].code = message.code;
		events->list[events->count++].hash = str_hash(message.payload);
	}
	CHECK(len == 0 && at == copy.ptr + copy.len);
	mem_free((void *)copy.ptr);
}

static void read_ws_in_steps(const struct ws_reader_rules *rules, struct str bytes, size_t step, struct ws_events *events)
{
	struct ws_reader reader = { .rules = rules };

	events->count = 0;
	for (size_t arrived = 0; arrived < bytes.len;) {
		size_t more = MIN(step, bytes.len - arrived);

		feed_ws_reader(&reader, str_of(bytes.ptr + arrived, more), events);
		arrived += more;
		CHECK(reader.kept.len <= MIN(arrived, rules->max_message + WS_CONTROL_MAX));
		CHECK(reader.kept.cap <= 2 * arrived + 64);
	}
	ws_reader_release(&reader);
}

static void check_ws_stream(const struct ws_reader_rules *rules, struct str bytes, size_t step)
{
	struct ws_events whole, pieces;

	read_ws_in_steps(rules, bytes, MAX(bytes.len, 1), &whole);
	read_ws_in_steps(rules, bytes, step, &pieces);
	CHECK(whole.count == pieces.count);
	for (size_t i = 0; i < whole.count; i++)
		CHECK(whole.list[i].what == pieces.list[i].what && whole.list[i].code == pieces.list[i].code &&
		      whole.list[i].hash == pieces.list[i].hash);
}

#endif
