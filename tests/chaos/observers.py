"""Frames as they come over the wire, which libclient does not show. Also plain sends, which are not repeated.

An Observer is a client of its own (nothing of libclient/ is in it) on a device of its own, which writes down every frame with
its connection and offset, and hands over like any other.
"""
import asyncio
import collections
import json
import random
import time
import urllib.parse

import aiohttp
import websockets

import checker

PAGE = 200
WITHIN_S = 10
CONNECTION_ERRORS = (OSError, asyncio.TimeoutError, websockets.WebSocketException)


def now_ms():
    return int(time.time() * 1000)


async def cancel(tasks):
    """Until they have ended: asyncio.wait_for() may swallow the request when what it waits for ends at that moment."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=1)


class History:
    def __init__(self, path):
        self.file = open(path, "w", encoding="ascii")  # pylint: disable=consider-using-with

    def note(self, device, *fields):
        self.file.write(f"{now_ms()} {device} {' '.join(map(str, fields))}\n")

    def close(self):
        self.file.close()


def hash_of(message):
    return checker.text_hash(message["from"], message["type"], message.get("body", {}).get("text", "\x01"))


class Asker:
    """HTTP as a user, at any im, with patience."""

    def __init__(self, session, bases):
        self.session, self.bases = session, bases

    async def once(self, person, method, path, at=None, body=None, **query):
        """Status (None: no answer) and JSON."""
        base = self.bases[at] if at is not None else random.choice(self.bases)
        headers = {"Authorization": f"Bearer {person['token']}"}
        try:
            async with self.session.request(method, base + path, headers=headers, json=body, params=query) as answer:
                return answer.status, await answer.json(content_type=None)
        except (TimeoutError, aiohttp.ClientError, ValueError):
            return None, None

    async def get(self, person, path, may_be_refused=False, **query):
        """None: refused, because the user may not be a member any more."""
        while True:
            status, answer = await self.once(person, "GET", path, **query)
            if status == 200:
                return answer
            if status == 403 and may_be_refused:
                return None
            if status is not None and status not in (429, 503):
                raise RuntimeError(f"GET {path}: {status} {answer}")
            await asyncio.sleep(0.3)


async def probe(session, services):
    """Asks each service every second whether it is ready, as a load balancer does. No link stays idle for longer."""
    async def ask(base):
        try:
            async with session.get(f"{base}/readyz", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                await answer.read()
        except CONNECTION_ERRORS + (aiohttp.ClientError,):
            pass  # a fault; the answer is of no interest
    while True:
        await asyncio.gather(*map(ask, services), asyncio.sleep(1))


class Observer:
    PONG_WITHIN_S = 5

    def __init__(self, person, device, gateways, asker, history):
        self.person, self.gateways, self.asker, self.history = person, gateways, asker, history
        self.device, self.name = device, f"{person['uid']}/{device}"
        self.epoch = self.offset = None
        self.last = collections.defaultdict(int)
        self.connections = 0
        self.is_up = asyncio.Event()
        self.is_calm = False
        self.socket = None  # while it is connected
        history.note(self.name, "L", 1, 0, 0, 9)

    async def live(self):
        while True:
            try:
                await self._connect()
            except CONNECTION_ERRORS:
                pass
            await asyncio.sleep(random.uniform(0.1, 1))

    async def _connect(self):
        query = {"token": self.person["token"], "device": self.device, "platform": "desktop"}
        if self.epoch:
            query.update(epoch=self.epoch, offset=self.offset)
        url = f"{random.choice(self.gateways)}?{urllib.parse.urlencode(query)}"
        async with websockets.connect(url, ping_interval=5, ping_timeout=self.PONG_WITHIN_S, max_size=None, open_timeout=5,
                                      close_timeout=1) as socket:
            self.connections += 1
            self.socket = socket
            self.history.note(self.name, "C", self.connections, self.epoch or "-", "-" if self.epoch is None else self.offset)
            try:
                async for data in socket:
                    await self._take(socket, json.loads(data))
            finally:
                self.socket = None
                self.history.note(self.name, "D", self.connections)

    async def _take(self, socket, frame):
        kind = frame["type"]
        if kind == "hello":
            self.history.note(self.name, "H", self.connections, frame["epoch"], frame["head"])
            if self.epoch is None:
                self.epoch, self.offset = frame["epoch"], int(frame["head"])
            self.is_up.set()
        elif kind == "message":
            message = frame["message"]
            self.history.note(self.name, "F", self.connections, frame["offset"], message["conversation_id"], message["seq"])
            await self._take_message(int(frame["offset"]), message)
            await socket.send(json.dumps({"type": "ack", "offset": str(frame["offset"])}))
        elif kind == "sync_more":
            self.history.note(self.name, "Y", self.connections, frame["next_offset"])
            await self._sync()
        elif kind == "resync":
            self.history.note(self.name, "R", self.connections, frame["epoch"])
            await self._sync()
        elif kind == "event" and frame["kind"] == "group":
            self.history.note(self.name, "T", self.connections, frame["op"], "g:" + frame["group_id"])
        elif frame.get("rid"):
            self.answered(frame)
        elif kind == "error":
            self.history.note(self.name, "E", self.connections, frame["code"])

    def answered(self, frame):
        """To a frame of the client's. An observer sends none that has an answer."""

    async def _take_message(self, offset, message):
        if offset > self.offset + 1:
            await self._sync() # the checker decides whether that was right
        if offset == self.offset + 1:
            self.offset = offset
            self._hand_over(message)

    def _hand_over(self, message):
        conversation, seq = message["conversation_id"], message["seq"]
        if seq <= self.last[conversation]:
            return
        self.last[conversation] = seq
        self.history.note(self.name, "M", conversation, seq, message["msg_id"], hash_of(message), "-")

    async def _sync(self):
        more = True
        while more:
            page = await self.asker.get(self.person, "/v1/sync", epoch=self.epoch, offset=self.offset, limit=PAGE)
            if page["reset"]:
                await self._reset(page)
            else:
                for item in page["messages"]:
                    self._hand_over(item["message"])
                self.offset = int(page["next_offset"])
            more = page["more"]

    async def _reset(self, page):
        for entry in page["conversations"]:
            conversation = entry["conversation_id"]
            while self.last[conversation] < entry["last_seq"]:
                history = await self.asker.get(self.person, f"/v1/conversations/{conversation}/messages", may_be_refused=True,
                                               after_seq=self.last[conversation], limit=PAGE)
                if not history or not history["messages"]:
                    break
                for message in history["messages"]:
                    self._hand_over(message)
        self.epoch, self.offset = page["epoch"], int(page["next_offset"])


