#ifndef SKEIN_BASE_USERS_ADDRESS_H
#define SKEIN_BASE_USERS_ADDRESS_H

#include "base/text/str.h"

/*
 * What counts as one address for limits: an IPv4 address, or the /64 network of an IPv6 address, because a subscriber has all
 * of it. An IPv4 address in IPv6 form (::ffff:192.0.2.1) is the IPv4 address. Pure.
 */

#define ADDRESS_SIZE 52

struct address {
	char text[ADDRESS_SIZE]; /* "192.0.2.1", "2001:db8::/64" */
};

/* `peer` is an address without a port; any other text is kept as it is, cut. */
void address_from(struct address *out, struct str peer);

#endif
