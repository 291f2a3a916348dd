#ifndef SKEIN_GATEWAY_ROUTER_ADVERTISED_H
#define SKEIN_GATEWAY_ROUTER_ADVERTISED_H

#include "base/text/buf.h"

/*
 * The address under which push and router reach this gateway: grpc.advertise, else grpc.listen. A wildcard in grpc.listen (0.0.0.0
 * or [::]) means nothing on another machine. What `host` resolves to takes its place, as an address: in a pod of Kubernetes the
 * host's name is in the pod's own /etc/hosts and in no name server. If it does not resolve, or only to loopback or link-local
 * addresses (Debian has 127.0.1.1 in /etc/hosts), the name itself does. Blocks while the name is looked up.
 */
void advertised_write(struct buf *out, const char *advertise, const char *listen, const char *host);

#endif
