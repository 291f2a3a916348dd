#include "gateway/router/advertised.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "base/text/str.h"

struct wildcard {
	struct str prefix; /* of grpc.listen */
	int family;
};

static bool advertised_is_of_this_machine_alone(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		uint32_t v4 = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);

		return v4 >> 24 == 127 || v4 >> 16 == (169u << 8 | 254);
	}
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

	return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_LINKLOCAL(v6);
}

/* Appends the first address of the host that other machines may know. */
static bool advertised_append_address(struct buf *out, const char *host, int family)
{
	const struct addrinfo wanted = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found, *at;
	char text[INET6_ADDRSTRLEN];

	if (getaddrinfo(host, NULL, &wanted, &found) != 0)
		return false;
	for (at = found; at && advertised_is_of_this_machine_alone(at->ai_addr); at = at->ai_next)
		;
	bool is_known = at && getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0;

	if (is_known)
		buf_printf(out, at->ai_family == AF_INET6 ? "[%s]" : "%s", text);
	freeaddrinfo(found);
	return is_known;
}

void advertised_write(struct buf *out, const char *advertise, const char *listen, const char *host)
{
	static const struct wildcard wildcards[] = { { STR("0.0.0.0:"), AF_INET }, { STR("[::]:"), AF_UNSPEC } };
	struct str address = str_from(*advertise ? advertise : listen);

	for (size_t i = 0; i < ARRAY_LEN(wildcards) && !*advertise && *host; i++) {
		struct str prefix = wildcards[i].prefix;

		if (!str_starts_with(address, prefix))
			continue;
		if (!advertised_append_address(out, host, wildcards[i].family))
			buf_append_text(out, host);
		buf_printf(out, ":%s", address.ptr + prefix.len);
		return;
	}
	buf_append(out, address.ptr, address.len);
}
