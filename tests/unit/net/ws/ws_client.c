#include "ws_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/ws/ws_reader.h"

static socklen_t fill_address(struct sockaddr_storage *out, const char *text, uint16_t port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	bool is_v6 = strchr(text, ':');

	*out = (struct sockaddr_storage){ .ss_family = is_v6 ? AF_INET6 : AF_INET };
	if (is_v6)
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
	v4->sin_port = htons(port); /* at the same place in both */
	return is_v6 ? sizeof(*v6) : sizeof(*v4);
}

void client_connect(struct client *client, uint16_t port, const char *source, int rcvbuf)
{
	struct timeval patience = { .tv_sec = CLIENT_TIMEOUT_S };
	struct sockaddr_storage address;
	int on = 1;

	const char *to = source && strchr(source, ':') ? source : "127.0.0.1";
	socklen_t len = fill_address(&address, to, port);
	*client = (struct client){ .fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_true(client->fd >= 0);
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (rcvbuf)
		setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	if (source) {
		struct sockaddr_storage from;
		socklen_t from_len = fill_address(&from, source, 0);
		assert_int_equal(bind(client->fd, (struct sockaddr *)&from, from_len), 0);
	}
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, len), 0);
}

void client_close(struct client *client)
{
	close(client->fd);
	free(client->bytes);
	*client = (struct client){ .fd = -1 };
}

void client_hang_up(struct client *client)
{
	shutdown(client->fd, SHUT_WR);
}

void client_reset(struct client *client)
{
	struct linger none = { .l_onoff = 1 };

	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	client_close(client);
}

bool client_send(struct client *client, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len) {
		ssize_t sent = send(client->fd, from, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		from += sent;
		len -= (size_t)sent;
	}
	return true;
}

bool client_send_text(struct client *client, const char *text)
{
	return client_send(client, text, strlen(text));
}

/* The received bytes that were not read yet. */
static const char *unread(const struct client *client)
{
	return client->bytes + client->at;
}

static void make_room(struct client *client)
{
	if (client->at) {
		memmove(client->bytes, client->bytes + client->at, client->len);
		client->at = 0;
	}
	if (client->cap - client->len >= 16384)
		return;
	client->cap = client->len + 65536;
	client->bytes = realloc(client->bytes, client->cap);
	assert_non_null(client->bytes);
}

/* True if something came, false at the end of the connection. */
static bool read_more(struct client *client)
{
	make_room(client);
	ssize_t len = recv(client->fd, client->bytes + client->len, client->cap - client->len, 0);
	if (len < 0 && errno == EAGAIN)
		fail_msg("nothing came within %d s", CLIENT_TIMEOUT_S);
	if (len <= 0)
		return false;
	client->len += (size_t)len;
	return true;
}

static void need(struct client *client, size_t len)
{
	while (client->len < len)
		if (!read_more(client))
			fail_msg("the connection ended with %zu of %zu bytes", client->len, len);
}

static void consume(struct client *client, size_t len)
{
	client->at += len;
	client->len -= len;
}

void client_read_answer(struct client *client, struct answer *answer)
{
	const char *end;

	while (!(end = client->len ? memmem(unread(client), client->len, "\r\n\r\n", 4) : NULL))
		if (!read_more(client))
			fail_msg("the connection ended before an answer");
	size_t head_len = (size_t)(end - unread(client)) + 4;
	assert_true(head_len < sizeof(answer->head));
	memcpy(answer->head, unread(client), head_len);
	answer->head[head_len] = '\0';
	consume(client, head_len);
	assert_memory_equal(answer->head, "HTTP/1.1 ", 9);
	answer->status = (int)strtol(answer->head + 9, NULL, 10);

	const char *field = strcasestr(answer->head, "\r\nContent-Length: ");
	size_t body_len = field ? strtoul(field + 18, NULL, 10) : 0;
	assert_true(body_len < sizeof(answer->body));
	need(client, body_len);
	if (body_len)
		memcpy(answer->body, unread(client), body_len);
	answer->body[body_len] = '\0';
	consume(client, body_len);
}

void client_open(struct client *client, uint16_t port, const char *fields)
{
	struct answer answer;

	client_connect(client, port, NULL, 0);
	assert_true(client_send_text(client, CLIENT_REQUEST("/ws")));
	assert_true(client_send_text(client, fields));
	assert_true(client_send_text(client, "\r\n"));
	client_read_answer(client, &answer);
	assert_int_equal(answer.status, 101);
	assert_non_null(strstr(answer.head, "\r\nSec-WebSocket-Accept: " CLIENT_ACCEPT "\r\n"));
}

static const unsigned char mask[WS_MASK_LEN] = { 0x11, 0x22, 0x33, 0x44 };

