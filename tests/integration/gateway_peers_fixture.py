"""The peers of a gateway as tests play them: im and router (gRPC servers) and push (a Deliver stream)."""
import asyncio
import contextlib
import importlib
import itertools
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin"))
PATIENCE_S = 20
# None that the kernel gives to outgoing connections: one could be in use, at any address, when a server is to listen there.
PORTS = itertools.cycle(random.sample(range(28000, 32000), 4000))


def load_protocols():
    """The Python classes of proto/*.proto."""
    folder = tempfile.TemporaryDirectory()
    protos = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "proto").glob("*.proto"))
    subprocess.run(["protoc", f"--proto_path={ROOT}", f"--python_out={folder.name}", *protos], cwd=ROOT, check=True)
    sys.path.insert(0, folder.name)
    return folder, *(importlib.import_module(f"proto.{name}_pb2") for name in ("audience", "client", "delivery", "im", "router"))


_folder, audience_pb, client_pb, delivery_pb, im_pb, router_pb = load_protocols()


def free_port():
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", next(PORTS)))
            return probe.getsockname()[1]


def text_message(seq, text="hi", **more):
    return client_pb.Message(**{"conversation_id": "u:alice:bob", "seq": seq, "msg_id": 5000 + seq, "type": "text",
                                "body": json.dumps({"text": text}), "time": 1700000000000, "from": "alice", **more})


def unary(function, request):
    return grpc.unary_unary_rpc_method_handler(function, request.FromString, lambda answer: answer.SerializeToString())


class Im:
    """Answers Admit, Send, Sync and Delivered. A test may replace `on_send` or `on_sync`, or clear a gate to make calls wait.

    The played router holds the heads of the inboxes. Entry n is the message of seq n, unless `entries` has another.
    """

    def __init__(self, router):
        self.router = router
        self.sends, self.admitted, self.token_ids, self.issued, self.syncs = [], [], [], [], []
        self.entries = {}  # (uid, offset): Message
        self.sync_gate = asyncio.Event()
        self.sync_gate.set()
        self.syncs_waiting = 0
        self.gate, self.admit_gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.admit_gate.set()
        self.refused = {}
        self.seq = 0
        self.ranges = []  # of inboxes, acknowledged after they were read over HTTP: (uid, epoch, after, up_to)
        self.receipts = []  # of each call of Delivered: {(uid, conversation_id): seq}
        self.delivered_gate = asyncio.Event()
        self.delivered_gate.set()
        self.delivered_status = None
        self.reads, self.readers, self.typings, self.unheard = [], [], [], []
        self.signal_fault = None  # status and code that Read and Typing are answered

    async def admit(self, request, context):
        self.admitted.append(request.uid)
        self.token_ids.append(request.token_id)
        self.issued.append(request.issued_ms)
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
        self.ranges += [(r.uid, r.epoch, r.after, r.up_to) for r in request.ranges]
        await self.delivered_gate.wait()
        if self.delivered_status:
            await context.abort(self.delivered_status, "no")
        return im_pb.DeliveredResponse()

    async def signal(self, context, answer):
        await self.gate.wait()
        if self.signal_fault:
            status, code = self.signal_fault
            await context.abort(status, f"it is {code}", (("skein-error", code),))
        return answer

    async def read(self, request, context):
        self.reads.append((request.uid, request.conversation_id, request.seq))
        self.readers.append((request.reader.node_epoch, request.reader.conn))
        return await self.signal(context, im_pb.ReadResponse())

    async def typing(self, request, context):
        self.typings.append((request.uid, request.conversation_id))
        return await self.signal(context, im_pb.TypingResponse())

    async def may_type(self, request, context):
        self.unheard.append((request.uid, request.conversation_id))
        return await self.signal(context, im_pb.TypingResponse())

    async def check(self, request, context):
        return b"\x08\x01"

    def handlers(self):
        return (grpc.method_handlers_generic_handler("skein.v1.Im", {
                    "Admit": unary(self.admit, im_pb.AdmitRequest), "Send": unary(self.send, im_pb.SendRequest),
                    "Sync": unary(self.sync, im_pb.SyncRequest),
                    "Delivered": unary(self.delivered, im_pb.DeliveredRequest), "Read": unary(self.read, im_pb.ReadRequest),
                    "Typing": unary(self.typing, im_pb.TypingRequest), "MayType": unary(self.may_type, im_pb.TypingRequest)}),
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
        self.was_out = False  # what the next renewal answers
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
            answer.error = "failed_precondition"  # a newer connection has the route
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
        await context.send_initial_metadata((("skein-stream", "1"),))  # as Skein's rpc server does, to say that the stream is up
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

    def event(self, *conns, kind="typing", node_epoch=77, targets=None, audience=None, **body):
        self.last_id += 1
        targets = targets or audience_pb.Targets(others=audience_pb.Connections(conns=conns))
        return delivery_pb.Delivery(id=self.last_id, node_epoch=node_epoch, audience=audience or audience_pb.Audience(targets=targets),
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
