#ifndef SKEIN_LOOP_LISTENER_H
#define SKEIN_LOOP_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Opens a non-blocking TCP socket that listens on "host:port" (base/text/host_port.h). The host is an IPv4 address, an IPv6
 * address in brackets, or a name, of which the first address counts. "[::]" takes IPv4, too, unless net.ipv6.bindv6only is
 * set. For port 0 the kernel picks a free port.
 *
 * `shares_port` sets SO_REUSEPORT: several workers listen on the port with a
 * socket each, and the kernel spreads connections over them. Without it a port in
 * use is ERR_IO. With it the call also succeeds when another process of the same
 * user shares the port, and that process gets some of the connections.
 *
 * ERR_BAD_CONFIG if the address is malformed or does not resolve, ERR_IO if the
 * socket cannot listen there. Both are logged. The caller closes `*fd`.
 */
err_t listener_open(int *fd, const char *address, bool shares_port) MUST_CHECK;

/* The port that the socket listens on; 0 on an error. */
uint16_t listener_port(int fd);

#endif
