#ifndef SKEIN_GATEWAY_SESSION_SESSION_SHED_H
#define SKEIN_GATEWAY_SESSION_SESSION_SHED_H

/*
 * The limit on what all clients that do not read may cost the process (queue.stalled_bytes).
 * Thread: a worker's.
 */

struct session_home;

/*
 * Over the limit, sessions of this worker lose the messages that wait for them, and get a resync; those that have been stalled
 * for the longest are first. A session that has none, and still counts, is closed. Called at the end of each turn of the loop:
 * while nobody is stalled it costs a comparison.
 */
void session_shed_over_limit(struct session_home *home);

#endif
