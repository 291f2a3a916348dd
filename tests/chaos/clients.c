/*
 * The clients of a chaos run: `chaos_clients PLAN HISTORY` plays all devices of PLAN on one loop, over libclient, and writes what
 * happens to each to HISTORY. It links what an application would link. The harness (tests/chaos/chaos) talks to it in lines:
 *
 *   PLAN     {"bases": [...], "seed": 1, "rate": 100, "users": [{"uid", "token", "devices": ["phone"],
 *            "conversations": [{"id": "g:1", "to": {"group": "1"}}], "passing": [{"id": "g:2"}]}]}; `passing`: groups that the
 *            user comes to and goes from; it sends nothing to them
 *   stdin    go (send, live) | calm (no more sends, no kills; everybody takes) | last CONVERSATION SEQ (what there is) |
 *            owed UID CONVERSATION SEQ (of a passing one, what this user has to get) | end
 *   stdout   once a second {"devices", "up_once", "sent", "answered", "refused", "unanswered", "handed", "behind", "kills"};
 *            `behind` counts pairs of device and conversation that do not have everything
 *
 * README.md has the format of the history.
 */

#include <stdlib.h>
#include <string.h>

#include "tests/chaos/device.h"

#define TICK_MS 50
#define REPORT_TICKS 20
#define MAX_LINE 4096

struct clients {
	struct world world;
	uv_pipe_t in;
	uv_timer_t tick;
	unsigned ticks;
	json_t *plan;
	json_t *places; /* conversation id -> place in `conversations` */
	struct conversation *conversations;
	struct user *users;
	size_t user_count;
	double rate, owed; /* sends a second, and those that are due */
	bool is_sending;
	uint64_t sent;
	char line[MAX_LINE];
	size_t len;
};

static struct clients clients;

/* ---- making the world ---- */

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	if (!text) {
		fprintf(stderr, "the plan has something without \"%s\"\n", name);
		exit(2);
	}
	return text;
}

static void find_places(const json_t *list)
{
	size_t i;
	const json_t *conversation;

	json_array_foreach(list, i, conversation)
	{
		const char *id = text_of(conversation, "id");

		if (!json_object_get(clients.places, id))
			json_object_set_new(clients.places, id, json_integer((json_int_t)json_object_size(clients.places)));
	}
}

static void count_conversations(const json_t *users)
{
	size_t i;
	const json_t *user;

	clients.places = json_object();
	json_array_foreach(users, i, user)
	{
		find_places(json_object_get(user, "conversations"));
		find_places(json_object_get(user, "passing"));
	}
	clients.conversations = calloc(json_object_size(clients.places), sizeof(struct conversation));
}

static struct conversation *conversation_of(const char *id)
{
	const json_t *place = json_object_get(clients.places, id);

	return place ? &clients.conversations[json_integer_value(place)] : NULL;
}

static void add_conversation(struct user *user, const char *id)
{
	size_t slot = user->conversation_count++;

	user->conversations[slot] = conversation_of(id);
	user->conversations[slot]->id = id;
	json_object_set_new(user->slots, id, json_integer((json_int_t)slot));
}

static void take_conversations(struct user *user, const json_t *list, const json_t *passing)
{
	size_t i, count = json_array_size(list) + json_array_size(passing);
	const json_t *item;

	user->conversations = calloc(count, sizeof(struct conversation *));
	user->owed = calloc(count, sizeof(uint64_t));
	user->slots = json_object();
	user->recipients = json_array();
	json_array_foreach(list, i, item)
	{
		add_conversation(user, text_of(item, "id"));
		json_array_append(user->recipients, json_object_get(item, "to"));
	}
	json_array_foreach(passing, i, item)
		add_conversation(user, text_of(item, "id"));
}

static void take_device(struct user *user, struct device *device, const char *name, unsigned number)
{
	char full[160];

	snprintf(full, sizeof(full), "%s/%s", user->uid, name);
	device->world = &clients.world;
	device->user = user;
	device->name = strdup(name);
	device->history_name = strdup(full);
	device->habit = (enum habit)(number % 4);
	device->unsent_end = &device->unsent;
	device->last = calloc(user->conversation_count + 1, sizeof(uint64_t)); /* a user may have none */
}

