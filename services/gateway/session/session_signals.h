#ifndef SKEIN_GATEWAY_SESSION_SESSION_SIGNALS_H
#define SKEIN_GATEWAY_SESSION_SESSION_SIGNALS_H

/*
 * The client's `read`, `typing` and `watch` frames. The first two are passed on to im, which answers with an error or with
 * nothing to tell: then `ok` is written if the frame has a rid. `typing` frames that come too often (typing.interval) are
 * dropped silently. Thread: the session's worker.
 */

struct client_frame;
struct session;

/* Unanswered `read` and `typing` frames of all sessions of the process. Bounds the load on im, and the memory for them. */
#define GATEWAY_SIGNALS_MAX 20000

void session_read_mark(struct session *session, const struct client_frame *frame);
void session_typing(struct session *session, const struct client_frame *frame);

/* Replaces what the connection watches, and answers `ok`. */
void session_watch(struct session *session, const struct client_frame *frame);

#endif
