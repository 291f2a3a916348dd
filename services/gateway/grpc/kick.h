#ifndef SKEIN_GATEWAY_GRPC_KICK_H
#define SKEIN_GATEWAY_GRPC_KICK_H

#include "base/text/str.h"

struct rpc_call;

/*
 * Router's order to close connections of a user. Each worker concerned closes its
 * own. The answer is sent after the last worker has done so: nothing is sent on
 * these connections after it. Connections that are gone, belong to another user,
 * or were opened with another token are skipped.
 * `arg` is the struct gateway_service. Thread: the rpc queue's.
 */
void kick_on_call(struct rpc_call *call, struct str request, void *arg);

#endif
