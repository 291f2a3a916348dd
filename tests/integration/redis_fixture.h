#ifndef SKEIN_TESTS_REDIS_FIXTURE_H
#define SKEIN_TESTS_REDIS_FIXTURE_H

#include "servers.h"
#include "store/redis/redis.h"
#include "store_fixture.h"

/*
 * A Redis server of the program's own, a client on a worker of its own, and commands that must end exactly once and never
 * inside the call.
 */

#define REDIS_TIMEOUT_MS 1500

extern struct real_server redis_fixture_server;

/* The setup and teardown of a whole program: make and remove that server. */
int redis_fixture_make_server(void **state);
int redis_fixture_remove_server(void **state);

struct redis_fixture {
	struct worker worker;
	struct redis *redis;
	struct gauge *waiting;
	unsigned given, ended;
	unsigned ended_with[ERR_COUNT];
	bool is_in_call;
};

struct redis_call {
	struct redis_fixture *fixture;
	bool has_ended;
	err_t err;
	unsigned turn; /* how many calls ended before it */
	int64_t number; /* of an integer reply */
	char text[256]; /* of any other, cut and with a terminator */
	size_t text_len;
};

void redis_fixture_open(struct redis_fixture *f, const struct real_server *server, unsigned max_waiting);
void redis_fixture_open_empty(struct redis_fixture *f, unsigned max_waiting); /* on redis_fixture_server, emptied */
void redis_fixture_open_uri(struct redis_fixture *f, const char *uri, unsigned max_waiting);
void redis_fixture_close(struct redis_fixture *f);

/* A command of texts, ended by NULL. */
void redis_fixture_command(struct redis_fixture *f, struct redis_call *call, ...) __attribute__((sentinel));
void redis_fixture_give(struct redis_fixture *f, struct redis_call *call, const struct str *args, unsigned count);
void redis_fixture_eval(struct redis_fixture *f, struct redis_call *call, struct redis_script *script,
                        const struct str *keys, unsigned key_count, const struct str *args, unsigned arg_count);

/* Turns the loop until all is answered, or the client is up or down. */
void redis_fixture_turn(struct redis_fixture *f);
void redis_fixture_await_up(struct redis_fixture *f);
void redis_fixture_await_down(struct redis_fixture *f);

/* One command, waited for; the test fails if the command does. The first is of texts, ended by NULL. */
void redis_fixture_run(struct redis_fixture *f, ...) __attribute__((sentinel));
int64_t redis_fixture_number(struct redis_fixture *f, const char *command, const char *key);

/* The wait that push reports, as im reads it (cluster/push_load.h). */
unsigned redis_fixture_push_load(struct redis_fixture *f);

#endif
