"""A Skein that the test plays, HTTP and WebSocket on one port, and an application over libclient (libclient/driver.c)."""
import asyncio
import contextlib
import inspect
import json
import os
import pathlib
import ssl
import subprocess

from aiohttp import web

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build" / "bin"))
PATIENCE_S = 20
FOLLOWING = 20  # messages after hello; more: sync_more
BOB, GROUP, HOT = "u:alice:bob", "g:1", "g:hot"


def problem(status, code, **headers):
    return web.json_response({"type": f"urn:skein:error:{code}", "title": code, "status": status, "code": code,
                              "detail": f"it is {code}"}, status=status, headers=headers)


class Connection:
    """One WebSocket, from the server's side."""

    def __init__(self, ws, request):
        self.ws, self.query = ws, request.query
        self.token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.frames = asyncio.Queue()
        self.answers_pings = True

    async def send(self, **frame):
        await self.ws.send_str(json.dumps(frame))

    async def frame(self, frame_type):
        """The next frame of that type; others are passed over."""
        while True:
            frame = await asyncio.wait_for(self.frames.get(), PATIENCE_S)
            if frame["type"] == frame_type:
                return frame

    async def acked(self, offset):
        while int((await self.frame("ack"))["offset"]) < offset:
            pass

    async def read(self):
        async for message in self.ws:
            frame = json.loads(message.data)
            if frame["type"] == "ping" and self.answers_pings:
                await self.send(type="pong")
            await self.frames.put(frame)

    async def close(self, code=1001):
        await self.ws._writer.close(code)  # ws.close() leaves the code to whoever reads

    def cut(self):
        """Ends the connection without a close frame."""
        self.ws._req.transport.abort()


