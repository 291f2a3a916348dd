#ifndef SKEIN_NET_WS_WS_CONN_H
#define SKEIN_NET_WS_WS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"

/* A connection after its upgrade, as its handlers use it. Thread: the worker's. */

struct ws_conn;

/*
 * The answer to handlers.ask, once. OK upgrades, and `opened` follows from inside. Otherwise the client gets
 * err_http_status() and a problem document with `detail` (may be NULL), and `closed` follows from inside. The session may be
 * gone afterwards in any case.
 */
void ws_admit(struct ws_conn *conn, err_t err, const char *detail);

/*
 * Writes whole frames (any number of them, encoded with base/ws/ws_frame.h) in one system call. The socket takes about
 * 16 KiB more than it can send; further bytes are copied. Then the connection is blocked: write nothing more until
 * `writable`, because further bytes are copied too, without a bound. ERR_CLOSED when the connection is closing or
 * broken. Calls no handler.
 */
err_t ws_write(struct ws_conn *conn, const void *frames, size_t len) MUST_CHECK;
bool ws_is_blocked(const struct ws_conn *conn);

/* Bytes of a blocked connection that were written and that its peer has not taken: here and in the kernel. A system call. */
size_t ws_held_bytes(const struct ws_conn *conn);

/* Sends a ping. Its payload, at most 125 bytes, comes back in the pong. */
void ws_ping(struct ws_conn *conn, struct str payload);

/*
 * Sends a close frame and nothing after it. Drops the connection when the peer answers or close_timeout_ms is over.
 * Idempotent.
 */
void ws_close(struct ws_conn *conn, uint16_t code, const char *reason);

/* Resets the connection at once, without a close frame. `closed` follows on a later turn. Idempotent. */
void ws_drop(struct ws_conn *conn);

void *ws_session(struct ws_conn *conn);
unsigned ws_subprotocol(const struct ws_conn *conn);

/* The peer's address, without port. In memory of the server, until the next call. */
struct str ws_address(const struct ws_conn *conn);

#endif
