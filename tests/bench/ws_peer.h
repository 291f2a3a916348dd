#ifndef SKEIN_BENCH_WS_PEER_H
#define SKEIN_BENCH_WS_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/ws/ws_reader.h"
#include "tests/bench/loop.h"

#define WS_NOBODY (-1) /* nobody listens there */

/* A WebSocket client that reads JSON frames, acknowledges messages and answers pings. */
struct ws_peer {
	struct watch watch;
	struct buf in; /* the part of the handshake's answer that has come */
	struct buf out; /* the handshake, until it is connected */
	struct ws_reader reader;
	uint64_t acked_us;
	unsigned unacked; /* messages */
	char offset[21]; /* of the last one */
	bool is_upgraded, is_greeted; /* hello came */
	/* A text frame, valid during the call. */
	void (*frame)(struct ws_peer *peer, struct str text);
	/*
	 * The connection ended: with the close code, 0 without one, WS_NOBODY, or the HTTP status of a refused handshake. If it
	 * is NULL, a close or a refusal ends the tool, and lost connections are counted. During the call only `arg` and `index`
	 * of the peer may be used.
	 */
	void (*closed)(struct ws_peer *peer, int code);
	void *arg;
	unsigned index;
};

/* `more`: what follows in the query. Dies with the tool if it is refused; connections that are lost later are counted
 * in ws_peers_lost. */
void ws_peer_open(struct ws_peer *peer, const char *host, int port, unsigned source, struct str token, const char *device,
                  const char *more);
/* The same without waiting for the connection; false when nobody listens there, which `closed` may tell later, too. */
bool ws_peer_try_open(struct ws_peer *peer, const char *host, int port, unsigned source, struct str token, const char *device,
                      const char *more);
void ws_peer_close(struct ws_peer *peer);

extern unsigned ws_peers_lost;

#endif
