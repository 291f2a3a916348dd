#ifndef SKEIN_TESTS_HTTP_CLIENT_H
#define SKEIN_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A blocking HTTP client for tests, bare enough to misbehave. Everything gives
 * up after HTTP_PATIENCE_S, so that a server that hangs fails the test.
 */

#define HTTP_PATIENCE_S 10

struct reply {
	int status; /* 0: the connection ended without a whole one */
	char head[8192];
	char *body; /* terminated */
	size_t body_len;
};

/* A socket, or -1. */
int http_connect(uint16_t port);

bool http_send(int fd, const void *bytes, size_t len);
bool http_send_text(int fd, const char *text);

/* `has_body`: false after HEAD. Free the reply. */
void http_read_reply(int fd, struct reply *reply, bool has_body);

/* One request on a connection of its own. `request` is complete, with an empty line. Free the reply. */
void http_ask(uint16_t port, const char *request, struct reply *reply);

/* The value of a header, in `out`; NULL if it is not there. */
const char *reply_header(const struct reply *reply, const char *name, char *out, size_t size);

void reply_free(struct reply *reply);

/* Whether the server ends the connection without another byte. */
bool http_sees_end(int fd);

#endif
