#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libclient/skein_client.h"
#include "tools/skeinctl/verbs/verb.h"

struct listener {
	struct skein_client *client; /* NULL when it is closing */
	struct skein_net *net;
	uv_signal_t interrupt;
	const char *uid;
	const char *state_file; /* NULL: the state is not stored */
	uint64_t left; /* messages to print; 0: all */
	bool as_json;
};

/* ---- printing ---- */

static const char *listen_field(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static void listen_print_message(const struct skein_message *message)
{
	const json_t *body = json_object_get(message->json, "body");
	time_t seconds = (time_t)(message->time_ms / 1000);
	char *body_text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct buf line = { 0 };
	char when[16];
	struct tm tm;

	strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&seconds, &tm));
	const char *text = *listen_field(body, "text") ? listen_field(body, "text") : body_text ? body_text : message->type;
	(void)visible_append(&line, str_from(text), COLUMNS_UNBOUNDED);
	printf("%s  %s #%llu  %s: %s\n", when, message->conversation_id, (unsigned long long)message->seq, message->from,
	       buf_text(&line));
	buf_release(&line);
	free(body_text);
}

/* ---- the state, in a file ---- */

static char *listen_read_state(const char *path)
{
	FILE *file = path ? fopen(path, "r") : NULL;
	struct buf text = { 0 };
	char chunk[4096];

	if (path && !file && errno != ENOENT)
		die("%s: %s", path, strerror(errno));
	for (size_t len; file && (len = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		buf_append(&text, chunk, len);
	if (file && ferror(file))
		die("%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	(void)buf_text(&text);
	return buf_take(&text);
}

/* Writes a new file and renames it, so that a crash leaves a whole state. */
static void listen_write_state(const struct listener *listener)
{
	char *state = listener->state_file ? skein_client_state(listener->client) : NULL;
	struct buf beside = { 0 };

	if (!state)
		return;
	buf_printf(&beside, "%s.new", listener->state_file);
	FILE *file = fopen(buf_text(&beside), "w");
	if (!file || fputs(state, file) < 0 || fclose(file) || rename(buf_text(&beside), listener->state_file))
		die("%s: %s", listener->state_file, strerror(errno));
	buf_release(&beside);
	free(state);
}

/* ---- events ---- */

static void listen_on_closed(void *arg)
{
	struct listener *listener = arg;

	uv_close((uv_handle_t *)&listener->interrupt, NULL);
	skein_net_close(listener->net, NULL, NULL);
}

static void listen_stop(struct listener *listener)
{
	if (!listener->client)
		return;
	listen_write_state(listener);
	skein_client_close(listener->client, listen_on_closed, listener);
	listener->client = NULL;
}

static void listen_on_interrupt(uv_signal_t *interrupt, int number)
{
	(void)number;
	listen_stop(interrupt->data);
}

static void listen_on_message(struct skein_client *client, const struct skein_message *message, void *arg)
{
	struct listener *listener = arg;

	if (listener->as_json)
		visible_print_json(message->json);
	else
		listen_print_message(message);
	fflush(stdout);
	skein_client_taken(client, message->delivery);
	if (listener->left && --listener->left == 0)
		listen_stop(listener);
}

static void listen_on_frame(struct skein_client *client, const json_t *frame, void *arg)
{
	const struct listener *listener = arg;

	(void)client;
	if (!listener->as_json && strcmp(listen_field(frame, "type"), "hello") == 0)
		printf("connected to %s as %s (epoch %s, head %s)\n", listen_field(frame, "node"),
		       listen_field(frame, "uid"), listen_field(frame, "epoch"), listen_field(frame, "head"));
	else
		visible_print_json(frame);
	fflush(stdout);
}

static void listen_on_status(struct skein_client *client, enum skein_status status, enum skein_reason reason, void *arg)
{
	(void)client;
	(void)arg;
	if (status == SKEIN_WAITING)
		fprintf(stderr, "skeinctl: not connected, trying again\n");
	else if (status == SKEIN_ENDED)
		die(reason == SKEIN_REPLACED ? "the same device connected somewhere else" : "the server refuses this client");
}

static void listen_on_state(struct skein_client *client, void *arg)
{
	(void)client;
	listen_write_state(arg);
}

static void listen_on_token_needed(struct skein_client *client, void *arg)
{
	const struct listener *listener = arg;
	char *token = make_token(listener->uid, false, 86400000, NULL);

	fprintf(stderr, "skeinctl: the server refuses the token, making another: is SKEIN_JWT_SECRET the cluster's?\n");
	skein_client_set_token(client, token);
	free(token);
}

/* ---- the command ---- */

static void listen_run(struct listener *listener, struct skein_options *options)
{
	uv_loop_t loop;

	uv_loop_init(&loop);
	listener->net = skein_net_new(&loop, NULL);
	listener->client = skein_client_new(listener->net, options);
	if (!listener->client)
		die("SKEIN_HTTP, --device, --gateway, --epoch, --offset or the state is not valid");
	listener->interrupt.data = listener;
	uv_signal_init(&loop, &listener->interrupt);
	uv_signal_start(&listener->interrupt, listen_on_interrupt, SIGINT);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
}

int command_listen(const struct args *args)
{
	struct listener listener = { .uid = args_value(args, "--uid"), .as_json = args->as_json };
	const char *device = args_value_or(args, "--device", "skeinctl"), *gateway = args_value(args, "--gateway");
	const char *epoch = args_value(args, "--epoch"), *offset = args_value(args, "--offset");

	listener.state_file = args_value(args, "--state");
	listener.left = args_number(args, "--count", 0, 0, UINT64_MAX);
	if (!epoch != !offset)
		die_of_usage("listen: --epoch and --offset go together");
	char *token = make_token(listener.uid, false, 86400000, NULL), *base = setting_item("SKEIN_HTTP", 0);
	json_t *position = epoch ? json_pack("{s:{}, s:s, s:s}", "conversations", "epoch", epoch, "offset", offset) : NULL;
	char *state = position ? json_dumps(position, JSON_COMPACT) : listen_read_state(listener.state_file);
	const char *bases[] = { base };
	struct skein_options options = {
		.bases = bases,
		.base_count = 1,
		.gateway = gateway,
		.token = token,
		.device = device,
		.platform = "desktop",
		.state = state,
		.on_message = listen_on_message,
		.on_state = listen_on_state,
		.on_status = listen_on_status,
		.on_token_needed = listen_on_token_needed,
		.on_frame = listen_on_frame,
		.arg = &listener,
		.takes_explicitly = true, /* so that the last message, too, is taken only when it is printed */
	};
	listen_run(&listener, &options);
	json_decref(position);
	free(state);
	free(base);
	free(token);
	return 0;
}