class Skein:
    """Conversations, one user's inbox, and what the contract says about them. Use as `async with Skein() as skein`."""

    def __init__(self, ssl_context=None):
        self.ssl_context = ssl_context
        self.epoch, self.inbox = "e1", []
        self.conversations = {}
        self.hot = set()
        self.tokens = {"good"}
        self.gateways = None  # urls; None: this one
        self.waiting = asyncio.Queue()  # connections that no test has asked for yet
        self.current = None
        self.greets = True
        self.sends, self.keys = [], {}
        self.requests = []
        self.send_answers = []  # functions that answer the next sends, before the usual one does
        self.sync_gate = asyncio.Event()
        self.sync_gate.set()
        self.sync_answers = []
        self.endpoints_answers = []

    async def __aenter__(self):
        app = web.Application()
        app.add_routes([web.get("/v1/endpoints", self.endpoints), web.get("/v1/sync", self.sync),
                        web.get("/v1/conversations/{id}/messages", self.history), web.post("/v1/messages", self.send),
                        web.get("/ws", self.websocket)])
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=self.ssl_context, shutdown_timeout=0.1)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.sync_gate.set()
        await self.runner.cleanup()

    @property
    def http(self):
        return f"http{'s' if self.ssl_context else ''}://127.0.0.1:{self.port}"

    @property
    def ws(self):
        return self.http.replace("http", "ws", 1) + "/ws"

    # ---- what is stored ----

    def store(self, conversation=BOB, count=1):
        """Stores messages and sends them to nobody."""
        stored = []
        for _ in range(count):
            messages = self.conversations.setdefault(conversation, [])
            message = {"conversation_id": conversation, "seq": len(messages) + 1, "msg_id": str(1000 + len(messages)),
                       "from": "bob", "type": "text", "body": {"text": "hi"}, "time": 1795219200123}
            messages.append(message)
            if conversation not in self.hot:
                self.inbox.append(message)
            stored.append(message)
        return stored

    def lose_inbox(self):
        self.epoch, self.inbox = self.epoch[0] + str(int(self.epoch[1:]) + 1), []

    async def say(self, conversation=BOB, count=1):
        """Stores messages and sends them on the connection."""
        for message in self.store(conversation, count):
            await self.send_entry(len(self.inbox), message)

    async def send_entry(self, offset, message):
        where = {} if message["conversation_id"] in self.hot else {"offset": str(offset)}
        await self.current.send(type="message", **where, message=message)

    # ---- HTTP ----

    def refuses(self, request):
        """The answer, or None; an aiohttp response may count as false."""
        self.requests.append(request)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return problem(401, "unauthenticated")
        return None

    async def endpoints(self, request):
        if self.endpoints_answers:
            return self.endpoints_answers.pop(0)
        refused = self.refuses(request)
        if refused is not None:
            return refused
        return web.json_response({
            "gateways": [{"url": url, "node": f"gateway-{i}"} for i, url in enumerate(self.gateways or [self.ws])],
            "retry": {"min_ms": 20, "max_ms": 100}})

    async def sync(self, request):
        refused = self.refuses(request)
        if refused is not None:
            return refused
        await self.sync_gate.wait()
        if self.sync_answers:
            return self.sync_answers.pop(0)
        epoch, offset = request.query.get("epoch"), int(request.query.get("offset", 0))
        limit = min(int(request.query["limit"]), 10)
        answer = {"epoch": self.epoch, "head": str(len(self.inbox)), "messages": [], "hot": [], "more": False, "reset": False}
        if epoch not in (None, self.epoch):
            marks = [{"conversation_id": c, "last_seq": len(m), "read_seq": 0} for c, m in self.conversations.items()]
            return web.json_response({**answer, "reset": True, "conversations": marks, "next_offset": answer["head"]})
        if offset > len(self.inbox):
            return problem(400, "invalid_argument")
        entries = list(enumerate(self.inbox, 1))[offset:offset + limit]
        answer["messages"] = [{"offset": str(o), "message": m} for o, m in entries]
        answer["next_offset"] = str(offset + len(entries))
        answer["more"] = offset + len(entries) < len(self.inbox)
        answer["hot"] = [{"conversation_id": c, "last_seq": len(self.conversations.get(c, [])), "read_seq": 0} for c in self.hot]
        return web.json_response(answer)

    async def history(self, request):
        refused = self.refuses(request)
        if refused is not None:
            return refused
        if request.match_info["id"] not in self.conversations:
            return problem(403, "not_member")
        after, limit = int(request.query["after_seq"]), min(int(request.query["limit"]), 10)
        messages = self.conversations[request.match_info["id"]][after:]
        cursor = {"next_cursor": str(after + limit)} if len(messages) > limit else {}
        return web.json_response({"messages": messages[:limit], **cursor})

    async def send(self, request):
        refused = self.refuses(request)
        if refused is not None:
            return refused
        body = await request.json()
        self.sends.append(body)
        if self.send_answers:
            answer = self.send_answers.pop(0)
            answer = await answer(request) if callable(answer) else answer
            if answer is not None:
                return answer
        key = body["client_msg_id"]
        duplicate = key in self.keys
        seq = self.keys.setdefault(key, len(self.keys) + 1)
        return web.json_response({"msg_id": str(5000 + seq), "conversation_id": BOB, "seq": seq, "time": 1795219200123,
                                  "duplicate": duplicate})

    # ---- WebSocket ----

    async def websocket(self, request):
        refused = self.refuses(request)
        if refused is not None:
            return refused
        ws = web.WebSocketResponse(protocols=("skein.v1.json",), compress=False)
        await ws.prepare(request)
        self.current = connection = Connection(ws, request)
        if self.greets:
            await self.greet(connection)
        await self.waiting.put(connection)
        with contextlib.suppress(ConnectionError):
            await connection.read()
        return ws

    async def greet(self, connection):
        epoch, offset = connection.query.get("epoch"), int(connection.query.get("offset", 0))
        await connection.send(type="hello", node="gateway-1", conn="1", uid="alice", device=connection.query["device"],
                              heartbeat_s=54, epoch=self.epoch, head=str(len(self.inbox)))
        if epoch is None:
            return
        if epoch != self.epoch:
            await connection.send(type="resync", epoch=self.epoch)
            return
        entries = list(enumerate(self.inbox, 1))[offset:]
        for at, message in entries[:FOLLOWING]:
            await connection.send(type="message", offset=str(at), message=message)
        if len(entries) > FOLLOWING:
            await connection.send(type="sync_more", next_offset=str(offset + FOLLOWING))

    async def connection(self):
        """The next connection that is made."""
        return await asyncio.wait_for(self.waiting.get(), PATIENCE_S)


