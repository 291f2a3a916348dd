#ifndef SKEIN_BENCH_LOOP_H
#define SKEIN_BENCH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Readiness of sockets and a schedule. There is one loop for the whole tool. */

struct watch {
	int fd;
	void (*ready)(struct watch *watch, bool can_read, bool can_write);
	bool wants_write;
};

void loop_add(struct watch *watch);
void loop_want_write(struct watch *watch, bool wants_write);
void loop_ignore(struct watch *watch); /* no events of it from here until it is removed */
void loop_remove(struct watch *watch); /* closes the socket */

uint64_t now_us(void);

/*
 * Runs until `is_done` says so or until_us has come; calls `tick` between rounds, which returns when it wants to be called
 * next at the latest.
 */
void loop_run(uint64_t until_us, uint64_t (*tick)(void *arg), bool (*is_done)(void *arg), void *arg);

/* Connects to 127.0.0.x:port, from 127.0.0.0 + `source` when that is not 0; the socket does not block from then on. */
int loop_connect(const char *host, int port, unsigned source);

/* The same; -1 when nobody listens there. */
int loop_try_connect(const char *host, int port, unsigned source);

/* The same without waiting: once it can be written to it is connected, or has its error. */
int loop_begin_connect(const char *host, int port, unsigned source);

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
