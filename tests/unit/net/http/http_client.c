#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REPLY_MAX (64 * 1024 * 1024)

int http_connect(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = HTTP_PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

bool http_send(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		at += sent;
		len -= (size_t)sent;
	}
	return true;
}

bool http_send_text(int fd, const char *text)
{
	return http_send(fd, text, strlen(text));
}

const char *reply_header(const struct reply *reply, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	for (const char *line = strstr(reply->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		const char *start = line + 2;
		if (strncasecmp(start, name, len) || start[len] != ':')
			continue;
		start += len + 1;
		start += strspn(start, " ");
		snprintf(out, size, "%.*s", (int)strcspn(start, "\r\n"), start);
		return out;
	}
	return NULL;
}

void reply_free(struct reply *reply)
{
	free(reply->body);
	reply->body = NULL;
}

/* Reads the head byte by byte: what follows belongs to the body or to the next reply. */
static bool read_head(int fd, struct reply *reply)
{
	size_t len = 0;

	while (len < 4 || memcmp(reply->head + len - 4, "\r\n\r\n", 4)) {
		if (len == sizeof(reply->head) - 1 || recv(fd, reply->head + len, 1, 0) != 1)
			return false;
		reply->head[++len] = '\0';
	}
	return sscanf(reply->head, "HTTP/1.1 %d ", &reply->status) == 1;
}

void http_read_reply(int fd, struct reply *reply, bool has_body)
{
	char length[32];

	memset(reply, 0, sizeof(*reply));
	if (!read_head(fd, reply)) {
		reply->status = 0;
		return;
	}
	if (has_body && reply_header(reply, "Content-Length", length, sizeof(length)))
		reply->body_len = strtoul(length, NULL, 10);
	if (reply->body_len > REPLY_MAX)
		reply->body_len = REPLY_MAX;
	reply->body = calloc(1, reply->body_len + 1);
	for (size_t got = 0; got < reply->body_len;) {
		ssize_t n = recv(fd, reply->body + got, reply->body_len - got, 0);
		if (n <= 0) {
			reply->status = 0;
			return;
		}
		got += (size_t)n;
	}
}

bool http_sees_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

void http_ask(uint16_t port, const char *request, struct reply *reply)
{
	int fd = http_connect(port);

	memset(reply, 0, sizeof(*reply));
	if (fd < 0)
		return;
	if (http_send_text(fd, request))
		http_read_reply(fd, reply, strncmp(request, "HEAD", 4) != 0);
	close(fd);
}