class Application:
    """The driver. Use as `async with Application(skein) as app`; an unclean end of it fails the test."""

    program = BIN / "client_driver"

    def __init__(self, skein, **options):
        self.options = {"bases": [skein.http], "token": "good", "device": "d", "ack_after_ms": 10, **options}
        self.events, self.passed_over = asyncio.Queue(), []
        self.state = ""
        self.seen = []

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            self.program, json.dumps(self.options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**24)
        self.reader = asyncio.create_task(self.read())
        return self

    async def __aexit__(self, kind, *_):
        if self.process.returncode is None:
            self.process.stdin.close()
        code = await self.ended()
        if not kind:
            assert code in (0, -9), f"the driver ended with {code}"

    async def ended(self):
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE_S)
            await asyncio.wait_for(self.reader, PATIENCE_S)
        except TimeoutError:
            self.process.kill()
            raise
        return self.process.returncode

    async def kill(self):
        self.process.kill()
        await self.ended()

    async def read(self):
        async for line in self.process.stdout:
            event = json.loads(line)
            if event["on"] == "state_changed":
                self.state = event["state"]
            await self.events.put(event)

    def do(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")

    def send(self, key=None, to="bob", **more):
        named = {"client_msg_id": key} if key else {}
        self.do("send", message={**named, "to": {"user": to}, "type": "text", "body": {"text": "hi"}}, **more)

    async def next(self, kind):
        """The next event of that kind; others are passed over."""
        while True:
            event = await asyncio.wait_for(self.events.get(), PATIENCE_S)
            if event["on"] == kind:
                return event
            self.passed_over.append(event)

    async def status(self, status):
        while True:
            event = await self.next("status")
            if event["status"] == status:
                return event

    async def messages(self, count):
        """(conversation, seq) of the next messages."""
        got = []
        for _ in range(count):
            message = (await self.next("message"))["message"]
            got.append((message["conversation_id"], message["seq"]))
        self.seen += got
        return got

    async def nothing_more(self):
        """Proves that no message is on its way: a later request is answered first."""
        self.do("state")
        while True:
            event = await asyncio.wait_for(self.events.get(), PATIENCE_S)
            assert event["on"] != "message", event
            if event["on"] == "state":
                return event["state"]


def certificate(folder):
    """A self-signed one for 127.0.0.1: (server's SSL context, file that trusts it)."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=skein", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, str(cert)


def scenario(**options):
    """Makes a test of `async def test(skein, app)`: a Skein, and an application that is connected to it."""
    def wrap(function):
        async def run():
            async with Skein() as skein, Application(skein, **options) as app:
                await skein.connection()
                await app.status("up")
                await function(skein, app)

        def test():
            asyncio.run(asyncio.wait_for(run(), 3 * PATIENCE_S))
        return named_after(function, test)
    return wrap


def alone(function):
    """Makes a test of `async def test()`, or of one with pytest's fixtures."""
    def test(**fixtures):
        asyncio.run(asyncio.wait_for(function(**fixtures), 3 * PATIENCE_S))
    test.__signature__ = inspect.signature(function)
    return named_after(function, test)


def named_after(function, test):
    test.__name__, test.__module__, test.__doc__ = function.__name__, function.__module__, function.__doc__
    return test


def seqs(conversation, first, last):
    return [(conversation, seq) for seq in range(first, last + 1)]
