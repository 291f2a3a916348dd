"""A gateway process, its clients, and its peers (gateway_peers_fixture.py): im, router and push."""
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
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
import websockets

from gateway_peers_fixture import BIN, PATIENCE_S, Im, Push, Router, client_pb, delivery_pb, free_port, serve

SECRET = "a secret of this test"


def token(uid, ttl_s=3600, secret=SECRET, **claims):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    head = part(b'{"alg":"HS256","typ":"JWT"}')
    body = part(json.dumps({"sub": uid, "exp": time.time() + ttl_s, **claims}).encode())
    return (head + b"." + body + b"." + part(hmac.new(secret.encode(), head + b"." + body, hashlib.sha256).digest())).decode()


def token_id(text):
    """That of its family, as in libcommon/net/jwt.h."""
    signed = text.rsplit(".", 1)[0]
    payload = signed.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    own = base64.urlsafe_b64encode(hashlib.sha256(signed.encode()).digest()[:16]).rstrip(b"=").decode()
    return hashlib.sha256(f"{claims['sub']}\n{claims.get('sid') or claims.get('jti') or own}".encode()).digest()[:16]


def epoch_text(epoch):
    return f"{epoch:015x}"


class Client:
    """One WebSocket connection."""

    def __init__(self, ws):
        self.ws = ws
        self.hello = None

    async def read(self, timeout_s=PATIENCE_S):
        raw = await asyncio.wait_for(self.ws.recv(), timeout_s)
        if isinstance(raw, bytes):
            return client_pb.ServerFrame.FromString(raw)
        return json.loads(raw)

    async def expect(self, frame_type):
        frame = await self.read()
        got = frame["type"] if isinstance(frame, dict) else frame.WhichOneof("frame")
        assert got == frame_type, frame
        return frame

    async def offsets(self, count):
        return [int((await self.expect("message"))["offset"]) for _ in range(count)]

    async def send(self, **frame):
        await self.ws.send(json.dumps(frame))

    async def ack(self, offset):
        await self.send(type="ack", offset=str(offset))

    async def nothing_before(self, frame_type="pong"):
        """Proves that no frame is on its way: the next one is the answer to a ping."""
        await self.send(type="ping")
        await self.expect(frame_type)

    async def closed(self):
        """The close code; frames that come before it are skipped."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await self.read()
        return self.ws.close_code

    @property
    def conn(self):
        return int(self.hello["conn"] if isinstance(self.hello, dict) else self.hello.hello.conn)

    @property
    def epoch(self):
        return int(self.hello["epoch"] if isinstance(self.hello, dict) else self.hello.hello.epoch, 16)

    def at(self, offset, epoch=None):
        """A target of a delivery."""
        return self.conn, offset, self.epoch if epoch is None else epoch


class Gateway:
    """The process with its peers. Use as `async with Gateway(...) as g`."""

    def __init__(self, spare_router=False, **options):
        self.ws_port, self.grpc_port, self.internal_port = free_port(), free_port(), free_port()
        self.im_port, self.router_port = free_port(), free_port()
        self.router = Router()
        self.im = Im(self.router)
        # A second router with the same routes. Streams go to the two in turn.
        self.spare, self.spare_port = (Router(), free_port()) if spare_router else (None, None)
        if spare_router:
            self.spare.routes, self.spare.inboxes = self.router.routes, self.router.inboxes
        self.options = {
            "node.name": "gateway-1", "internal.listen": f"127.0.0.1:{self.internal_port}",
            "ws.listen": f"127.0.0.1:{self.ws_port}", "ws.url": f"ws://127.0.0.1:{self.ws_port}/ws",
            "grpc.listen": f"127.0.0.1:{self.grpc_port}", "auth.secret": SECRET,
            "router.targets": ",".join(f"127.0.0.1:{port}" for port in (self.router_port, self.spare_port) if port), "im.targets": f"127.0.0.1:{self.im_port}",
            "drain.timeout": "0", "log.level": "debug", **options}
        self.spare_server = None
        self.clients, self.pushes = [], []
        self.log = tempfile.TemporaryFile("w+")
        self.process = None
        self.expected_exit = 0
        self.environment = {}

    def start(self):
        self.process = subprocess.Popen([BIN / "gateway", *(f"--{k}={v}" for k, v in self.options.items())],
                                        stderr=self.log, env={**os.environ, **self.environment})

    async def __aenter__(self):
        self.im_server = await serve(self.im, self.im_port)
        self.router_server = await serve(self.router, self.router_port)
        self.spare_server = await serve(self.spare, self.spare_port) if self.spare else None
        self.start()
        try:
            await self.becomes(self.is_ready)
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(self, kind, *_):
        for client in self.clients:
            await client.ws.close()
        code = await self.stop()
        for push in self.pushes:
            await push.close()
        await self.im_server.stop(0)
        await self.router_server.stop(0)
        if self.spare_server:
            await self.spare_server.stop(0)
        self.log.seek(0)
        text = self.log.read()
        self.log.close()
        if kind or code not in (0, self.expected_exit) or "Sanitizer" in text or "assert" in text.lower():
            print(text)
        if not kind:
            assert code == self.expected_exit, f"the gateway ended with {code}"

    async def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, self.process.wait), PATIENCE_S)
        except TimeoutError:
            self.process.kill()
            return self.process.wait()

    async def becomes(self, is_so):
        deadline = time.monotonic() + PATIENCE_S
        while not (await is_so() if asyncio.iscoroutinefunction(is_so) else is_so()):
            assert time.monotonic() < deadline and self.process.poll() is None, f"never came true, exit {self.process.poll()}"
            await asyncio.sleep(0.02)

    def _get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.internal_port}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    async def get(self, path):
        return await asyncio.get_running_loop().run_in_executor(None, self._get, path)

    async def is_ready(self):
        return (await self.get("/readyz"))[0] == 200

    async def metric(self, name):
        _, text = await self.get("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith(name + " ") or (line.startswith(name) and "{" not in name and line[len(name)] == "{"))

    def url(self, uid="alice", device="phone", platform="ios", **query):
        query = {"token": token(uid), "device": device, "platform": platform, **query}
        pairs = "&".join(f"{k}={v}" for k, v in query.items() if v is not None)
        return f"ws://127.0.0.1:{self.ws_port}/ws?{pairs}"

    async def open(self, uid="alice", proto=False, ws_options=None, **query):
        """A connection from which no frame was read yet."""
        ws = await websockets.connect(self.url(uid, **query), subprotocols=["skein.v1.proto" if proto else "skein.v1.json"],
                                      ping_interval=None, max_size=None, compression=None, **(ws_options or {}))
        client = Client(ws)
        self.clients.append(client)
        return client

    async def connect(self, uid="alice", **more):
        client = await self.open(uid, **more)
        client.hello = await client.expect("hello")
        return client

    async def kick(self, *conns, uid="alice", code=4001, reason="", token_id=b"", node_epoch=77, issued_until_ms=0):
        """Kicks connections, as router does."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            call = channel.unary_unary("/skein.v1.Gateway/Kick", delivery_pb.KickConnections.SerializeToString,
                                       delivery_pb.KickedConnections.FromString)
            await call(delivery_pb.KickConnections(uid=uid, conns=conns, code=code, reason=reason, token_id=token_id,
                                                   node_epoch=node_epoch, issued_until_ms=issued_until_ms),
                       timeout=PATIENCE_S)

    def push(self):
        push = Push(f"127.0.0.1:{self.grpc_port}")
        self.pushes.append(push)
        return push


