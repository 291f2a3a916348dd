"""The router as a process on a Redis of its own; gateways, and im where it asks for kicks, are played by the tests."""
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import grpc
import pytest

from gateway_peers_fixture import BIN, PATIENCE_S, ROOT, delivery_pb, free_port, router_pb, serve, unary

Change = router_pb.RouteChange
PATH = f"{os.environ['PATH']}:{ROOT / 'build' / 'redis'}"


async def becomes(condition, what=""):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        await asyncio.sleep(0.01)


class Redis:
    def __init__(self):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder.name],
            env={**os.environ, "PATH": PATH}, stdout=subprocess.DEVNULL)

    def ask(self, *words):
        """The raw answer to one command."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as link:
            link.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
            return link.recv(1 << 20).decode()

    async def start(self):
        def answers():
            try:
                return self.ask("PING") == "+PONG\r\n"
            except OSError:
                return False
        await becomes(answers, "redis is up")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class Gateway:
    """A registered node: its routes stream, and what it was asked to close."""

    def __init__(self, router, name):
        self.router, self.name, self.port = router, name, free_port()
        self.kicks = []
        self.failures = 0  # this many kicks are answered UNAVAILABLE first
        self.gate = asyncio.Event()
        self.gate.set()
        self.epoch = self.last_id = 0
        self.answers = {}

    async def on_kick(self, request, context):
        self.kicks.append(request)
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return delivery_pb.KickedConnections()

    def handlers(self):
        return (grpc.method_handlers_generic_handler("skein.v1.Gateway", {
            "Kick": unary(self.on_kick, delivery_pb.KickConnections)}),)

    def node(self, **fields):
        return router_pb.Node(**{"name": self.name, "epoch": self.epoch, "grpc_address": f"127.0.0.1:{self.port}",
                                 "ws_url": "ws://x/ws", "cell": "default", **fields})

    async def start(self):
        self.server = await serve(self, self.port)
        self.epoch = (await self.router.call("RegisterNode", self.node(), router_pb.Registered)).epoch
        self.stream = self.router.channel.stream_stream("/skein.v1.Router/Routes", router_pb.RouteChanges.SerializeToString,
                                                        router_pb.RouteAnswers.FromString)()

    async def change(self, op, uid="alice", device="phone", conn=1, **fields):
        """One change, and its answer."""
        return (await self.changes((op, uid, device, conn, fields)))[0]

    async def changes(self, *changes):
        batch = router_pb.RouteChanges()
        for op, uid, device, conn, fields in changes:
            self.last_id += 1
            batch.changes.append(Change(id=self.last_id, op=op, uid=uid, device=device, conn=conn, **{
                "node": self.name, "node_epoch": self.epoch, "platform": "ios", "since": 1000, **fields}))
        await self.stream.write(batch)
        while not all(change.id in self.answers for change in batch.changes):
            answers = await asyncio.wait_for(self.stream.read(), PATIENCE_S)
            self.answers.update((answer.id, answer) for answer in answers.answers)
        return [self.answers.pop(change.id) for change in batch.changes]

    async def bind(self, uid="alice", device="phone", conn=1, **fields):
        answer = await self.change(Change.BIND, uid, device, conn, **fields)
        assert not answer.error, answer
        return answer

    async def kicked(self, count=1):
        """Waits for this many kicks and returns them."""
        await becomes(lambda: len(self.kicks) >= count, f"{self.name} is asked to kick")
        return self.kicks

    async def close(self):
        self.gate.set()
        self.stream.cancel()
        await self.server.stop(0)


class Router:
    def __init__(self, redis, **options):
        self.redis, self.port, self.internal = redis, free_port(), free_port()
        settings = {"node.name": "router-1", "internal.listen": f"127.0.0.1:{self.internal}",
                    "grpc.listen": f"127.0.0.1:{self.port}", "redis.uri": f"redis://127.0.0.1:{redis.port}",
                    "drain.timeout": "0", **options}
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([BIN / "router", *(f"--{k}={v}" for k, v in settings.items())], stderr=self.log)
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.internal}/readyz", timeout=PATIENCE_S) as answer:
                return answer.status == 200
        except (OSError, urllib.error.HTTPError):
            return False

    def metric(self, name):
        """The value of a metric, labels included in its name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.internal}/metrics", timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))

    async def call(self, method, request, answer_type, timeout_s=PATIENCE_S):
        call = self.channel.unary_unary(f"/skein.v1.Router/{method}", lambda message: message.SerializeToString(),
                                        answer_type.FromString)
        return await call(request, timeout=timeout_s)

    async def kick(self, uid="alice", code=4002, **fields):
        await self.call("Kick", router_pb.KickUser(uid=uid, code=code, **fields), router_pb.KickedUser)

    async def close(self, is_bad):
        await self.channel.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, self.process.wait), PATIENCE_S)
        except TimeoutError:
            self.process.kill()
            code = self.process.wait()
        self.log.seek(0)
        text = self.log.read()
        if is_bad or code or "Sanitizer" in text:
            print(text)
        assert is_bad or code == 0, f"the router ended with {code}"


class Cluster:
    """One router, or more, on one Redis."""

    def __init__(self, **options):
        self.options, self.routers, self.gateways = options, [], []

    async def __aenter__(self):
        self.redis = Redis()
        try:
            await self.redis.start()
            await self.router()
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(self, kind, *_):
        for gateway in self.gateways:
            await gateway.close()
        try:
            for router in self.routers:
                await router.close(bool(kind))
        finally:
            self.redis.close()

    async def router(self):
        router = Router(self.redis, **self.options)
        self.routers.append(router)
        await becomes(router.is_ready, "router is ready")
        return router

    async def gateway(self, name="gateway-1", router=None):
        gateway = Gateway(router or self.routers[0], name)
        await gateway.start()
        self.gateways.append(gateway)
        return gateway

    async def two(self):
        return await self.gateway("gateway-1"), await self.gateway("gateway-2")

    def routes(self, uid="alice"):
        """{device: route} as they stand in Redis."""
        words = self.redis.ask("HGETALL", f"im:route:{{{uid}}}").split("\r\n")[2::2]
        return dict(zip(words[::2], words[1::2], strict=True))


def scenario(**options):
    def wrap(function):
        def test():
            async def play():
                async with Cluster(**{k.replace("_", ".", 1).replace("__", "_"): v for k, v in options.items()}) as cluster:
                    await function(cluster)
            asyncio.run(play())
        test.__name__ = function.__name__
        test.__doc__ = function.__doc__
        return test
    return wrap


@contextlib.contextmanager
def refused(status):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        yield
    assert error.value.code() == status, error.value
