/*
* An application over libclient for tests/integration/libclient_*test.py. `client_driver OPTIONS` starts clients on one loop,
 * runs commands from JSON lines on stdin, and writes events as JSON lines to stdout. It links what an application links.
 *
 *   OPTIONS  {"clients": 1, "bases": [...], "device": "d", "state": "..."; the rest as in struct skein_options}
 *   in       {"do": "send", "message": {...}} {"do": "frame", "frame": {...}} {"do": "token", "token": "..."}
 *            {"do": "taken", "delivery": 3} {"do": "state"} {"do": "close"}; "client": 0 selects one, default the first
 *   out      {"on": "message", "delivery": 3, "message": {...}} {"on": "status", "status": "up", "reason": 0} {"on": "frame"}
 *            {"on": "sent", ...} {"on": "token_needed"} {"on": "state_changed"} {"on": "state", "state": "..."}
 *            {"on": "accepted", "is": true} {"on": "closed"}; "client" is its number
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/skein_client.h"

#define MAX_CLIENTS 1000
#define MAX_LINE 200000

struct driver {
	uv_loop_t loop;
	uv_pipe_t in;
	struct skein_net *net;
	struct user {
		struct skein_client *client;
		unsigned index;
	} users[MAX_CLIENTS];
	unsigned count, open;
	char line[MAX_LINE];
	size_t len;
	int close_at; /* close the client in the callback of this delivery */
};

static struct driver driver;

static void say(const struct user *user, json_t *what)
{
	json_object_set_new(what, "client", json_integer(user->index));
	json_dumpf(what, stdout, JSON_COMPACT);
	printf("\n");
	fflush(stdout);
	json_decref(what);
}

/* ---- callbacks ---- */

static void on_closed(void *arg)
{
	say(arg, json_pack("{s:s}", "on", "closed"));
	if (--driver.open)
		return;
	skein_net_close(driver.net, NULL, NULL);
	uv_close((uv_handle_t *)&driver.in, NULL);
}

static void close_user(struct user *user)
{
	if (user->client)
		skein_client_close(user->client, on_closed, user);
	user->client = NULL;
}

static void on_message(struct skein_client *client, const struct skein_message *message, void *arg)
{
	(void)client;
	say(arg, json_pack("{s:s, s:I, s:O}", "on", "message", "delivery", (json_int_t)message->delivery, "message",
	                   message->json));
	if (driver.close_at && message->delivery == (uint64_t)driver.close_at)
		close_user(arg);
}

static void on_state(struct skein_client *client, void *arg)
{
	char *state = skein_client_state(client);

	say(arg, json_pack("{s:s, s:s}", "on", "state_changed", "state", state));
	free(state);
}

static void on_status(struct skein_client *client, enum skein_status status, enum skein_reason reason, void *arg)
{
	static const char *const names[] = { "connecting", "up", "waiting", "tokenless", "ended" };

	(void)client;
	say(arg, json_pack("{s:s, s:s, s:i}", "on", "status", "status", names[status], "reason", reason));
}

static void on_token_needed(struct skein_client *client, void *arg)
{
	(void)client;
	say(arg, json_pack("{s:s}", "on", "token_needed"));
}

static void on_sent(struct skein_client *client, const struct skein_sent *sent, void *arg)
{
	(void)client;
	say(arg, json_pack("{s:s, s:s, s:s*, s:s*, s:I, s:b}", "on", "sent", "client_msg_id", sent->client_msg_id, "code",
	                   sent->code, "msg_id", sent->msg_id, "seq", (json_int_t)sent->seq, "duplicate", sent->is_duplicate));
}

static void on_frame(struct skein_client *client, const json_t *frame, void *arg)
{
	(void)client;
	say(arg, json_pack("{s:s, s:O}", "on", "frame", "frame", frame));
}

/* ---- commands ---- */

