"""A client of Skein as anybody could write it. It compares every answer and every frame with docs/*.yaml.

    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(gateway=1)
    sent = await alice.say(bob, "hi", at=0)
    message = await phone.message()

A Connection also checks what contract 2 promises: offsets without a hole, first copies in order of seq and without a hole,
the ack of a send before its own message. A violation fails the test at its next use of the connection, at the latest at its
end.
"""
import asyncio
import base64
import contextlib
import itertools
import json
import secrets
import time
import urllib.parse

import aiohttp
import websockets
import yarl

import cluster
import schemas
from frames import frame_of_proto, frame_to_proto
from tokens import mint

PATIENCE_S = 20
ACK_AFTER_S = 0.2  # within this time fewer messages come than a window holds
SUBPROTOCOLS = {False: "skein.v1.json", True: "skein.v1.proto"}

# Why a try may come to nothing. A test whose faults allow one of these says so; any other test fails on it.
REFUSED, CUT, UNAVAILABLE = "nobody listens", "the connection ended without an answer", 503


# ---- names ----

def unique(name):
    return f"{name}-{secrets.token_hex(6)}"


def direct(one, other):
    """The conversation of two users."""
    return "u:" + ":".join(sorted([one.uid, other.uid]))


def text_of(message):
    return message["body"]["text"]


# ---- HTTP ----

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.bytes = status, headers, body
        self.json = None

    @property
    def code(self):
        return self.json.get("code")

    @property
    def field(self):
        return self.json.get("field")

    def expect(self, status, code=None, field=None):
        """Fails unless the answer is this one. `field` "": no field may be named. Returns itself."""
        assert self.status == status, f"{self.status} instead of {status}: {self.bytes[:500]!r}"
        if code:
            assert self.code == code, self.json
        if field is not None:
            assert (self.field or "") == field, self.json
        return self


