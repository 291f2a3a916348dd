#ifndef SKEIN_RPC_CLIENT_RPC_TARGETS_H
#define SKEIN_RPC_CLIENT_RPC_TARGETS_H

#include "base/text/buf.h"
#include "base/error.h"

/*
 * Turns a configured list of addresses into a target URI of gRPC.
 *
 *   127.0.0.1:9201,127.0.0.1:9202     ipv4:127.0.0.1:9201,127.0.0.1:9202
 *   [::1]:9201,[::1]:9202             ipv6:[::1]:9201,[::1]:9202
 *   im.local:9201, dns:im.local:9201  dns:///im.local:9201
 *
 * A list holds addresses of one kind, or one name. ERR_BAD_CONFIG for anything else.
 */
err_t rpc_targets_uri(struct buf *uri, struct str targets) MUST_CHECK;

#endif