static void make_users(const json_t *list)
{
	unsigned number = 0;

	clients.user_count = json_array_size(list);
	clients.users = calloc(clients.user_count, sizeof(struct user));
	for (size_t i = 0; i < clients.user_count; i++) {
		const json_t *item = json_array_get(list, i), *devices = json_object_get(item, "devices");
		struct user *user = &clients.users[i];

		user->uid = strdup(text_of(item, "uid"));
		user->token = strdup(text_of(item, "token"));
		take_conversations(user, json_object_get(item, "conversations"), json_object_get(item, "passing"));
		user->device_count = json_array_size(devices);
		user->devices = calloc(user->device_count, sizeof(struct device));
		for (size_t d = 0; d < user->device_count; d++)
			take_device(user, &user->devices[d], json_string_value(json_array_get(devices, d)), number++);
	}
}

static void each_device(void (*what)(struct device *device, void *arg), void *arg)
{
	for (size_t i = 0; i < clients.user_count; i++)
		for (size_t d = 0; d < clients.users[i].device_count; d++)
			what(&clients.users[i].devices[d], arg);
}

/* ---- sending ---- */

static void send_one(void)
{
	struct world *world = &clients.world;
	struct user *user = &clients.users[world_random_below(world, clients.user_count)];
	size_t at = world_random_below(world, json_array_size(user->recipients));
	char key[40], text[400];
	int padding = (int)world_random_below(world, 200);

	clients.sent++;
	snprintf(key, sizeof(key), "k%lu", clients.sent);
	snprintf(text, sizeof(text), "message %lu of %s %.*s", clients.sent, user->uid, padding,
	         "................................................................................................"
	         "........................................................................................................");
	json_t *message = json_pack("{s:s, s:O, s:s, s:{s:s}}", "client_msg_id", key, "to",
	                            json_array_get(user->recipients, at), "type", "text", "body", "text", text);
	device_send(&user->devices[world_random_below(world, user->device_count)], message, user->conversations[at]->id);
}

static void send_what_is_due(void)
{
	if (!clients.is_sending)
		return;
	for (clients.owed += clients.rate * TICK_MS / 1000; clients.owed >= 1; clients.owed--)
		send_one();
}

/* ---- reporting ---- */

struct sums {
	size_t devices, up_once, unanswered, behind;
};

static void add_up(struct device *device, void *arg)
{
	struct sums *sums = arg;
	const struct user *user = device->user;

	sums->devices++;
	sums->up_once += device->was_up && device->stored.text;
	sums->unanswered += device->unsent_count;
	for (size_t i = 0; i < user->conversation_count; i++)
		sums->behind += device->last[i] <
		                (i < json_array_size(user->recipients) ? user->conversations[i]->last : user->owed[i]);
}

static void report(void)
{
	const struct world *world = &clients.world;
	struct sums sums = { 0 };

	each_device(add_up, &sums);
	printf("{\"devices\": %zu, \"up_once\": %zu, \"sent\": %lu, \"answered\": %lu, \"refused\": %lu, \"unanswered\": %zu, "
	       "\"handed\": %lu, \"behind\": %zu, \"kills\": %lu}\n",
	       sums.devices, sums.up_once, world->sent, world->answered, world->refused, sums.unanswered, world->handed,
	       sums.behind, world->kills);
	fflush(stdout);
	fflush(world->history);
}

static void tick_device(struct device *device, void *arg)
{
	device_tick(device, *(const uint64_t *)arg);
}

static void on_net_closed(void *arg)
{
	(void)arg;
	uv_close((uv_handle_t *)&clients.tick, NULL);
}

static void on_tick(uv_timer_t *timer)
{
	uint64_t now_ms = wall_ms();
	(void)timer;

	send_what_is_due();
	each_device(tick_device, &now_ms);
	if (++clients.ticks % REPORT_TICKS == 0)
		report();
	if (clients.world.is_ending && !clients.world.open && clients.world.net) {
		skein_net_close(clients.world.net, on_net_closed, NULL);
		clients.world.net = NULL;
	}
}

/* ---- commands ---- */

