#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/telemetry/log.h"
#include "base/text/str.h"

#define BACKLOG 1024 /* connections that wait for accept(); the kernel lowers it to net.core.somaxconn */

/* "host:port" taken apart. */
struct endpoint {
	char host[256];
	char port[6];
};

static bool listener_split(const char *address, struct endpoint *out)
{
	const char *colon = strrchr(address, ':');
	struct str host;
	uint64_t port;

	if (!colon)
		return false;
	host = str_of(address, (size_t)(colon - address));
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_of(host.ptr + 1, host.len - 2);
	else if (host.len && memchr(host.ptr, ':', host.len))
		return false; /* IPv6 without brackets */
	return host.len && str_copy(out->host, sizeof(out->host), host) &&
	       str_to_u64(str_from(colon + 1), &port) && port <= UINT16_MAX &&
	       str_copy(out->port, sizeof(out->port), str_from(colon + 1));
}

err_t listener_open(int *fd, const char *address, bool shares_port)
{
	const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *where;
	struct endpoint endpoint;
	int on = 1;

	if (!listener_split(address, &endpoint)) {
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