class PlainSender:
    """Sends each message once, or the same one twice at the same time, and records whatever answer comes."""

    def __init__(self, people, asker, history, rng):
        self.people, self.asker, self.history, self.rng = people, asker, history, rng
        self.sent = 0

    async def live(self, per_s):
        tasks = set()
        try:
            while True:
                tasks.add(asyncio.ensure_future(self._send()))
                tasks = {task for task in tasks if not task.done()}
                await asyncio.sleep(self.rng.expovariate(per_s))
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self):
        person = self.rng.choice(self.people)
        conversation = self.rng.choice(person["conversations"])
        self.sent += 1
        key, name = f"plain-{self.sent}", f"{person['uid']}/plain"
        text = f"plain {self.sent}"
        self.history.note(name, "S", key, checker.text_hash(person["uid"], "text", text))
        body = {"client_msg_id": key, "to": conversation["to"], "type": "text", "body": {"text": text}}
        places = self.rng.choice([[0], [1], [0, 1]])
        await asyncio.gather(*(self._post(person, name, key, conversation["id"], body, at) for at in places))

    async def _post(self, person, name, key, conversation, body, at):
        status, answer = await self.asker.once(person, "POST", "/v1/messages", at, body)
        if status == 200:
            self.history.note(name, "A", key, "ok", conversation, answer["seq"], answer["msg_id"], int(answer["duplicate"]))
        else:
            self.history.note(name, "A", key, status or "none", conversation, 0, "-", 0)
