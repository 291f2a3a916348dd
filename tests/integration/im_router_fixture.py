"""Router, played for an im: it keeps the kicks that it is asked for."""
import concurrent.futures
import time

import grpc

from im_cluster import free_ports, proto_module


class Router:
    """Keeps the kicks it is asked for; the first `failures` of them fail."""

    def __init__(self, servers):
        self.types = proto_module(servers, "router")
        self.kicks, self.failures = [], 0
        self.address = f"127.0.0.1:{free_ports(servers.base + 300, 1)}"
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("skein.v1.Router", {
            "Kick": grpc.unary_unary_rpc_method_handler(self.kick, self.types.KickUser.FromString,
                                                        lambda answer: answer.SerializeToString())}),))
        self.server.add_insecure_port(self.address)
        self.server.start()

    def kick(self, request, context):
        self.kicks.append((time.monotonic(), request))
        if self.failures:
            self.failures -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return self.types.KickedUser()

    def of(self, uid):
        return [(at, request) for at, request in self.kicks if request.uid == uid]
