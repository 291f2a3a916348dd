#ifndef SKEIN_GATEWAY_GRPC_KICK_H
#define SKEIN_GATEWAY_GRPC_KICK_H

#include "base/text/str.h"

struct rpc_call;

/*
 * Router's order to close connections of a user: each worker concerned looks
 * for its own; the answer goes out when the last of them is through, so that
 * nothing is sent on those connections after it. Those that are not there, or
 * are another user's, or were opened with another token, are passed over.
 * `arg` is the struct app. Thread: the rpc queue's.
 */
void kick_api_kick(struct rpc_call *call, struct str request, void *arg);

#endif
