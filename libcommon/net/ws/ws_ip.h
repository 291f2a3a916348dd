#ifndef SKEIN_NET_WS_WS_IP_H
#define SKEIN_NET_WS_WS_IP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/text/str.h"

/* A peer's IP address; an IPv4 address is stored as ::ffff:a.b.c.d. Pure. */
struct ws_ip {
	struct in6_addr bytes;
};

/* An address of another family becomes 0.0.0.0. */
void ws_ip_from(struct ws_ip *out, const struct sockaddr_storage *from);

/*
 * The part of the address that limits count by: all of an IPv4 address, the /64 of an IPv6 address. An IPv6 client usually
 * owns a whole /64.
 */
struct ws_ip ws_ip_network(const struct ws_ip *ip);

/* Writes the address to `text`, where the result points. */
struct str ws_ip_text(const struct ws_ip *ip, char text[INET6_ADDRSTRLEN]);

#endif
