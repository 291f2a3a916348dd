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

import aiohttp
import websockets

import cluster
import schemas

PAGE = 100


class Phone:
    def __init__(self, user, device="phone", gateway=None):
        self.user, self.device, self.gateway = user, device, gateway
        self.epoch = self.offset = None
        self.messages = []  # in the order in which the application got them
        self.last = collections.defaultdict(int)  # conversation: its last seq
        self.repeats = self.resyncs = self.resets = self.connects = 0
        self.socket = None
        self.told = []  # where to go, each time
        self._target = None
        self._sends = {}  # rid: future of the answer
        self._rids = itertools.count(1)
        self._came = asyncio.Event()
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
            self.socket.transport.abort()

    async def has(self, count, within_s=60):
        """Waits until this many messages came. Fails as soon as the phone sees a violation."""
        deadline = asyncio.get_running_loop().time() + within_s
        while len(self.messages) < count:
            self._came.clear()
            waits = [asyncio.ensure_future(self._came.wait()), self._task]
            await asyncio.wait(waits, timeout=deadline - asyncio.get_running_loop().time(),
                               return_when=asyncio.FIRST_COMPLETED)
            waits[0].cancel()
            if self._task.done():
                raise self._task.exception()
            assert asyncio.get_running_loop().time() < deadline, \
                f"{self.user.uid} has {len(self.messages)} of {count} messages within {within_s} s"

    async def _live(self):
        while True:
            try:
                await self._connect()
            except (TimeoutError, OSError, aiohttp.ClientError, websockets.WebSocketException):
                pass
            await asyncio.sleep(random.uniform(0.02, 0.1))

    async def _connect(self):
        query = {"token": self.user.token, "device": self.device, "platform": "android"}
        if self.epoch:
            query.update(epoch=self.epoch, offset=self.offset)
        url = self._target or (cluster.WS[self.gateway] if self.gateway is not None else random.choice(cluster.WS))
        self._target = None
        async with websockets.connect(f"{url}?{urllib.parse.urlencode(query)}", ping_interval=None, max_size=None,
                                      open_timeout=20, close_timeout=1) as socket:
            self.socket = socket
            self.connects += 1
            try:
                async for data in socket:
                    frame = schemas.strict_json(data)
                    schemas.check_frame(frame)
                    await self._take(frame)
            finally:
                self._lose_sends()

    # -- frames --

    async def _take(self, frame):
        kind = frame["type"]
        if kind == "hello":
            self._head = int(frame["head"])
            if self.epoch is None:
                self.epoch, self.offset = frame["epoch"], self._head
        elif kind == "message":
            self._take_live(frame)
            await self.socket.send(json.dumps({"type": "ack", "offset": str(self.offset)}))
        elif kind == "sync_more":
            assert int(frame["next_offset"]) == self.offset, "it goes on where the frames ended"
            await self._sync()
        elif kind == "resync":
            self.resyncs += 1
            await self._sync()
        elif kind == "reconnect":
            self.told.append(frame.get("url"))
            asyncio.get_running_loop().call_later(frame["after_ms"] / 1000, self._leave, self.socket, frame.get("url"))
        elif kind in ("ack", "error") and frame.get("rid") in self._sends:
            self._sends.pop(frame["rid"]).set_result(frame)

    def _leave(self, socket, url):
        if socket is self.socket:
            self._target = url
            self._closing = asyncio.ensure_future(socket.close())

    # -- sends over the connection --

    def _lose_sends(self):
        for future in self._sends.values():
            future.cancel()
        self._sends.clear()

    async def send(self, message, within_s=60):
        """Repeats the send until there is an answer, which must be an ack. A lost connection is no answer."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            assert asyncio.get_running_loop().time() < deadline, f"no answer within {within_s} s"
            rid, answer = str(next(self._rids)), asyncio.get_running_loop().create_future()
            with contextlib.suppress(websockets.ConnectionClosed, AttributeError):
                self._sends[rid] = answer
                await self.socket.send(json.dumps({"type": "send", "rid": rid, "message": message}))
                await asyncio.wait([answer], timeout=20)
                if answer.done() and not answer.cancelled():
                    assert answer.result()["type"] == "ack", answer.result()
                    return answer.result()
            self._sends.pop(rid, None)
            await asyncio.sleep(0.1)

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
        while True:
            answer = await self.user.request("GET", path, at=random.randrange(len(cluster.HTTP)), query=query)
            if answer.status != 503:
                return answer.expect(200).json
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
