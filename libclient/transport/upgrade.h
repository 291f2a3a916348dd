#ifndef SKEIN_LIBCLIENT_TRANSPORT_UPGRADE_H
#define SKEIN_LIBCLIENT_TRANSPORT_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * The client's side of WebSocket's handshake (RFC 6455 section 4.1) as bytes in and bytes out: the request to upgrade, and
 * the server's answer. base/ws/ws_reader.h reads the bytes after it. Pure but for the random key.
 */

#define UPGRADE_KEY_LEN 24
#define UPGRADE_MAX_HEAD 8192

void upgrade_make_key(char key[UPGRADE_KEY_LEN + 1]);

/* `target` with its query, `token` for the Authorization header. */
void upgrade_put_request(struct buf *out, const char *host, const char *target, const char *token, const char *key);

struct upgrade_answer {
	unsigned status; /* 101: the connection is a WebSocket now. 0: not HTTP, or not the answer to this key. */
	uint64_t retry_after_ms;
};

/* Takes the answer off the beginning of `in`. False: it is not whole yet. */
bool upgrade_take_answer(struct str *in, const char *key, struct upgrade_answer *answer);

#endif