bool client_send_header(struct client *client, unsigned char first, uint64_t len)
{
	unsigned char header[WS_MASKED_HEADER_MAX];
	size_t header_len = ws_masked_frame_header(header, WS_TEXT, len, mask);

	header[0] = first;
	return client_send(client, header, header_len);
}

bool client_send_frame(struct client *client, unsigned char first, const void *payload, size_t len)
{
	struct buf frame = { 0 };

	ws_put_masked_frame(&frame, WS_TEXT, str_of(payload, len), mask);
	frame.ptr[0] = (char)first;
	bool is_sent = client_send(client, frame.ptr, frame.len);
	buf_release(&frame);
	return is_sent;
}

/* The first byte of an event's frame: the server fragments nothing. */
static unsigned char first_byte(enum ws_event event)
{
	static const enum ws_opcode opcodes[] = {
		[WS_GOT_TEXT] = WS_TEXT, [WS_GOT_BINARY] = WS_BINARY, [WS_GOT_PING] = WS_PING,
		[WS_GOT_PONG] = WS_PONG, [WS_GOT_CLOSE] = WS_CLOSE,
	};

	return (unsigned char)(0x80 | opcodes[event]);
}

void client_read_frame(struct client *client, struct frame *frame)
{
	static const struct ws_reader_rules of_server = { .sender = WS_SERVER, .max_message = sizeof(frame->payload) - 1 };
	struct ws_reader reader = { .rules = &of_server };
	struct ws_message message;
	enum ws_event event = WS_GOT_NOTHING;

	while (event == WS_GOT_NOTHING) {
		if (!client->len && !read_more(client))
			fail_msg("the connection ended instead of a frame");
		char *at = client->bytes + client->at;
		size_t len = client->len;
		event = ws_reader_take(&reader, &at, &len, &message);
		consume(client, client->len - len);
	}
	if (event == WS_GOT_VIOLATION)
		fail_msg("the server's frame is wrong: %s", message.violation);
	frame->first = first_byte(event);
	frame->len = 0;
	if (event == WS_GOT_CLOSE && message.code != WS_NO_CODE) {
		frame->payload[frame->len++] = (char)(message.code >> 8);
		frame->payload[frame->len++] = (char)message.code;
	}
	if (message.payload.len)
		memcpy(frame->payload + frame->len, message.payload.ptr, message.payload.len);
	frame->len += message.payload.len;
	frame->payload[frame->len] = '\0';
	ws_reader_release(&reader);
}

void client_expect_text(struct client *client, const char *text)
{
	struct frame *frame = malloc(sizeof(*frame));

	assert_non_null(frame);
	client_read_frame(client, frame);
	assert_int_equal(frame->first, 0x81);
	assert_string_equal(frame->payload, text);
	free(frame);
}

void client_expect_close(struct client *client, uint16_t code)
{
	struct frame *frame = malloc(sizeof(*frame));

	assert_non_null(frame);
	client_read_frame(client, frame);
	assert_int_equal(frame->first, 0x88);
	assert_true(frame->len >= 2);
	assert_int_equal((unsigned char)frame->payload[0] << 8 | (unsigned char)frame->payload[1], code);
	free(frame);
}

void client_expect_end(struct client *client)
{
	assert_int_equal(client->len, 0);
	if (read_more(client))
		fail_msg("something came instead of the end: %zu bytes, the first %02x", client->len,
		         (unsigned)(unsigned char)unread(client)[0]);
}

bool client_has_input(struct client *client, int wait_ms)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };

	return client->len || poll(&poll_fd, 1, wait_ms) == 1;
}

void client_ask(uint16_t port, const char *request, struct answer *answer)
{
	struct client client;

	client_connect(&client, port, NULL, 0);
	assert_true(client_send_text(&client, request));
	client_read_answer(&client, answer);
	client_expect_end(&client);
	client_close(&client);
}

void answer_expect_field(const struct answer *answer, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	if (!strstr(answer->head, whole))
		fail_msg("%s is missing in %s", line, answer->head);
}

void client_expect_refusal(uint16_t port, const char *request, int status, const char *code)
{
	struct answer answer;
	char member[128];

	client_ask(port, request, &answer);
	assert_int_equal(answer.status, status);
	answer_expect_field(&answer, "Content-Type: application/problem+json");
	answer_expect_field(&answer, "Connection: close");
	snprintf(member, sizeof(member), "\"type\":\"urn:skein:error:%s\"", code);
	assert_non_null(strstr(answer.body, member));
	snprintf(member, sizeof(member), "\"status\":%d", status);
	assert_non_null(strstr(answer.body, member));
	snprintf(member, sizeof(member), "\"code\":\"%s\"", code);
	assert_non_null(strstr(answer.body, member));
	assert_non_null(strstr(answer.body, "\"detail\":\""));
}
