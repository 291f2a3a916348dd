#ifndef SKEIN_TESTS_SERVERS_H
#define SKEIN_TESTS_SERVERS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Real servers for tests, each with a data folder of its own under $TMPDIR (or
 * /tmp) and a free port between 24000 and 24999: started, killed under the
 * client, paused, started again on the same data. They die with the test.
* Any failure ends the test and prints the server's log.
 */
enum real_kind { REAL_POSTGRES, REAL_REDIS, REAL_KAFKA };

struct real_server {
	enum real_kind kind;
	unsigned port;
	pid_t pid; /* 0 while it is down */
	char folder[128], log[160];
	char uri[96]; /* what a client connects to */
	const char *extra[2]; /* one more option of the server and its value, or NULL: set before starting it */
};

/* Makes the data folder and starts it. The kind (and `extra`) are set, the rest is zero. */
void real_server_make(struct real_server *server);

/* On the data that is there; ready when this returns. */
void real_server_start(struct real_server *server);

/* As above, but does not wait until it is ready. */
void real_server_launch(struct real_server *server);

void real_server_kill(struct real_server *server); /* SIGKILL, all its processes */
void real_server_stop(struct real_server *server); /* as an administrator would */
void real_server_pause(struct real_server *server); /* SIGSTOP, all its processes; none of them runs when this returns */
void real_server_continue(struct real_server *server);

/* Kills it if it is up, and removes its folder. */
void real_server_remove(struct real_server *server);

/* A port of that range that nobody listens on, for a server that the test plays. */
unsigned real_server_free_port(void);

/* So many of them, adjacent. Returns the first. */
unsigned real_server_free_ports(unsigned count);

/* CPU that its processes used, in microseconds. */
uint64_t real_server_cpu_us(const struct real_server *server);

#endif
