#ifndef SKEIN_TESTS_NET_WS_CLIENT_H
#define SKEIN_TESTS_NET_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A WebSocket client for tests: blocking, and able to send bytes that no real
 * client sends. Any error fails the test, and so does an expected byte that does
 * not arrive within CLIENT_TIMEOUT_S.
 */

#define CLIENT_TIMEOUT_S 20
#define CLIENT_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define CLIENT_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" /* the answer to that key in RFC 6455 */

/* An ordinary handshake; more fields may follow before the empty line. */
#define CLIENT_REQUEST(target) \
	"GET " target " HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " CLIENT_KEY "\r\n"

struct client {
	int fd;
	char *bytes; /* received: from `at` on, `len` of them were not looked at yet */
	size_t at, len, cap;
};

struct answer {
	int status;
	char head[2048];
	char body[2048];
};

struct frame {
	unsigned char first; /* FIN, RSV and opcode as they came */
	size_t len;
	char payload[70000]; /* terminated */
};

/* `source`: the address to come from, or NULL for 127.0.0.1; "::1" goes to that. `rcvbuf`: 0 for the default. */
void client_connect(struct client *client, uint16_t port, const char *source, int rcvbuf);
void client_close(struct client *client);

/* Sends a FIN and goes on reading. */
void client_hang_up(struct client *client);

/* Closes with a reset. */
void client_reset(struct client *client);

/* False if the server does not take it any more. */
bool client_send(struct client *client, const void *bytes, size_t len);
bool client_send_text(struct client *client, const char *text);

/* Connects and becomes a WebSocket; `fields` are further header fields or "". */
void client_open(struct client *client, uint16_t port, const char *fields);

void client_read_answer(struct client *client, struct answer *answer);

/* `first` is the first byte; masked. */
bool client_send_frame(struct client *client, unsigned char first, const void *payload, size_t len);

/* Only the header of a masked frame that announces `len`. */
bool client_send_header(struct client *client, unsigned char first, uint64_t len);

void client_read_frame(struct client *client, struct frame *frame);

/* A text frame with just that. */
void client_expect_text(struct client *client, const char *text);

/* A close frame with that code. */
void client_expect_close(struct client *client, uint16_t code);

/* Nothing more comes, and the connection ends, with a FIN or a reset. */
void client_expect_end(struct client *client);

/* True if bytes come within that time, or the end of the connection. */
bool client_has_input(struct client *client, int wait_ms);

/* Sends a whole request on a connection of its own and reads the answer, after which the server must hang up. */
void client_ask(uint16_t port, const char *request, struct answer *answer);

/* The request is refused with this status, and a problem of this code. */
void client_expect_refusal(uint16_t port, const char *request, int status, const char *code);

/* The head has this line. */
void answer_expect_field(const struct answer *answer, const char *line);

#endif
