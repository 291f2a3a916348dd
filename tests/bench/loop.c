#include "tests/bench/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"

static int epoll = -1;

_Noreturn void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	exit(1);
}

uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void control(int operation, struct watch *watch)
{
	struct epoll_event event = {
		.events = EPOLLIN | (watch->wants_write ? EPOLLOUT : 0),
		.data.ptr = watch,
	};

	if (epoll_ctl(epoll, operation, watch->fd, &event))
		fail("epoll_ctl: %s", strerror(errno));
}

void loop_add(struct watch *watch)
{
	if (epoll < 0)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	control(EPOLL_CTL_ADD, watch);
}

void loop_want_write(struct watch *watch, bool wants_write)
{
	if (watch->wants_write == wants_write)
		return;
	watch->wants_write = wants_write;
	control(EPOLL_CTL_MOD, watch);
}

void loop_ignore(struct watch *watch)
{
	control(EPOLL_CTL_DEL, watch);
}

void loop_remove(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	close(watch->fd);
	watch->fd = -1;
}

static void wait_for_events(uint64_t wake_us)
{
	struct epoll_event events[256];
	uint64_t now = now_us();
	uint64_t wait_us = wake_us <= now ? 0 : MIN(wake_us - now, 1000000);
	/* Exact to a microsecond without spinning, which would take a core from the servers. */
	const struct timespec timeout = { .tv_sec = (time_t)(wait_us / 1000000), .tv_nsec = (long)(wait_us % 1000000) * 1000 };
	int count = epoll_pwait2(epoll, events, 256, &timeout, NULL);

	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;
		uint32_t is = events[i].events;

		if (watch->fd >= 0)
			watch->ready(watch, is & (EPOLLIN | EPOLLERR | EPOLLHUP), is & EPOLLOUT);
	}
}

void loop_run(uint64_t until_us, uint64_t (*tick)(void *arg), bool (*is_done)(void *arg), void *arg)
{
	if (epoll < 0)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	while (now_us() < until_us && !is_done(arg)) {
		uint64_t wake_us = tick ? tick(arg) : UINT64_MAX;

		wait_for_events(wake_us < until_us ? wake_us : until_us);
	}
}

/* A socket and where it is to go; bound to 127.0.0.0 plus `source`, if that is not 0. */
static int new_socket(struct sockaddr_in *to, const char *host, int port, unsigned source)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u | source) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (inet_pton(AF_INET, host, &to->sin_addr) != 1)
		fail("%s is no IPv4 address", host);
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (source) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
			fail("bind to a source address: %s", strerror(errno));
	}
	return fd;
}

static void set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		fail("fcntl: %s", strerror(errno));
}

int loop_try_connect(const char *host, int port, unsigned source)
{
	struct sockaddr_in to;
	int fd = new_socket(&to, host, port, source);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		if (errno != ECONNREFUSED && errno != ECONNRESET)
			fail("connect to %s:%d: %s", host, port, strerror(errno));
		close(fd);
		return -1;
	}
	set_nonblocking(fd);
	return fd;
}

int loop_begin_connect(const char *host, int port, unsigned source)
{
	struct sockaddr_in to;
	int fd = new_socket(&to, host, port, source);

	set_nonblocking(fd);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS)
		return fd;
	if (errno != ECONNREFUSED && errno != ECONNRESET)
		fail("connect to %s:%d: %s", host, port, strerror(errno));
	close(fd);
	return -1;
}

int loop_connect(const char *host, int port, unsigned source)
{
	int fd = loop_try_connect(host, port, source);

	if (fd < 0)
		fail("connect to %s:%d: nobody listens", host, port);
	return fd;
}