static void obey(const json_t *command)
{
	struct user *user = &driver.users[json_integer_value(json_object_get(command, "client"))];
	const char *what = json_string_value(json_object_get(command, "do"));

	if (!user->client)
		return;
	if (strcmp(what, "close") == 0) {
		close_user(user);
	} else if (strcmp(what, "token") == 0) {
		skein_client_set_token(user->client, json_string_value(json_object_get(command, "token")));
	} else if (strcmp(what, "taken") == 0) {
		skein_client_taken(user->client, (uint64_t)json_integer_value(json_object_get(command, "delivery")));
	} else if (strcmp(what, "state") == 0) {
		char *state = skein_client_state(user->client);

		say(user, json_pack("{s:s, s:s}", "on", "state", "state", state));
		free(state);
	} else {
		bool is_send = strcmp(what, "send") == 0;
		bool is = is_send ? skein_client_send(user->client, json_object_get(command, "message")) :
		                    skein_client_frame(user->client, json_object_get(command, "frame"));

		say(user, json_pack("{s:s, s:b}", "on", "accepted", "is", is));
	}
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(driver.line + driver.len, (unsigned)(MAX_LINE - driver.len));
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	(void)buf;
	if (got < 0) { /* the test is over */
		uv_read_stop(stream);
		for (unsigned i = 0; i < driver.count; i++)
			close_user(&driver.users[i]);
		return;
	}
	driver.len += (size_t)got;
	for (char *end; (end = memchr(driver.line, '\n', driver.len));) {
		size_t len = (size_t)(end - driver.line) + 1;
		json_t *command = json_loadb(driver.line, len, 0, NULL);

		obey(command);
		json_decref(command);
		driver.len -= len;
		memmove(driver.line, driver.line + len, driver.len);
	}
}

/* ---- start ---- */

static unsigned number(const json_t *options, const char *name)
{
	return (unsigned)json_integer_value(json_object_get(options, name));
}

static bool flag(const json_t *options, const char *name)
{
	return json_is_true(json_object_get(options, name));
}

static const char *text(const json_t *options, const char *name)
{
	return json_string_value(json_object_get(options, name));
}

static bool start(const json_t *json, unsigned index)
{
	struct user *user = &driver.users[index];
	const json_t *list = json_object_get(json, "bases");
	const char *bases[8] = { 0 };
	char device[64];

	snprintf(device, sizeof(device), "%s%u", text(json, "device"), index);
	for (size_t i = 0; i < json_array_size(list); i++)
		bases[i] = json_string_value(json_array_get(list, i));
	struct skein_options options = {
		.bases = bases,
		.base_count = json_array_size(list),
		.gateway = text(json, "gateway"),
		.token = text(json, "token"),
		.device = device,
		.platform = "bot",
		.state = text(json, "state"),
		.on_message = on_message,
		.on_state = on_state,
		.on_status = on_status,
		.on_token_needed = flag(json, "never_asks_for_a_token") ? NULL : on_token_needed,
		.on_sent = on_sent,
		.on_frame = on_frame,
		.arg = user,
		.takes_explicitly = flag(json, "takes_explicitly"),
		.never_acks = flag(json, "never_acks"),
		.starts_from_oldest = flag(json, "starts_from_oldest"),
		.returns_when_replaced = flag(json, "returns_when_replaced"),
		.unknown_history = number(json, "unknown_history"),
		.ack_every = number(json, "ack_every"),
		.ack_after_ms = number(json, "ack_after_ms"),
		.ping_after_ms = number(json, "ping_after_ms"),
		.pong_within_ms = number(json, "pong_within_ms"),
		.open_within_ms = number(json, "open_within_ms"),
		.request_within_ms = number(json, "request_within_ms"),
		.stable_after_ms = number(json, "stable_after_ms"),
		.max_held = number(json, "max_held"),
		.max_untaken = number(json, "max_untaken"),
		.max_sends = number(json, "max_sends"),
	};
	user->index = index;
	user->client = skein_client_new(driver.net, &options);
	return user->client;
}

int main(int argc, char **argv)
{
	json_t *options = argc == 2 ? json_loads(argv[1], 0, NULL) : NULL;

	if (!options)
		return 2;
	uv_loop_init(&driver.loop);
	uv_pipe_init(&driver.loop, &driver.in, 0);
	uv_pipe_open(&driver.in, 0);
	uv_read_start((uv_stream_t *)&driver.in, give_room, on_input);
	driver.net = skein_net_new(&driver.loop, text(options, "ca_file"));
	driver.count = driver.open = json_object_get(options, "clients") ? number(options, "clients") : 1;
	driver.close_at = (int)number(options, "close_at");
	for (unsigned i = 0; i < driver.count && i < MAX_CLIENTS; i++)
		if (!start(options, i))
			return 3;
	json_decref(options);
	uv_run(&driver.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&driver.loop) ? 4 : 0; /* a handle was left open */
}
