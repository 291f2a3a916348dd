#include "net/ws/ws_ip.h"

#include <arpa/inet.h>
#include <string.h>

void ws_ip_from(struct ws_ip *out, const struct sockaddr_storage *from)
{
	static const struct ws_ip mapped = { { .s6_addr = { [10] = 0xff, [11] = 0xff } } };

	*out = mapped;
	if (from->ss_family == AF_INET)
		memcpy(&out->bytes.s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
	else if (from->ss_family == AF_INET6)
		out->bytes = ((const struct sockaddr_in6 *)from)->sin6_addr;
}

struct ws_ip ws_ip_network(const struct ws_ip *ip)
{
	struct ws_ip network = *ip;

	if (!IN6_IS_ADDR_V4MAPPED(&ip->bytes))
		memset(&network.bytes.s6_addr[8], 0, 8);
	return network;
}

struct str ws_ip_text(const struct ws_ip *ip, char text[INET6_ADDRSTRLEN])
{
	bool is_v4 = IN6_IS_ADDR_V4MAPPED(&ip->bytes);
	const void *bytes = is_v4 ? &ip->bytes.s6_addr[12] : &ip->bytes.s6_addr[0];

	return str_from(inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN));
}