static void end_device(struct device *device, void *arg)
{
	(void)arg;
	device_end(device);
}

static void end(void)
{
	if (clients.world.is_ending)
		return;
	clients.world.is_ending = true;
	each_device(end_device, NULL);
	uv_close((uv_handle_t *)&clients.in, NULL);
}

static void learn_last(const char *arguments)
{
	char id[200];
	unsigned long last;

	if (sscanf(arguments, "%199s %lu", id, &last) != 2)
		return;
	struct conversation *conversation = conversation_of(id);
	if (conversation && last > conversation->last)
		conversation->last = last;
}

static void learn_owed(const char *arguments)
{
	char uid[80], id[200];
	unsigned long owed;

	if (sscanf(arguments, "%79s %199s %lu", uid, id, &owed) != 3)
		return;
	for (size_t i = 0; i < clients.user_count; i++) {
		struct user *user = &clients.users[i];
		const json_t *slot = json_object_get(user->slots, id);

		if (slot && strcmp(user->uid, uid) == 0)
			user->owed[json_integer_value(slot)] = owed;
	}
}

static void obey(const char *line)
{
	if (strcmp(line, "go") == 0) {
		clients.is_sending = true;
		clients.world.is_calm = false;
	} else if (strcmp(line, "calm") == 0) {
		clients.is_sending = false;
		clients.world.is_calm = true;
	} else if (strncmp(line, "last ", 5) == 0) {
		learn_last(line + 5);
	} else if (strncmp(line, "owed ", 5) == 0) {
		learn_owed(line + 5);
	} else if (strcmp(line, "end") == 0) {
		end();
	}
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(clients.line + clients.len, (unsigned)(MAX_LINE - clients.len));
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	(void)stream;
	(void)buf;
	if (got < 0) { /* the harness is gone */
		end();
		return;
	}
	clients.len += (size_t)got;
	for (char *end_of_line; (end_of_line = memchr(clients.line, '\n', clients.len));) {
		size_t len = (size_t)(end_of_line - clients.line) + 1;

		*end_of_line = '\0';
		obey(clients.line);
		clients.len -= len;
		memmove(clients.line, clients.line + len, clients.len);
	}
}

/* ---- start ---- */

static void start_device(struct device *device, void *arg)
{
	(void)arg;
	device_start(device);
}

static void take_plan(const char *file)
{
	struct world *world = &clients.world;
	const json_t *bases;

	clients.plan = json_load_file(file, 0, NULL);
	if (!clients.plan) {
		fprintf(stderr, "%s is no plan\n", file);
		exit(2);
	}
	bases = json_object_get(clients.plan, "bases");
	for (; world->base_count < json_array_size(bases) && world->base_count < 8; world->base_count++)
		world->bases[world->base_count] = json_string_value(json_array_get(bases, world->base_count));
	world->random = (uint64_t)json_integer_value(json_object_get(clients.plan, "seed")) * 2654435761u + 88172645463325252u;
	clients.rate = json_number_value(json_object_get(clients.plan, "rate"));
	count_conversations(json_object_get(clients.plan, "users"));
	make_users(json_object_get(clients.plan, "users"));
	world->is_calm = true;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: chaos_clients PLAN HISTORY\n");
		return 2;
	}
	take_plan(argv[1]);
	clients.world.history = fopen(argv[2], "w");
	if (!clients.world.history) {
		perror(argv[2]);
		return 2;
	}
	setvbuf(clients.world.history, NULL, _IOFBF, 1 << 20);
	uv_loop_init(&clients.world.loop);
	clients.world.net = skein_net_new(&clients.world.loop, NULL);
	uv_pipe_init(&clients.world.loop, &clients.in, 0);
	uv_pipe_open(&clients.in, 0);
	uv_read_start((uv_stream_t *)&clients.in, give_room, on_input);
	uv_timer_init(&clients.world.loop, &clients.tick);
	uv_timer_start(&clients.tick, on_tick, TICK_MS, TICK_MS);
	each_device(start_device, NULL);
	uv_run(&clients.world.loop, UV_RUN_DEFAULT);
	report();
	return fclose(clients.world.history) ? 4 : 0;
}
