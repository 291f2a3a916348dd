#include "loop/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/telemetry/log.h"
#include "base/text/host_port.h"

#define BACKLOG 1024 /* connections that wait for accept(); the kernel lowers it to net.core.somaxconn */

err_t listener_open(int *fd, const char *address, bool shares_port)
{
	const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *where;
	struct host_port endpoint;
	int on = 1;

	if (!host_port_parse(str_from(address), &endpoint)) {
		log_error("cannot listen: the address is not of the form host:port", LOG_TEXT("address", address));
		return ERR_BAD_CONFIG;
	}
	int failed = getaddrinfo(endpoint.host, endpoint.port, &wanted, &where);
	if (failed) {
		log_error("cannot listen: the address does not resolve", LOG_TEXT("address", address),
		          LOG_TEXT("why", gai_strerror(failed)));
		return ERR_BAD_CONFIG;
	}
	*fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool listens = *fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	               (!shares_port || setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
	               bind(*fd, where->ai_addr, where->ai_addrlen) == 0 && listen(*fd, BACKLOG) == 0;
	if (!listens) {
		log_error("cannot listen", LOG_TEXT("address", address), LOG_TEXT("why", strerror(errno)));
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	freeaddrinfo(where);
	return listens ? OK : ERR_IO;
}

uint16_t listener_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} where = { 0 };
	socklen_t len = sizeof(where);

	if (getsockname(fd, &where.any, &len))
		return 0;
	return ntohs(where.any.sa_family == AF_INET6 ? where.v6.sin6_port : where.v4.sin_port);
}
