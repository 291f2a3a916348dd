#ifndef SKEIN_GATEWAY_SESSION_SESSION_TIMER_H
#define SKEIN_GATEWAY_SESSION_SESSION_TIMER_H

#include <stdint.h>

#include "base/timer_wheel.h"

/*
 * All deadlines of a session in one timer, armed for the earliest: opening, the
 * token's end, the client's silence, the next ping, holes, reads and acks.
 * Thread: the session's worker.
 */

struct session;

/*
 * When to ping a connection next, at most `heartbeat_ms` from now. Many connections share a time, a share of the heartbeat
 * apart from the next one: their pings leave in one turn of the loop, and their pongs come back together.
 */
uint64_t session_timer_next_ping(uint64_t now_ms, uint64_t heartbeat_ms);

/* im was asked before the upgrade: `impatient` is called when it has not answered within a second. */
void session_timer_ask(struct session *session, uint64_t now_ms, void (*impatient)(struct timer *timer));

/* The session has opened: arms its timer. */
void session_timer_start(struct session *session, uint64_t now_ms);

/* The wall clock was set: the token may expire sooner, or later, than the timer was armed for. */
void session_clock_was_set(struct session *session);

#endif
