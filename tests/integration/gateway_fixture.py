"""A gateway process between peers that the test plays: im and router (gRPC servers), push (a Deliver stream) and clients."""
import asyncio
import base64
import contextlib
import hashlib
import hmac
import importlib
import json
import os
import pathlib
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin"))
SECRET = "a secret of this test"
PATIENCE_S = 20


def load_protocols():
    """The Python classes of proto/*.proto."""
    folder = tempfile.TemporaryDirectory()
    protos = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "proto").glob("*.proto"))
    subprocess.run(["protoc", f"--proto_path={ROOT}", f"--python_out={folder.name}", *protos], cwd=ROOT, check=True)
    sys.path.insert(0, folder.name)
    return folder, *(importlib.import_module(f"proto.{name}_pb2") for name in ("audience", "client", "delivery", "im", "router"))


_folder, audience_pb, client_pb, delivery_pb, im_pb, router_pb = load_protocols()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def token(uid, ttl_s=3600, secret=SECRET, **claims):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    head = part(b'{"alg":"HS256","typ":"JWT"}')
    body = part(json.dumps({"sub": uid, "exp": time.time() + ttl_s, **claims}).encode())
    return (head + b"." + body + b"." + part(hmac.new(secret.encode(), head + b"." + body, hashlib.sha256).digest())).decode()


def token_id(text):
    """As libcommon/net/jwt.h: of what is signed."""
    return hashlib.sha256(text.rsplit(".", 1)[0].encode()).digest()[:16]


def epoch_text(epoch):
    return f"{epoch:015x}"


def text_message(seq, text="hi", **more):
    return client_pb.Message(**{"conversation_id": "u:alice:bob", "seq": seq, "msg_id": 5000 + seq, "type": "text",
                                "body": json.dumps({"text": text}), "time": 1700000000000, "from": "alice", **more})


def unary(function, request):
    return grpc.unary_unary_rpc_method_handler(function, request.FromString, lambda answer: answer.SerializeToString())


class Im:
    """Answers Admit, Send, Sync and Delivered; a test may replace `on_send` or `on_sync`, or close a gate to make calls wait.

    An inbox holds what the router's says: entry n is the message of seq n, unless it stands in `entries`.
    """

    def __init__(self, router):
        self.router = router
        self.sends, self.admitted, self.token_ids, self.syncs = [], [], [], []
        self.entries = {}  # (uid, offset): Message
        self.sync_gate = asyncio.Event()
        self.sync_gate.set()
        self.syncs_waiting = 0
        self.gate, self.admit_gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.admit_gate.set()
        self.refused = {}
        self.seq = 0
        self.receipts = []  # of each call of Delivered: {(uid, conversation_id): seq}
        self.delivered_gate = asyncio.Event()
        self.delivered_gate.set()
        self.delivered_status = None

    async def admit(self, request, context):
        self.admitted.append(request.uid)
        self.token_ids.append(request.token_id)
        await self.admit_gate.wait()
        if request.uid in self.refused:
            await context.abort(self.refused[request.uid], "no")
        return im_pb.AdmitResponse()

    async def on_send(self, request, context):
        self.seq += 1
        return im_pb.SendResponse(msg_id=1000 + self.seq, conversation_id="u:alice:bob", seq=self.seq, time=1700000000000)

    async def send(self, request, context):
        self.sends.append(request)
        await self.gate.wait()
        return await self.on_send(request, context)

    def page(self, request, **more):
        epoch, head = self.router.inbox(request.uid)
        last = min(head, request.offset + request.limit)
        entries = [im_pb.SyncEntry(offset=n, message=self.entries.get((request.uid, n)) or text_message(n))
                   for n in range(request.offset + 1, last + 1)]
        return im_pb.SyncResponse(**{"epoch": epoch, "head": head, "next_offset": max(last, request.offset),
                                     "more": last < head, "entries": entries, **more})

    async def on_sync(self, request, context):
        epoch, head = self.router.inbox(request.uid)
        if request.epoch != epoch:
            return im_pb.SyncResponse(epoch=epoch, head=head, next_offset=head, reset=True)
        return self.page(request)

    async def sync(self, request, context):
        self.syncs.append(request)
        self.syncs_waiting += 1
        await self.sync_gate.wait()
        self.syncs_waiting -= 1
        return await self.on_sync(request, context)

    async def delivered(self, request, context):
        self.receipts.append({(r.uid, r.conversation_id): r.seq for r in request.receipts})
        assert len(self.receipts[-1]) == len(request.receipts) <= 256
        await self.delivered_gate.wait()
        if self.delivered_status:
            await context.abort(self.delivered_status, "no")
        return im_pb.DeliveredResponse()

    async def check(self, request, context):
        return b"\x08\x01"

    def handlers(self):
        return (grpc.method_handlers_generic_handler("skein.v1.Im", {
                    "Admit": unary(self.admit, im_pb.AdmitRequest), "Send": unary(self.send, im_pb.SendRequest),
                    "Sync": unary(self.sync, im_pb.SyncRequest),
                    "Delivered": unary(self.delivered, im_pb.DeliveredRequest)}),
                grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
                    "Check": grpc.unary_unary_rpc_method_handler(self.check)}))


