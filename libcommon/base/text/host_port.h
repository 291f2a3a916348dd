#ifndef SKEIN_BASE_TEXT_HOST_PORT_H
#define SKEIN_BASE_TEXT_HOST_PORT_H

#include "base/error.h"
#include "base/text/str.h"

/*
 * The parts of "host:port", the form of every option that names an address to listen on. The host is an IPv4 address, a name, or
 * an IPv6 address in brackets ("[::1]:8080"), which it loses here. Whether the host exists is not looked at.
 */
struct host_port {
	char host[256];
	char port[6]; /* decimal, 0 to 65535 */
};

/* False if the text is not of this form. */
bool host_port_parse(struct str text, struct host_port *out) MUST_CHECK;

#endif
