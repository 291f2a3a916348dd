#ifndef SKEIN_GATEWAY_SESSION_SESSION_PAGES_H
#define SKEIN_GATEWAY_SESSION_SESSION_PAGES_H

#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"

/*
 * What a connection has missed, read from its inbox through im, a page at a time
 * and one read at a time: when it begins behind the head, when a hole stays, when
 * its window has room again, and when what is in flight is to be sent again. A
 * page goes through the sequencer like live records. Three tries, then `resync`.
 * Thread: the session's worker.
 */

struct session;

/* The client said that it has everything up to `offset`: it gets what is after it, up to `head`, before anything else. */
void session_catch_up(struct session *session, uint64_t offset, uint64_t head);

/* For struct inbox_reader: im's answer to the session's read. */
void session_take_page(struct session *session, err_t err, struct str response);

/* The next try of a read that failed, or the end of one that waited too long in line. */
void session_watch_read(struct session *session, uint64_t now_ms);

#endif
