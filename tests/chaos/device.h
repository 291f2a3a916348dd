#ifndef SKEIN_TESTS_CHAOS_DEVICE_H
#define SKEIN_TESTS_CHAOS_DEVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "libclient/skein_client.h"

/*
 * One device of a user: an application over libclient that keeps what a program keeps on its disk (the state that on_state told
 * it to store, and the sends that have no answer), is killed now and then and comes back with that, sometimes with an older copy.
 *
 * A life is the time from skein_client_new() to the kill. What a life begins with is known exactly: the life whose state was
 * stored, and how many of its messages that state counts as taken. From there on the checker knows which messages must come.
 */

struct conversation {
	const char *id;
	uint64_t last; /* the highest seq that any device has seen or was told */
};

/* A send without an answer. */
struct unsent {
	struct unsent *next;
	json_t *message;
	bool was_given; /* given to the present life */
};

/* The content of the disk: the state, and the life that it comes from. */
struct stored_state {
	char *text;
	unsigned life;
	uint64_t taken;
};

enum habit {
	HABIT_STEADY, /* stays, and takes messages at once: its deliveries are timed */
	HABIT_RESTARTS, /* is killed now and then */
	HABIT_SLOW, /* takes messages explicitly, late, and sometimes very late */
	HABIT_AWAY, /* is offline now and then */
};

struct world;

struct device {
	struct world *world;
	struct user *user;
	char *name, *history_name; /* "phone", "uid/phone" */
	enum habit habit;
	struct skein_client *client; /* NULL: the program does not run */
	bool is_closing;
	bool was_up; /* in some life */
	unsigned life;
	uint64_t handed, taken; /* in this life */
	uint64_t last_delivery;
	struct stored_state stored, older;
	uint64_t older_ms; /* when `older` was put aside */
	struct unsent *unsent, **unsent_end;
	size_t unsent_count;
	uint64_t next_ms; /* of its habit; of its start, while it does not run */
	uint64_t take_ms; /* HABIT_SLOW: when it takes next */
	uint64_t *last; /* handed over, of each of the user's conversations */
};

struct user {
	char *uid, *token;
	json_t *slots; /* conversation id -> place in `conversations` */
	struct conversation **conversations;
	json_t *recipients; /* the `to` of a send, of those that it sends to: the first ones */
	uint64_t *owed; /* of the others: the last message that the user has to get */
	size_t conversation_count;
	struct device *devices;
	size_t device_count;
};

struct world {
	uv_loop_t loop;
	struct skein_net *net;
	const char *bases[8];
	size_t base_count;
	FILE *history;
	uint64_t random;
	bool is_calm; /* the run ends soon: no kills any more, and all devices take */
	bool is_ending;
	size_t open; /* clients that are not gone yet */
	uint64_t sent, answered, refused, handed, kills;
};

uint64_t world_random_below(struct world *world, uint64_t bound);
uint64_t wall_ms(void);

/* Begins its first life. Names and user are set. */
void device_start(struct device *device);

/* Does what is due. Called about 20 times a second. */
void device_tick(struct device *device, uint64_t now_ms);

/* Sends it, now or in its next life; the reference is the device's. */
void device_send(struct device *device, json_t *message, const char *conversation_id);

/* For good. */
void device_end(struct device *device);

#endif