class Skein:
    """The HTTP session and the connections of one test, closed at its end."""

    def __init__(self, address=None):
        self._session, self._address = None, address
        self._request_ids = itertools.count(1)
        self.connections = []

    def _connector(self):
        return aiohttp.TCPConnector(limit=0, local_addr=self._address and (self._address, 0))

    def from_any_address(self):
        """For servers that are not on 127.0.0.x. Before the first request."""
        self._address = None

    @property
    def session(self):
        if not self._session:
            self._session = aiohttp.ClientSession(connector=self._connector(), auto_decompress=False,
                                                  timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        return self._session

    async def request(self, method, path, *, at=0, token=None, body=None, query=None, headers=None, base=None):
        """`body`: bytes as they are, anything else as JSON; `at`: which im."""
        sent = {"X-Request-Id": f"e2e-{next(self._request_ids)}", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = yarl.URL((base or cluster.HTTP[at]) + path, encoded=True)  # the path goes out as it is
        async with self.session.request(method, url, data=data, params=query, headers=sent) as response:
            answer = Answer(response.status, response.headers, await response.read())
        answer.json = schemas.check_answer(method, path, answer)
        if sent["X-Request-Id"] and "X-Request-Id" in answer.headers:
            assert answer.headers["X-Request-Id"] == sent["X-Request-Id"]
        if answer.status < 300 and schemas.takes_body(method, path) and path != "/v1/messages/batch":
            fault = schemas.request_fault(method, path, schemas.strict_json(data))
            assert not fault, f"{method} {path} took what openapi.yaml does not allow: {fault} in {data[:500]!r}"
        return answer

    async def handshake(self, query, *, gateway=0, token=None, headers=None, method="GET", path="/ws"):
        """The answer of a gateway that does not upgrade (or 101, and the connection is dropped)."""
        sent = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(), **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        url = cluster.WS[gateway].replace("ws://", "http://").removesuffix("/ws") + path
        async with aiohttp.ClientSession() as session, session.request(method, url, params=query, headers=sent) as response:
            body = b"" if response.status == 101 else await response.read()
            answer = Answer(response.status, response.headers, body)
        answer.json = schemas.check_answer(method, path, answer, "Handshake")
        return answer

    def user(self, name, **claims):
        return User(self, unique(name), **claims)

    async def users(self, *names):
        """Users that exist: the first request with a valid token creates a user."""
        users = [self.user(name) for name in names]
        await asyncio.gather(*(user.endpoints() for user in users))
        return users

    async def close(self):
        try:
            await asyncio.gather(*(connection.close() for connection in self.connections))
        finally:
            if self._session:
                await self._session.close()


class Group:
    def __init__(self, made):
        self.gid, self.conversation, self.made = made["group_id"], made["conversation_id"], made


def recipient(to):
    if isinstance(to, dict):
        return to
    return {"group": to.gid} if isinstance(to, Group) else {"user": to.uid}


class User:
    def __init__(self, skein, uid, **claims):
        self.skein, self.uid = skein, uid
        self.fruitless = []  # (im, why) of each try that insist() had to repeat
        self.token = mint({"sub": uid, "iat": int(time.time()), "exp": int(time.time()) + 3600, **claims})

    async def request(self, method, path, **arguments):
        return await self.skein.request(method, path, token=self.token, **arguments)

    async def endpoints(self, at=0):
        return (await self.request("GET", "/v1/endpoints", at=at)).expect(200).json

    def draft(self, to, text="hi", key=None, **fields):
        """The body of a send."""
        return {"client_msg_id": key or unique("k"), "to": recipient(to), "type": "text", "body": {"text": text}, **fields}

    async def post(self, message, at=0):
        return await self.request("POST", "/v1/messages", at=at, body=message)

    async def say(self, to, text="hi", at=0, **fields):
        """Sends a message, which must succeed at once. Returns the JSON of the answer."""
        return (await self.post(self.draft(to, text, **fields), at)).expect(200).json

    async def post_batch(self, messages, at=0):
        return await self.request("POST", "/v1/messages/batch", at=at, body={"messages": messages})

    async def attempt(self, method, path, **arguments):
        """The answer to a request, or why there is none: REFUSED, CUT or UNAVAILABLE. One that does not come in time fails."""
        try:
            answer = await self.request(method, path, **arguments)
        except aiohttp.ServerTimeoutError:
            raise
        except aiohttp.ClientConnectorError:
            return REFUSED
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return CUT
        return UNAVAILABLE if answer.status == 503 else answer

    async def insist(self, message, may, within_s=30, tries=None):
        """
        Repeats the same request at one im after the other until there is an answer, as docs/build/protocol.md tells a client. `may`:
        why a try may come to nothing in this test. Each that does is in `fruitless`. At most `tries` if it is set.
        """
        deadline = time.monotonic() + within_s
        for number in itertools.count():
            at = number % len(cluster.HTTP)
            assert number != tries, f"{tries} tries came to nothing: {self.fruitless[-number:]}"
            outcome = await self.attempt("POST", "/v1/messages", at=at, body=message)
            if isinstance(outcome, Answer):
                return outcome.expect(200).json
            assert outcome in may, f"im {at}: {outcome}, which nothing in this test explains"
            self.fruitless.append((at, outcome))
            assert time.monotonic() < deadline, f"not stored within {within_s} s"
            if at == len(cluster.HTTP) - 1:
                await asyncio.sleep(0.1)
        raise AssertionError("count() does not end")

    async def group(self, *members, at=0, **fields):
        body = {"name": "a group", "members": [member.uid for member in members], **fields}
        return Group((await self.request("POST", "/v1/groups", at=at, body=body)).expect(201).json)

    async def history(self, conversation, at=0, **query):
        """One page, as answered. `conversation` is a group, a user or an id."""
        return await self.request("GET", f"/v1/conversations/{self.conversation(conversation)}/messages", at=at, query=query)

    async def read(self, conversation, at=0, **query):
        return (await self.history(conversation, at, **query)).expect(200).json["messages"]

    async def read_all(self, conversation, after=0, at=0):
        messages = []
        while True:
            page = (await self.history(conversation, at, after_seq=after, limit=200)).expect(200).json
            messages += page["messages"]
            if "next_cursor" not in page:
                return messages
            after = int(page["next_cursor"])

    async def sync(self, at=0, **query):
        """One page of the inbox as it is answered."""
        return await self.request("GET", "/v1/sync", at=at, query=query)

    async def sync_all(self, epoch=None, offset=None, at=0, **query):
        """Reads all entries after a valid position, page by page. Returns (messages, epoch, next offset)."""
        entries = []
        while True:
            position = {} if epoch is None else {"epoch": epoch, "offset": offset}
            page = (await self.sync(at, **position, **query)).expect(200).json
            assert not page["reset"], page
            offsets = [int(entry["offset"]) for entry in page["messages"]]
            first = int(offset) + 1 if offset is not None else offsets[0] if offsets else 1
            assert offsets == list(range(first, first + len(offsets))), "a hole in the offsets"
            entries += [entry["message"] for entry in page["messages"]]
            epoch, offset = page["epoch"], page["next_offset"]
            if not page["more"]:
                assert offset == page["head"]
                return entries, epoch, offset

    async def sync_until(self, condition, within_s=30, **query):
        """Syncs from the oldest entry until the condition holds: entries come a moment after the 200 of their send."""
        deadline = time.monotonic() + within_s
        while not condition(found := (await self.sync_all(**query))[0]):
            assert time.monotonic() < deadline, f"not in the inbox within {within_s} s; there are {len(found)} messages"
            await asyncio.sleep(0.05)
        return found

    def conversation(self, other):
        if isinstance(other, Group):
            return other.conversation
        return direct(self, other) if isinstance(other, User) else other

    async def connect(self, gateway=0, device="phone", platform="ios", proto=False, in_header=False, acks=True, **query):
        """A connection that has said hello. It acknowledges what it gets, unless `acks` is False."""
        connection = await self.open(gateway, device, platform, proto, in_header, acks, **query)
        connection.hello = await connection.expect("hello")
        assert connection.hello["uid"] == self.uid and connection.hello["device"] == device
        return connection

    async def open(self, gateway=0, device="phone", platform="ios", proto=False, in_header=False, acks=True, **query):
        """A connection that may not have got its hello yet."""
        query.update(device=device, platform=platform)
        headers = {}
        if in_header:
            headers["Authorization"] = f"Bearer {self.token}"
        else:
            query["token"] = self.token
        socket = await websockets.connect(
            f"{cluster.WS[gateway]}?{urllib.parse.urlencode(query)}", subprotocols=[SUBPROTOCOLS[proto]],
            extra_headers=headers, ping_interval=None, max_size=None, open_timeout=PATIENCE_S, close_timeout=PATIENCE_S)
        assert socket.subprotocol == SUBPROTOCOLS[proto]
        connection = Connection(self, socket, proto, acks and str(query.get("ack", 1)) != "0",
                                (query.get("epoch"), query.get("offset")))
        self.skein.connections.append(connection)
        return connection


# ---- WebSocket ----

class Closed(AssertionError):
    pass


class Connection:
    def __init__(self, user, socket, proto, acks, position=(None, None)):
        self.user, self.socket, self.proto, self.acks = user, socket, proto, acks
        self.hello = None
        self.log = []  # every frame, in the order in which they came
        self.close_code = None
        self.repeats = 0
        self._messages, self._events, self._others = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self._fault = None
        self._position = position  # epoch and offset of the handshake
        self._head = None  # of hello
        self._offset = None  # of the last message; None: the next one may have any offset
        self._to_ack = None  # an offset
        self._acker = None
        self._seqs = {}  # conversation: the seqs that came
        self._may_skip = set()  # conversations to be read after a resync: the next new seq may be any later one
        self._sending = {}  # rid: client_msg_id, of sends without an answer
        self._answered = set()  # client_msg_ids of the others
        self._rids = itertools.count(1)
        self._reader = asyncio.ensure_future(self._read())

    # -- what comes in --

    async def _read(self):
        try:
            async for data in self.socket:
                self._take(data)
        except websockets.ConnectionClosedError:
            pass
        except Exception as error:  # an undocumented frame or a violation of the contract
            self._fault = error
        if self._acker:
            self._acker.cancel()
        self.close_code = self.socket.close_code
        for queue in self._messages, self._events, self._others:
            queue.put_nowait(None)

    def _take(self, data):
        assert isinstance(data, bytes) == self.proto, "the wrong kind of frame for the subprotocol"
        assert len(data) <= 256 * 1024
        frame = frame_of_proto(data) if self.proto else schemas.strict_json(data)
        schemas.check_frame(frame)
        assert self.log or frame["type"] == "hello", f"before hello: {frame}"
        self.log.append(frame)
        if frame["type"] == "message":
            self._take_message(frame)
            return
        if frame["type"] == "event":
            self._events.put_nowait(frame)
            return
        if frame["type"] == "hello":
            self._head = int(frame["head"])
            self._offset = self._start(frame)
        elif frame["type"] in ("resync", "sync_more"):
            self._offset = self._head if frame["type"] == "sync_more" else None
            self._to_ack = None
            self._may_skip = set(self._seqs)
        self._answered.add(self._sending.pop(frame.get("rid"), None))
        self._others.put_nowait(frame)

    def _start(self, hello):
        """The offset after which the first message comes."""
        epoch, offset = self._position
        if epoch != hello["epoch"] or int(offset) > self._head:
            return self._head
        return int(offset)

    async def _ack_soon(self):
        await asyncio.sleep(ACK_AFTER_S)
        self._acker = None
        if self._to_ack is not None:
            with contextlib.suppress(websockets.ConnectionClosed):
                await self.ack(self._to_ack)

    def _take_message(self, frame):
        offset, message = int(frame["offset"]), frame["message"]
        if not self.acks and self._offset is not None and offset <= self._offset:
            self.repeats += 1  # sent again, since it was not acknowledged
            return
        if self.acks:
            self._to_ack = offset
            self._acker = self._acker or asyncio.ensure_future(self._ack_soon())
        assert self._offset is None or offset == self._offset + 1, f"offset {offset} after {self._offset}"
        self._offset = offset
        assert message.get("client_msg_id") not in set(self._sending.values()) - self._answered, \
            "a message came before the ack of its send"
        has_key = message["from"] == self.user.uid and message["type"] in schemas.CONTENT_TYPES
        assert ("client_msg_id" in message) == has_key, "only the sender sees its key, and only messages have one"
        if self._is_first_copy(message["conversation_id"], message["seq"]):
            self._messages.put_nowait(message)
        else:
            self.repeats += 1

    def _is_first_copy(self, conversation, seq):
        came = self._seqs.get(conversation)
        if came is None:
            self._seqs[conversation] = {seq}
            return True
        if seq in came:
            return False
        assert seq == max(came) + 1 or (conversation in self._may_skip and seq > max(came)), \
            f"seq {seq} of {conversation} after {max(came)}"
        self._may_skip.discard(conversation)
        came.add(seq)
        return True

    async def _next(self, queue, within_s):
        if self._fault:
            raise self._fault
        try:
            item = await asyncio.wait_for(queue.get(), within_s)
        except TimeoutError:
            raise AssertionError(f"nothing came to {self.user.uid} within {within_s} s; before: {self.log[-5:]}") from None
        if item is None:
            queue.put_nowait(None)
            if self._fault:
                raise self._fault
            raise Closed(f"the connection of {self.user.uid} was closed with {self.close_code}")
        return item

    async def message(self, within_s=PATIENCE_S):
        """The next message, each once."""
        return await self._next(self._messages, within_s)

    async def messages(self, count, within_s=PATIENCE_S):
        return [await self.message(within_s) for _ in range(count)]

    async def event(self, kind, within_s=PATIENCE_S, **fields):
        """
        The next event. It must be of this kind. Friends may come online meanwhile, and a group that was just made may be told of: that is
        passed over unless it is asked for, with these fields.
        """
        while (frame := await self._next(self._events, within_s))["kind"] in ("presence", "group"):
            if frame["kind"] == kind and all(frame[name] == value for name, value in fields.items()):
                break
        assert frame["kind"] == kind, frame
        return frame

    async def expect(self, kind, within_s=PATIENCE_S):
        """The next frame that is neither a message nor an event. It must be of this type."""
        frame = await self._next(self._others, within_s)
        assert frame["type"] == kind, frame
        return frame

    async def closed(self, within_s=PATIENCE_S):
        """The code with which the server closes it."""
        await asyncio.wait_for(asyncio.shield(self._reader), within_s)
        if self._fault:
            raise self._fault
        schemas.check_close(self.close_code)
        return self.close_code

    # -- what goes out --

    async def send(self, **frame):
        data = frame_to_proto(frame).SerializeToString() if self.proto else json.dumps(frame)
        await self.socket.send(data)

    async def send_raw(self, data):
        await self.socket.send(data)

    async def post(self, to, text="hi", rid=None, **fields):
        """Sends a message over this connection and returns its rid. Does not wait for the answer."""
        rid = rid or str(next(self._rids))
        message = self.user.draft(to, text, **fields)
        frame = {"type": "send", "rid": rid, "message": message}
        assert not schemas.client_frame_fault(frame)
        self._sending[rid] = message["client_msg_id"]
        await self.send(**frame)
        return rid

    async def say(self, to, text="hi", **fields):
        """Sends a message, which must succeed. Returns the ack."""
        rid = await self.post(to, text, **fields)
        ack = await self.expect("ack")
        assert ack["rid"] == rid
        return ack

    async def ack(self, offset):
        await self.send(type="ack", offset=str(offset))

    async def ping(self):
        await self.send(type="ping")
        await self.expect("pong")

    async def close(self):
        await self.socket.close()
        await self._reader
        if self._fault and not isinstance(self._fault, asyncio.CancelledError):
            raise self._fault