def scenario(spare_router=False, **options):
    """Makes a test of `async def test(g)`: with a gateway of its own."""
    def wrap(function):
        def test():
            async def play():
                async with Gateway(spare_router, **{k.replace("_", ".", 1).replace("__", "_"): v for k, v in options.items()}) as gateway:
                    await function(gateway)
            asyncio.run(play())
        test.__name__ = function.__name__
        test.__doc__ = function.__doc__
        return test
    return wrap


# ---- what several tests do ----

def appended(g, count, uid="alice"):
    """From now on im finds this many entries in the inbox."""
    g.router.inbox(uid)[1] = count


def message(key="k1", **more):
    return {"client_msg_id": key, "to": {"user": "bob"}, "type": "text", "body": {"text": "hi"}, **more}


async def raw_handshake(g, receive_buffer=None, **more):
    """A bare socket after the upgrade: it answers nothing by itself."""
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.connect(("127.0.0.1", g.ws_port))
    path = g.url(**more).split(str(g.ws_port), 1)[1]
    raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    raw.setblocking(False)
    got = b""
    while b'"type":"hello"' not in got:
        got += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(raw, 4096), 20)
    return raw, json.loads(got[got.index(b'{"type":"hello"'):])


async def read_to_end(raw, timeout_s=20):
    got = b""

    async def read():
        nonlocal got
        try:
            while piece := await asyncio.get_running_loop().sock_recv(raw, 65536):
                got += piece
        except ConnectionError:
            pass
    await asyncio.wait_for(read(), timeout_s)
    return got
