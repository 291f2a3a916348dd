#ifndef SKEIN_GATEWAY_SESSION_SESSION_FRAMES_H
#define SKEIN_GATEWAY_SESSION_SESSION_FRAMES_H

#include <stdint.h>

#include "gateway/wire/server_frame.h"

/*
 * Frames that the gateway makes for one client. A frame that does not fit into the
 * queue closes the connection; a frame for a session that is not LIVE is dropped.
 * The texts are copied. Thread: the session's worker.
 */

struct opening;
struct session;

void session_write_frame(struct session *session, const Skein__V1__ServerFrame *frame);

void session_write_hello(struct session *session, const struct opening *opening);
void session_write_error(struct session *session, const char *rid, const char *code, const char *message);
void session_write_ok(struct session *session, const char *rid);
void session_write_resync(struct session *session, uint64_t epoch);
void session_write_sync_more(struct session *session, uint64_t next_offset);
void session_write_reconnect(struct session *session, uint64_t after_ms, const char *url); /* url NULL: any gateway */
void session_write_pong(struct session *session);

#endif
