#ifndef SKEIN_LIBCLIENT_WS_H
#define SKEIN_LIBCLIENT_WS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"

/*
 * The client's side of WebSocket (RFC 6455) as bytes in and bytes out: text
 * messages, no extensions. Pure but for the random masks.
 */

#define WS_KEY_LEN 24
#define WS_MAX_MESSAGE (512 * 1024) /* a server's frame has 256 KiB at most */
#define WS_MAX_HEAD 8192

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* ---- the handshake ---- */

void ws_make_key(char key[WS_KEY_LEN + 1]);

/* `target` with its query, `token` for the Authorization header. */
void ws_put_request(struct buf *out, const char *host, const char *target, const char *token, const char *key);

struct ws_answer {
	unsigned status; /* 101: it is open now */
	uint64_t retry_after_ms;
};

/* Takes the answer off `in`. False: it is not whole yet. Status 0: it is none, or not one to this key. */
bool ws_take_answer(struct str *in, const char *key, struct ws_answer *answer);

/* ---- frames ---- */

void ws_put_frame(struct buf *out, enum ws_opcode opcode, struct str payload);
void ws_put_close(struct buf *out, unsigned code);

struct ws_reader {
	struct buf message; /* the fragments so far */
	bool is_fragmented;
};

enum ws_event {
	WS_GOT_NOTHING, /* no whole frame */
	WS_GOT_TEXT,
	WS_GOT_PING, /* payload is for the pong */
	WS_GOT_PONG,
	WS_GOT_CLOSE, /* code; 1005 when there is none */
	WS_GOT_NONSENSE, /* not WebSocket, or not what a server may send */
};

void ws_reader_release(struct ws_reader *reader);

/* Takes the next thing off `in`; `payload` is valid until the next call. */
enum ws_event ws_read(struct ws_reader *reader, struct str *in, struct str *payload, unsigned *code);

#endif
