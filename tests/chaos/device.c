#include "tests/chaos/device.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND 1000

uint64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000000;
}

/* xorshift: a run repeats its choices with its seed, as far as the cluster lets it. */
uint64_t world_random_below(struct world *world, uint64_t bound)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random % bound;
}

static uint64_t between(struct world *world, uint64_t least, uint64_t most)
{
	return least + world_random_below(world, most - least);
}

/* ---- history: README.md has the format ---- */

static void note(const struct device *device, const char *event)
{
	fprintf(device->world->history, "%lu %s %s\n", wall_ms(), device->history_name, event);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

/* The hash covers the fields that every device must see alike. */
static uint32_t hash_message(const char *from, const char *type, const json_t *body)
{
	const char *text = json_string_value(json_object_get(body, "text"));
	uint64_t hash = hash_text(14695981039346656037u, from);

	hash = hash_text(hash, type);
	hash = hash_text(hash, text && json_object_size(body) == 1 ? text : "\x01");
	return (uint32_t)(hash ^ hash >> 32);
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* ---- the disk ---- */

static void keep(struct stored_state *stored, const struct device *device, char *text)
{
	free(stored->text);
	*stored = (struct stored_state){ .text = text, .life = device->life, .taken = device->taken };
}

/* Now and then a copy is kept, to start from an old backup later. */
static void put_aside(struct device *device)
{
	uint64_t now_ms = wall_ms();

	if (!device->stored.text || now_ms < device->older_ms + 10 * SECOND)
		return;
	free(device->older.text);
	device->older = device->stored;
	device->stored.text = NULL;
	device->older_ms = now_ms;
}

static void on_state(struct skein_client *client, void *arg)
{
	struct device *device = arg;

	put_aside(device);
	keep(&device->stored, device, skein_client_state(client));
}

/* ---- messages ---- */

static void on_message(struct skein_client *client, const struct skein_message *message, void *arg)
{
	struct device *device = arg;
	struct user *user = device->user;
	const json_t *slot = json_object_get(user->slots, message->conversation_id);
	const char *key = text_of(message->json, "client_msg_id");
	(void)client;

	device->handed++;
	device->last_delivery = message->delivery;
	if (device->habit != HABIT_SLOW)
		device->taken = device->handed;
	device->world->handed++;
	fprintf(device->world->history, "%lu %s M %s %lu %s %08x %s\n", wall_ms(), device->history_name,
	        message->conversation_id, message->seq, message->msg_id,
	        hash_message(message->from, message->type, json_object_get(message->json, "body")), key ? key : "-");
	if (slot) {
		struct conversation *conversation = user->conversations[json_integer_value(slot)];

		device->last[json_integer_value(slot)] = message->seq;
		if (message->seq > conversation->last)
			conversation->last = message->seq;
	}
}

static void take(struct device *device)
{
	device->taken = device->handed;
	skein_client_taken(device->client, device->last_delivery);
}

/* ---- sends ---- */

static void give(struct device *device, struct unsent *unsent)
{
	const json_t *body = json_object_get(unsent->message, "body");
	const char *key = text_of(unsent->message, "client_msg_id");

	unsent->was_given = skein_client_send(device->client, unsent->message);
	if (unsent->was_given)
		fprintf(device->world->history, "%lu %s S %s %08x\n", wall_ms(), device->history_name, key,
		        hash_message(device->user->uid, "text", body));
}

void device_send(struct device *device, json_t *message, const char *conversation_id)
{
	struct unsent *unsent = calloc(1, sizeof(*unsent));

	unsent->message = message;
	*device->unsent_end = unsent;
	device->unsent_end = &unsent->next;
	device->unsent_count++;
	device->world->sent++;
	fprintf(device->world->history, "%lu %s W %s %s\n", wall_ms(), device->history_name,
	        text_of(message, "client_msg_id"), conversation_id);
	if (device->client)
		give(device, unsent);
}

static void forget(struct device *device, const char *key)
{
	for (struct unsent **at = &device->unsent; *at; at = &(*at)->next) {
		struct unsent *unsent = *at;

		if (strcmp(text_of(unsent->message, "client_msg_id"), key) != 0)
			continue;
		*at = unsent->next;
		if (!*at)
			device->unsent_end = at;
		json_decref(unsent->message);
		free(unsent);
		device->unsent_count--;
		return;
	}
}

static void on_sent(struct skein_client *client, const struct skein_sent *sent, void *arg)
{
	struct device *device = arg;
	struct user *user = device->user;
	const json_t *slot = sent->conversation_id ? json_object_get(user->slots, sent->conversation_id) : NULL;
	bool is_closed = sent->code && strcmp(sent->code, "closed") == 0;
	(void)client;

	if (is_closed)
		return; /* it is sent again in the next life */
	fprintf(device->world->history, "%lu %s A %s %s %s %lu %s %d\n", wall_ms(), device->history_name,
	        sent->client_msg_id, sent->code ? sent->code : "ok", sent->conversation_id ? sent->conversation_id : "-",
	        sent->seq, sent->msg_id ? sent->msg_id : "-", sent->is_duplicate);
	if (sent->code)
		device->world->refused++;
	else
		device->world->answered++;
	if (slot && sent->seq > user->conversations[json_integer_value(slot)]->last)
		user->conversations[json_integer_value(slot)]->last = sent->seq;
	forget(device, sent->client_msg_id);
}

/* ---- lives ---- */

static void on_status(struct skein_client *client, enum skein_status status, enum skein_reason reason, void *arg)
{
	static const char *const names[] = { "connecting", "up", "waiting", "tokenless", "ended" };
	struct device *device = arg;
	(void)client;

	fprintf(device->world->history, "%lu %s U %s %d\n", wall_ms(), device->history_name, names[status], reason);
	device->was_up = device->was_up || status == SKEIN_UP;
}

void device_start(struct device *device)
{
	struct world *world = device->world;
	const struct skein_options options = {
		.bases = world->bases,
		.base_count = world->base_count,
		.token = device->user->token,
		.device = device->name,
		.platform = "bot",
		.state = device->stored.text,
		.on_message = on_message,
		.on_state = on_state,
		.on_status = on_status,
		.on_sent = on_sent,
		.arg = device,
		.takes_explicitly = device->habit == HABIT_SLOW,
		/* Notices a lost connection sooner than by default, like a phone that changes networks. */
		.ping_after_ms = 5 * SECOND,
		.pong_within_ms = 5 * SECOND,
		.request_within_ms = 8 * SECOND,
		.returns_when_replaced = true, /* the connection of its last life may seem the newer one for a moment */
		.max_untaken = 200,
	};

	device->life++;
	device->handed = device->taken = 0;
	fprintf(world->history, "%lu %s L %u %u %lu %d\n", wall_ms(), device->history_name, device->life, device->stored.life,
	        device->stored.taken, device->habit);
	device->client = skein_client_new(world->net, &options);
	if (!device->client) {
		fprintf(stderr, "%s: its own state is not taken\n", device->history_name);
		exit(3);
	}
	world->open++;
	device->next_ms = wall_ms() + between(world, 5 * SECOND, 60 * SECOND);
	for (struct unsent *unsent = device->unsent; unsent; unsent = unsent->next)
		give(device, unsent);
}

static void on_closed(void *arg)
{
	struct device *device = arg;

	device->is_closing = false;
	device->world->open--;
}

static void kill_program(struct device *device, uint64_t away_ms)
{
	device->is_closing = true;
	device->next_ms = wall_ms() + away_ms;
	skein_client_close(device->client, on_closed, device);
	device->client = NULL;
	note(device, "X");
	device->world->kills++;
	for (struct unsent *unsent = device->unsent; unsent; unsent = unsent->next)
		unsent->was_given = false;
}

/* As after a restored backup: the next life begins where the older copy was made. */
static void restore_older(struct device *device)
{
	if (!device->older.text)
		return;
	free(device->stored.text);
	device->stored = device->older;
	device->older.text = NULL;
}

/* How often a device acts by its habit. */
static void live(struct device *device)
{
	struct world *world = device->world;

	switch (device->habit) {
	case HABIT_RESTARTS:
	case HABIT_SLOW:
		kill_program(device, between(world, 1, SECOND));
		if (world_random_below(world, 4) == 0)
			restore_older(device);
		break;
	case HABIT_AWAY:
		kill_program(device, between(world, 2 * SECOND, 25 * SECOND));
		break;
	case HABIT_STEADY:
		device->next_ms = UINT64_MAX;
		break;
	}
}

static void take_in_time(struct device *device, uint64_t now_ms)
{
	struct world *world = device->world;

	if (now_ms < device->take_ms && !world->is_calm)
		return;
	if (device->taken < device->handed)
		take(device);
	device->take_ms = now_ms + (world_random_below(world, 20) ? between(world, 50, 2 * SECOND) :
	                                                            between(world, 5 * SECOND, 20 * SECOND));
}

static void give_what_waits(struct device *device)
{
	for (struct unsent *unsent = device->unsent; unsent; unsent = unsent->next)
		if (!unsent->was_given)
			give(device, unsent);
}

void device_tick(struct device *device, uint64_t now_ms)
{
	if (device->world->is_ending)
		return;
	if (!device->client) {
		if (!device->is_closing && (now_ms >= device->next_ms || device->world->is_calm))
			device_start(device);
		return;
	}
	if (device->was_up && !device->stored.text)
		keep(&device->stored, device, skein_client_state(device->client));
	if (device->habit == HABIT_SLOW)
		take_in_time(device, now_ms);
	give_what_waits(device);
	if (now_ms >= device->next_ms && device->stored.text && !device->world->is_calm)
		live(device);
}

void device_end(struct device *device)
{
	if (device->client)
		kill_program(device, 0);
}
