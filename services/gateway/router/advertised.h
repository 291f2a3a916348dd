#ifndef SKEIN_GATEWAY_ROUTER_ADVERTISED_H
#define SKEIN_GATEWAY_ROUTER_ADVERTISED_H

#include "base/text/buf.h"

/*
 * The address under which push reaches this gateway: grpc.advertise, else grpc.listen. A wildcard in grpc.listen (0.0.0.0 or
 * [::]) means nothing on another machine, so `host` takes its place: in a network of containers each one's host name resolves.
 */
void advertised_write(struct buf *out, const char *advertise, const char *listen, const char *host);

#endif
