#ifndef SKEIN_NET_LISTENER_H
#define SKEIN_NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Opens a non-blocking TCP listener on "host:port": an IPv4 address, a name or
 * an IPv6 address in brackets ("[::1]:8080"); port 0 takes a free one.
 *
 * `shares_port`: several workers listen there with a socket each and the kernel
 * spreads connections over them (SO_REUSEPORT). Without it, a port in use is
 * refused; with it, another process of the same user that shares the port goes
 * unnoticed.
 *
 * ERR_BAD_CONFIG for an address that cannot be one, ERR_IO when it cannot
 * listen; either with a logged sentence.
 */
err_t listener_open(int *fd, const char *address, bool shares_port) MUST_CHECK;

/* The port it got. */
uint16_t listener_port(int fd);

#endif