class Router:
    """Routes and inboxes in memory, as router and Redis would have them."""

    def __init__(self):
        self.epoch = 77
        self.nodes, self.removed, self.changes = [], [], []
        self.routes = {}  # (uid, device): (node, node epoch, conn)
        self.inboxes = {}  # uid: [epoch, head]
        self.gate = asyncio.Event()
        self.gate.set()
        self.renew_status = None
        self.was_out = False  # what the next renewal is told
        self.streams = self.received = 0
        self.bind_error = ""
        self.others = []  # (URL, connections): what a draining gateway is told

    def inbox(self, uid):
        return self.inboxes.setdefault(uid, [0xabc0000 + len(self.inboxes), 0])

    async def register(self, request, context):
        self.nodes.append(request)
        return router_pb.Registered(epoch=self.epoch)

    async def renew(self, request, context):
        self.nodes.append(request)
        if self.renew_status:
            await context.abort(self.renew_status, "taken")
        others = [router_pb.OtherGateway(ws_url=url, connections=count) for url, count in self.others]
        was_out, self.was_out = self.was_out, False
        return router_pb.Renewed(others=others if request.draining else None, was_out=was_out)

    async def remove(self, request, context):
        self.removed.append(request)
        return router_pb.Renewed()

    def change(self, change):
        self.changes.append(change)
        key, mine = (change.uid, change.device), (change.node, change.node_epoch, change.conn)
        answer = router_pb.RouteAnswer(id=change.id)
        held = self.routes.get(key)
        if change.op == router_pb.RouteChange.BIND and self.bind_error:
            answer.error = self.bind_error
        elif change.op == router_pb.RouteChange.BIND and change.again and held not in (None, mine):
            answer.error = "failed_precondition"  # a newer one
        elif change.op == router_pb.RouteChange.BIND:
            self.routes[key] = mine
            answer.inbox_epoch, answer.inbox_head = self.inbox(change.uid)
        else:
            answer.kept = held == mine
            if answer.kept and change.op == router_pb.RouteChange.UNBIND:
                del self.routes[key]
        return answer

    async def stream(self, requests, context):
        self.streams += 1
        await context.send_initial_metadata((("skein-stream", "1"),))  # as our server does: the stream is up
        async for batch in requests:
            self.received += len(batch.changes)
            await self.gate.wait()
            for answers in self.answers(batch):
                yield answers

    def answers(self, batch):
        return [router_pb.RouteAnswers(answers=[self.change(change) for change in batch.changes])]

    def handlers(self):
        return (grpc.method_handlers_generic_handler("skein.v1.Router", {
            "RegisterNode": unary(self.register, router_pb.Node),
            "RenewNode": unary(self.renew, router_pb.Node),
            "RemoveNode": unary(self.remove, router_pb.Node),
            "Routes": grpc.stream_stream_rpc_method_handler(self.stream, router_pb.RouteChanges.FromString,
                                                            lambda answers: answers.SerializeToString())}),)


async def serve(peer, port):
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(peer.handlers())
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server


