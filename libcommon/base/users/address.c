#include "base/users/address.h"

#include <arpa/inet.h>
#include <stdio.h>

void address_from(struct address *out, struct str peer)
{
	struct in6_addr ip;
	char network[INET6_ADDRSTRLEN];

	if (!str_copy(out->text, sizeof(out->text), peer))
		(void)str_copy(out->text, sizeof(out->text), str_of(peer.ptr, sizeof(out->text) - 1));
	if (inet_pton(AF_INET6, out->text, &ip) != 1)
		return;
	if (IN6_IS_ADDR_V4MAPPED(&ip)) {
		(void)inet_ntop(AF_INET, &ip.s6_addr[12], out->text, sizeof(out->text));
		return;
	}
	memset(&ip.s6_addr[8], 0, 8);
	(void)inet_ntop(AF_INET6, &ip, network, sizeof(network));
	(void)snprintf(out->text, sizeof(out->text), "%.*s/64", INET6_ADDRSTRLEN - 1, network);
}
