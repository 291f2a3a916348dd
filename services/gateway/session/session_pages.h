#ifndef SKEIN_GATEWAY_SESSION_SESSION_PAGES_H
#define SKEIN_GATEWAY_SESSION_SESSION_PAGES_H

#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"

/*
 * Missed messages, read from the connection's inbox through im, a page at a time
 * and one read at a time: when the client begins behind the head, when a hole
 * stays, when the window has room again, and when messages in flight are to be sent
 * again. A page goes through the sequencer like live messages. After three failed
 * tries the client gets `resync`. Thread: the session's worker.
 */

struct session;

/* The client has everything up to `offset`: it gets the messages after that, up to `head`, before all others. */
void session_catch_up(struct session *session, uint64_t offset, uint64_t head);

/* For struct inbox_reader: im's answer to the session's read. */
void session_take_page(struct session *session, err_t err, struct str response);

/* Repeats a read that failed, or gives one up that waited too long in line, when that is due. */
void session_watch_read(struct session *session, uint64_t now_ms);

#endif