class Push:
    """A Deliver stream."""

    def __init__(self, address):
        self.channel = grpc.aio.insecure_channel(address)
        self.call = self.channel.stream_stream("/skein.v1.Gateway/Deliver", delivery_pb.DeliverBatch.SerializeToString,
                                               delivery_pb.DeliverAnswers.FromString)()
        self.last_id = 0
        self.done, self.exceptions = set(), {}

    def delivery(self, others=(), own=(), seq=1, client_msg_id="", node_epoch=77, message=None, text="hi"):
        """Targets are (conn, offset, epoch)."""
        def connections(items):
            return audience_pb.Connections(conns=[t[0] for t in items], offsets=[t[1] for t in items],
                                           epochs=[t[2] for t in items]) if items else None
        self.last_id += 1
        if message is None:
            message = text_message(seq, text).SerializeToString()
        targets = audience_pb.Targets(own=connections(own), others=connections(others))
        return delivery_pb.Delivery(id=self.last_id, node_epoch=node_epoch, audience=audience_pb.Audience(targets=targets),
                                    message=message, client_msg_id=client_msg_id)

    def event(self, *conns, kind="typing", node_epoch=77, targets=None, **body):
        self.last_id += 1
        targets = targets or audience_pb.Targets(others=audience_pb.Connections(conns=conns))
        return delivery_pb.Delivery(id=self.last_id, node_epoch=node_epoch, audience=audience_pb.Audience(targets=targets),
                                    event=client_pb.Event(kind=kind, body=json.dumps(body)))

    async def send(self, *deliveries):
        """Delivers them in one batch and waits for all answers: {delivery id: {conn: verdict}} of the exceptions."""
        await self.call.write(delivery_pb.DeliverBatch(deliveries=deliveries))
        wanted = {d.id for d in deliveries}
        while not wanted <= self.done:
            answers = await asyncio.wait_for(self.call.read(), PATIENCE_S)
            self.done.update(answers.done)
            for exception in answers.exceptions:
                self.exceptions.setdefault(exception.id, {})[exception.conn] = exception.verdict
        return {i: self.exceptions[i] for i in wanted if i in self.exceptions}

    async def message(self, target, **more):
        return await self.send(self.delivery([target], **more))

    async def close(self):
        self.call.cancel()
        await self.channel.close()


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
        """Proves that nothing is on its way: the answer to a ping comes next."""
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
        # A second one, of the same routes; streams go to the two in turn.
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
        except asyncio.TimeoutError:
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
        """A connection, before its first frame."""
        ws = await websockets.connect(self.url(uid, **query), subprotocols=["skein.v1.proto" if proto else "skein.v1.json"],
                                      ping_interval=None, max_size=None, compression=None, **(ws_options or {}))
        client = Client(ws)
        self.clients.append(client)
        return client

    async def connect(self, uid="alice", **more):
        client = await self.open(uid, **more)
        client.hello = await client.expect("hello")
        return client

    async def kick(self, *conns, uid="alice", code=4001, reason="", token_id=b"", node_epoch=77):
        """As router does it."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            call = channel.unary_unary("/skein.v1.Gateway/Kick", delivery_pb.KickConnections.SerializeToString,
                                       delivery_pb.KickedConnections.FromString)
            await call(delivery_pb.KickConnections(uid=uid, conns=conns, code=code, reason=reason, token_id=token_id,
                                                   node_epoch=node_epoch), timeout=PATIENCE_S)

    def push(self):
        push = Push(f"127.0.0.1:{self.grpc_port}")
        self.pushes.append(push)
        return push


def scenario(spare_router=False, **options):
    """Makes a test of `async def test(g)`: with a gateway of its own."""
    def wrap(function):
        def test():
            async def play():
                async with Gateway(spare_router, **{k.replace("_", ".", 1): v for k, v in options.items()}) as gateway:
                    await function(gateway)
            asyncio.run(play())
        test.__name__ = function.__name__
        test.__doc__ = function.__doc__
        return test
    return wrap


# ---- what several tests do ----

def appended(g, count, uid="alice"):
    """From now on im finds so many entries in the inbox."""
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
