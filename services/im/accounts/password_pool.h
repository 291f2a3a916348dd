#ifndef SKEIN_IM_ACCOUNTS_PASSWORD_POOL_H
#define SKEIN_IM_ACCOUNTS_PASSWORD_POOL_H

#include "base/telemetry/metrics.h"
#include "im/accounts/password.h"
#include "loop/worker.h"

/*
 * Hashes passwords on libuv's threads, limits.password_hashes at once. More are refused, so that a flood of logins neither
 * takes much memory nor keeps the threads busy for minutes. Thread of the functions and callbacks: the worker's.
 */

/* For the caller of a request that is refused because too many wait. */
#define PASSWORDS_REFUSAL "too many registrations and logins at once"

struct password_pool {
	struct worker *worker;
	const int64_t *max; /* may change */
	unsigned waiting;
	struct counter *taken, *refused;
};

/* `labels` are those of its metrics. */
void password_pool_init(struct password_pool *passwords, struct worker *worker, const int64_t *max, const char *labels);

/* ERR_UNAVAILABLE when too many wait; else `done` follows. The password is copied, and wiped afterwards. */
err_t password_pool_hash(struct password_pool *passwords, struct str password, void (*done)(void *arg, const char *text),
                         void *arg) MUST_CHECK;

/* An empty `text` (there is no such user) takes as long, and does not match. */
err_t password_pool_match(struct password_pool *passwords, struct str text, struct str password,
                          void (*done)(void *arg, bool matches), void *arg) MUST_CHECK;

#endif
