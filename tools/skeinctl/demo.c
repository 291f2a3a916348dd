/* Two users, connected to two gateways, talk over HTTP; each message is shown with the time it took. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "libclient/skein_client.h"
#include "tools/skeinctl/verbs/verb.h"

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

struct talk {
	uv_loop_t loop;
	struct skein_net *net;
	char awaited[25]; /* the mark of the message under way */
	uint64_t heard_us; /* when that message came; 0: not yet */
	uv_timer_t patience; /* ends a wait, or a pause */
};

struct person {
	const char *name;
	char uid[32];
	struct skein_client *client;
	bool is_here;
	struct talk *talk;
};

static void demo_on_frame(struct skein_client *client, const json_t *frame, void *arg)
{
	struct person *person = arg;
	const char *type = json_string_value(json_object_get(frame, "type"));

	(void)client;
	if (person->is_here || strcmp(type, "hello") != 0)
		return;
	person->is_here = true;
	printf("  %-5s is %s, on %s\n", person->name, person->uid, json_string_value(json_object_get(frame, "node")));
}

/* A mark in the body names the message, because only the sender sees its client_msg_id. */
static void demo_on_message(struct skein_client *client, const struct skein_message *message, void *arg)
{
	struct person *person = arg;
	const char *mark = json_string_value(json_object_get(json_object_get(message->json, "body"), "mark"));

	(void)client;
	if (mark && strcmp(message->from, person->uid) != 0 && strcmp(mark, person->talk->awaited) == 0)
		person->talk->heard_us = clock_mono_us();
}

static void demo_on_sent(struct skein_client *client, const struct skein_sent *sent, void *arg)
{
	(void)client;
	(void)arg;
	if (sent->code && strcmp(sent->code, "closed") != 0)
		die("a message was refused: %s: %s", sent->code, sent->detail);
}

static void demo_sit_down(struct talk *talk, struct person *person, const char *name, unsigned index)
{
	char suffix[7];

	random_hex(suffix, sizeof(suffix) - 1);
	*person = (struct person){ .name = name, .talk = talk };
	snprintf(person->uid, sizeof(person->uid), "%s-%s", index ? "bob" : "alice", suffix);
	char *token = make_token(person->uid, false, 3600000, NULL);
	char *base = setting_item("SKEIN_HTTP", index), *gateway = setting_item("SKEIN_WS", index);
	const char *bases[] = { base };
	struct skein_options options = {
		.bases = bases,
		.base_count = 1,
		.gateway = gateway,
		.token = token,
		.device = "demo",
		.platform = "desktop",
		.on_message = demo_on_message,
		.on_frame = demo_on_frame,
		.on_sent = demo_on_sent,
		.arg = person,
	};
	person->client = skein_client_new(talk->net, &options);
	if (!person->client)
		die("SKEIN_HTTP or SKEIN_WS is no URL");
	free(gateway);
	free(base);
	free(token);
}

static void demo_on_impatience(uv_timer_t *timer)
{
	(void)timer;
	die("nothing came for %d s: are all of SKEIN_HTTP and SKEIN_WS up (make status)?", WAIT_MS / 1000);
}

/* Runs the loop until the condition is true. */
static void demo_await(struct talk *talk, bool (*is_true)(const void *arg), const void *arg)
{
	uv_timer_start(&talk->patience, demo_on_impatience, WAIT_MS, 0);
	while (!is_true(arg))
		uv_run(&talk->loop, UV_RUN_ONCE);
	uv_timer_stop(&talk->patience);
}

static void demo_on_rested(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static bool demo_is_here(const void *arg)
{
	return ((const struct person *)arg)->is_here;
}

static bool demo_is_heard(const void *arg)
{
	return ((const struct talk *)arg)->heard_us > 0;
}

/* Returns the time from the call until the other person has the message, in milliseconds. */
static double demo_say(struct talk *talk, const struct person *from, const struct person *to, const char *text)
{
	uint64_t started_us = clock_mono_us();

	random_hex(talk->awaited, 24);
	talk->heard_us = 0;
	json_t *message = json_pack("{s:s, s:{s:s}, s:s, s:{s:s, s:s}}", "client_msg_id", talk->awaited, "to", "user",
	                            to->uid, "type", "text", "body", "text", text, "mark", talk->awaited);
	if (!skein_client_send(from->client, message))
		die("cannot send");
	json_decref(message);
	demo_await(talk, demo_is_heard, talk);
	return (double)(talk->heard_us - started_us) / 1000;
}

static int demo_compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

int command_demo(const struct args *args)
{
	uint64_t count = args_number(args, "--messages", 8, 1, 10000);
	uint64_t pause_ms = parse_duration(args_value_or(args, "--pause", "300ms"));
	struct person people[2];
	struct talk talk;

	double *took_ms = calloc(count, sizeof(*took_ms));
	if (!took_ms)
		die("out of memory");
	printf("\nTwo people, two gateways:\n\n");
	uv_loop_init(&talk.loop);
	uv_timer_init(&talk.loop, &talk.patience);
	talk.net = skein_net_new(&talk.loop, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(people); i++) {
		demo_sit_down(&talk, &people[i], i ? "Bob" : "Alice", i);
		demo_await(&talk, demo_is_here, &people[i]);
	}
	printf("\n");
	for (uint64_t i = 0; i < count; i++) {
		struct person *from = &people[i % 2], *to = &people[(i + 1) % 2];
		const char *text = lines[i % ARRAY_LEN(lines)];

		took_ms[i] = demo_say(&talk, from, to, text);
		printf("  %-5s  %-50s  %6.2f ms\n", from->name, text, took_ms[i]);
		fflush(stdout);
		uv_timer_start(&talk.patience, demo_on_rested, pause_ms, 0);
		uv_run(&talk.loop, UV_RUN_DEFAULT);
	}
	qsort(took_ms, count, sizeof(*took_ms), demo_compare);
	printf("\n  POST to WebSocket, stored in between: median %.2f ms, slowest %.2f ms\n\n", took_ms[count / 2],
	       took_ms[count - 1]);
	skein_client_close(people[0].client, NULL, NULL);
	skein_client_close(people[1].client, NULL, NULL);
	uv_close((uv_handle_t *)&talk.patience, NULL);
	uv_run(&talk.loop, UV_RUN_DEFAULT);
	skein_net_close(talk.net, NULL, NULL);
	uv_run(&talk.loop, UV_RUN_DEFAULT);
	uv_loop_close(&talk.loop);
	free(took_ms);
	return 0;
}
