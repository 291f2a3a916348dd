#ifndef SKEIN_GATEWAY_GRPC_KICK_H
#define SKEIN_GATEWAY_GRPC_KICK_H

#include "base/text/str.h"

struct rpc_call;

/*
 * Router's order to close connections of a user. Each worker concerned looks for
 * its own; the answer is sent after the last of them has closed its connections,
 * so that nothing is sent on them after it. Connections that are gone, belong to
 * another user, or were opened with another token are passed over.
 * `arg` is the struct gateway_service. Thread: the rpc queue's.
 */
void kick_on_call(struct rpc_call *call, struct str request, void *arg);

#endif
