"""A client as docs/build/client.md says one is written: it connects, syncs, acks, comes back, and never misses a message.

It keeps its messages in the order in which they came (`messages`), each once, and fails on anything that the contract does
not allow. It shares no code with libclient/, so that the two cannot share a mistake.
"""
import asyncio
import collections
import contextlib
import itertools
import json
import random
import urllib.parse

import websockets

import cluster
import schemas
from client import CUT, REFUSED, Answer

PAGE = 100
ACK_AFTER_S, ACK_EACH = 0.2, 64  # acks count as frames, of which it may send 100 a second
ANSWER_S = 20  # no request takes so long
LEFT = "it left by itself"


class Phone:
    def __init__(self, user, device="phone", gateway=None, may=()):
        """
        `may`: what the faults of this test may do to it: the close codes of its connections, the HTTP status of a handshake,
        REFUSED, CUT, or UNAVAILABLE as the answer to a request. Anything else fails it.
        """
        self.user, self.device, self.gateway, self.may = user, device, gateway, frozenset(may)
        self.epoch = self.offset = None
        self.messages = []  # in the order in which the application got them
        self.last = collections.defaultdict(int)  # conversation: its last seq
        self.repeats = self.resyncs = self.resets = self.connects = self.lost_sends = 0
        self.suffered = collections.Counter()  # how often each of `may` happened
        self.socket = None
        self.told = []  # where to go, each time
        self._target = None
        self._left = None  # the connection that it left by itself
        self._unacked = 0  # messages since the last ack
        self._sends = {}  # rid: future of the answer, None if the connection ended before it came
        self._rids = itertools.count(1)
        self._came, self._is_up = asyncio.Event(), asyncio.Event()
        self._task = self._closing = None

    # -- life --

    def start(self):
        self._task = asyncio.ensure_future(self._live())

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._task.done() and not self._task.cancelled() and self._task.exception():
            raise self._task.exception()

    def drop(self):
        """Drops the connection without a close frame."""
        if self.socket:
            self._left = self.socket
            self.socket.transport.abort()

    async def is_connected(self, within_s=30):
        await self._until(self._is_up, within_s, "not connected")

    async def has(self, count, within_s=60):
        """Waits until this many messages came."""
        deadline = asyncio.get_running_loop().time() + within_s
        while len(self.messages) < count:
            self._came.clear()
            await self._until(self._came, deadline - asyncio.get_running_loop().time(),
                              f"{len(self.messages)} of {count} messages within {within_s} s")

    async def _until(self, event, within_s, what):
        """Waits for the event. Fails as soon as the phone sees a violation."""
        wait = asyncio.ensure_future(event.wait())
        await asyncio.wait([wait, self._task], timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        happened = wait.done()  # the event may have been cleared since
        wait.cancel()
        if self._task.done():
            raise self._task.exception()
        assert happened, f"{self.user.uid}: {what}"

    def _suffer(self, what):
        assert what in self.may, f"{self.user.uid}, connection {self.connects}: {what}, which nothing in this test explains"
        self.suffered[what] += 1

    async def _live(self):
        while True:
            end = await self._connect()
            if asyncio.current_task().cancelling():
                raise asyncio.CancelledError  # websockets takes it for the end of its close()
            if end != LEFT:
                self._suffer(end)
            await asyncio.sleep(random.uniform(0.02, 0.1))

    async def _connect(self):
        """A connection from its begin to its end. Returns why it ended."""
        socket = None
        try:
            async with self._dial() as socket:
                await self._use(socket)
        except websockets.InvalidStatusCode as error:
            return error.status_code
        except websockets.ConnectionClosed:
            pass
        except TimeoutError:  # an OSError, and never allowed
            raise
        except ConnectionRefusedError:
            return REFUSED
        except (OSError, websockets.InvalidMessage):
            return CUT
        if socket and socket is self._left:
            return LEFT
        return socket.close_code if socket and socket.close_code != 1006 else CUT

    def _dial(self):
        query = {"token": self.user.token, "device": self.device, "platform": "android"}
        if self.epoch:
            query.update(epoch=self.epoch, offset=self.offset)
        url = self._target or (cluster.WS[self.gateway] if self.gateway is not None else random.choice(cluster.WS))
        self._target = None
        return websockets.connect(f"{url}?{urllib.parse.urlencode(query)}", ping_interval=None, max_size=None,
                                  open_timeout=ANSWER_S, close_timeout=1)

    async def _use(self, socket):
        self.socket = socket
        self.connects += 1
        self._unacked = 0
        try:
            async for data in socket:
                frame = schemas.strict_json(data)
                schemas.check_frame(frame)
                await self._take(frame)
        finally:
            self._is_up.clear()
            for answer in self._sends.values():
                if not answer.done():
                    answer.set_result(None)
            self._sends.clear()

    # -- frames --

    async def _take(self, frame):
        kind = frame["type"]
        if kind == "hello":
            self._head = int(frame["head"])
            if self.epoch is None:
                self.epoch, self.offset = frame["epoch"], self._head
            self._is_up.set()
        elif kind == "message":
            self._take_live(frame)
            await self._ack_in_time()
        elif kind == "sync_more":
            assert int(frame["next_offset"]) == self.offset, "it goes on where the frames ended"
            self._unacked = 0
            await self._sync()
        elif kind == "resync":
            self.resyncs += 1
            self._unacked = 0
            await self._sync()
        elif kind == "reconnect":
            self.told.append(frame.get("url"))
            asyncio.get_running_loop().call_later(frame["after_ms"] / 1000, self._leave, self.socket, frame.get("url"))
        elif kind in ("ack", "error") and frame.get("rid") in self._sends:
            self._sends.pop(frame["rid"]).set_result(frame)
        else:
            assert kind == "event", f"nobody asked for {frame}"

    async def _ack_in_time(self):
        self._unacked += 1
        if self._unacked == 1:
            asyncio.get_running_loop().call_later(ACK_AFTER_S, lambda socket: asyncio.ensure_future(self._ack(socket)), self.socket)
        elif self._unacked == ACK_EACH:
            await self._ack(self.socket)

    async def _ack(self, socket):
        if socket is self.socket and self._unacked:
            self._unacked = 0
            with contextlib.suppress(websockets.ConnectionClosed):
                await socket.send(json.dumps({"type": "ack", "offset": str(self.offset)}))

    def _leave(self, socket, url):
        if socket is self.socket:
            self._closing = asyncio.ensure_future(self._leave_when_answered(socket, url))

    async def _leave_when_answered(self, socket, url):
        """A gateway that drains answers the sends that it has."""
        self._is_up.clear()
        if self._sends:
            await asyncio.wait(list(self._sends.values()), timeout=ANSWER_S)
        self._target, self._left = url, socket
        await socket.close()

    # -- sends over the connection --

    async def send(self, message):
        """Repeats the send until there is an answer, which must be an ack. The end of the connection is no answer."""
        while True:
            while not self._is_up.is_set():
                await self.is_connected()
            rid, answer = str(next(self._rids)), asyncio.get_running_loop().create_future()
            self._sends[rid] = answer
            with contextlib.suppress(websockets.ConnectionClosed):
                await self.socket.send(json.dumps({"type": "send", "rid": rid, "message": message}))
            frame = await asyncio.wait_for(answer, ANSWER_S)
            if frame:
                assert frame["type"] == "ack", frame
                return frame
            self.lost_sends += 1

    def _take_live(self, frame):
        offset = int(frame["offset"])
        if offset <= self.offset:
            self.repeats += 1
            return
        assert offset == self.offset + 1, f"offset {offset} after {self.offset}, on {self.user.uid}'s connection {self.connects}"
        self.offset = offset
        self._hand_over(frame["message"])

    def _hand_over(self, message):
        conversation, seq = message["conversation_id"], message["seq"]
        if seq <= self.last[conversation]:
            self.repeats += 1
            return
        assert seq == self.last[conversation] + 1, f"{conversation}: {seq} after {self.last[conversation]}"
        self.last[conversation] = seq
        self.messages.append(message)
        self._came.set()

    # -- HTTP --

    async def _get(self, path, **query):
        """Repeats the request at any im while it comes to nothing for a reason that the test allows."""
        deadline = asyncio.get_running_loop().time() + 30
        while True:
            outcome = await self.user.attempt("GET", path, at=random.randrange(len(cluster.HTTP)), query=query)
            if isinstance(outcome, Answer):
                return outcome.expect(200).json
            self._suffer(outcome)
            assert asyncio.get_running_loop().time() < deadline, f"{path}: still {outcome}"
            await asyncio.sleep(0.1)

    async def _sync(self):
        more = True
        while more:
            page = await self._get("/v1/sync", epoch=self.epoch, offset=self.offset, limit=PAGE)
            if page["reset"]:
                await self._reset(page)
            else:
                assert page["epoch"] == self.epoch
                for item in page["messages"]:
                    assert int(item["offset"]) == self.offset + 1, f"sync gave {item['offset']} after {self.offset}"
                    self.offset += 1
                    self._hand_over(item["message"])
                assert int(page["next_offset"]) == self.offset
            more = page["more"]

    async def _reset(self, page):
        self.resets += 1
        for entry in page["conversations"]:
            conversation = entry["conversation_id"]
            while self.last[conversation] < entry["last_seq"]:
                history = await self._get(f"/v1/conversations/{conversation}/messages", after_seq=self.last[conversation],
                                          limit=200)
                for message in history["messages"]:
                    self._hand_over(message)
        self.epoch, self.offset = page["epoch"], int(page["next_offset"])
