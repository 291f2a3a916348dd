/* Two users, connected to two gateways, talk over HTTP; each message is shown with the time it took. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "tools/skeinctl/link.h"
#include "tools/skeinctl/skeinctl.h"

#define WAIT_MS 10000

static const char *const lines[] = {
	"Hi Bob, are you there?",
	"Yes! I am on the other gateway.",
	"So this went through PostgreSQL, Kafka and Redis?",
	"It did. Stored before you got your 200.",
	"And if a gateway dies now?",
	"Then I reconnect and read what I missed.",
	"Nice. See you in production.",
	"See you there.",
};

struct person {
	const char *name;
	char uid[32];
	char *token, *http, *ws;
	struct link *link;
};

static void sit_down(struct person *person, const char *name, unsigned index)
{
	char suffix[7];

	random_hex(suffix, sizeof(suffix) - 1);
	person->name = name;
	snprintf(person->uid, sizeof(person->uid), "%s-%s", index ? "bob" : "alice", suffix);
	person->token = make_token(person->uid, false, 3600000);
	person->http = setting_item("SKEIN_HTTP", index);
	person->ws = setting_item("SKEIN_WS", index);
	person->link = link_open(person->ws, person->token, "demo", "");
	json_t *hello = link_next(person->link, WAIT_MS, NULL);
	if (!hello)
		die("no hello from %s", person->ws);
	printf("  %-5s is %s, on %s\n", name, person->uid, json_string_value(json_object_get(hello, "node")));
	json_decref(hello);
}

static void stand_up(struct person *person)
{
	link_close(person->link);
	free(person->token);
	free(person->http);
	free(person->ws);
}

static uint64_t say(struct person *from, const struct person *to, const char *text, char msg_id[32])
{
	struct buf url = { 0 };
	uint64_t started = clock_mono_us();

	buf_printf(&url, "%s/v1/messages", from->http);
	json_t *stored = http_must("POST", buf_text(&url), from->token, text_message(to->uid, NULL, text));
	(void)str_copy(msg_id, 32, str_from(json_string_value(json_object_get(stored, "msg_id"))));
	json_decref(stored);
	buf_release(&url);
	return started;
}

/* Waits for that very message; returns when it came. */
static uint64_t hear(struct person *person, const char *msg_id)
{
	uint64_t at_us;

	for (;;) {
		json_t *frame = link_next(person->link, WAIT_MS, &at_us);
		if (!frame)
			die("message %s did not arrive within %d s", msg_id, WAIT_MS / 1000);
		const char *id = json_string_value(json_object_get(json_object_get(frame, "message"), "msg_id"));
		bool is_it = id && strcmp(id, msg_id) == 0;

		json_decref(frame);
		if (is_it)
			return at_us;
	}
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

int command_demo(struct args *args)
{
	uint64_t count, pause_ms = parse_duration(args_option(args, "--pause", "300ms"));
	struct person people[2];

	if (!str_to_u64(str_from(args_option(args, "--messages", "8")), &count) || count < 1 || count > 10000)
		die("--messages is a number from 1 to 10000");
	args_end(args);
	double *took_ms = calloc(count, sizeof(*took_ms));
	if (!took_ms)
		die("out of memory");
	printf("\nTwo people, two gateways:\n\n");
	sit_down(&people[0], "Alice", 0);
	sit_down(&people[1], "Bob", 1);
	printf("\n");
	for (uint64_t i = 0; i < count; i++) {
		struct person *from = &people[i % 2], *to = &people[(i + 1) % 2];
		const char *text = lines[i % ARRAY_LEN(lines)];
		struct timespec pause = { .tv_sec = (time_t)(pause_ms / 1000), .tv_nsec = (long)(pause_ms % 1000) * 1000000 };
		char msg_id[32];

		uint64_t started = say(from, to, text, msg_id);
		took_ms[i] = (double)(hear(to, msg_id) - started) / 1000;
		printf("  %-5s  %-50s  %6.2f ms\n", from->name, text, took_ms[i]);
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
	qsort(took_ms, count, sizeof(*took_ms), by_size);
	printf("\n  POST to WebSocket, stored in between: median %.2f ms, slowest %.2f ms\n\n", took_ms[count / 2],
	       took_ms[count - 1]);
	stand_up(&people[0]);
	stand_up(&people[1]);
	link_end();
	free(took_ms);
	return 0;
}
