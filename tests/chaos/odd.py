"""Observers that behave badly: one stalls, one comes and goes at once, one lies. The contract holds for them as for the others.

Each is a device of its own of a user that has an observer. It behaves well when the run is calm, and must have everything then.
"""
import asyncio
import json
import random

import checker
import observers
import world

FUTURE = 1_000_000  # an ack of an offset so far ahead is of one that was never given out
STALL_S = (1, 6)  # a client that takes nothing for 20 s is closed with 4005
ANSWER_S = 10
RECONNECTS = 0.1  # after a lie


class Staller(observers.Observer):
    """Does not read from its socket for seconds, now and then."""

    PONG_WITHIN_S = 15

    async def live(self):
        await asyncio.gather(super().live(), self._stall())

    async def _stall(self):
        while True:
            await asyncio.sleep(random.uniform(0.5, 1.5) * world.STALL_EVERY_S)
            if self.is_calm or not self.socket:
                continue
            transport, seconds = self.socket.transport, random.uniform(*STALL_S)
            if transport.is_closing():
                continue
            self.history.note(self.name, "Z", int(1000 * seconds))
            transport.pause_reading()
            await asyncio.sleep(seconds)
            if not transport.is_closing():
                transport.resume_reading()


class Flapper(observers.Observer):
    """Connects and closes at once, before hello or soon after it, with a close frame or without one."""

    async def _connect(self):
        closing = asyncio.ensure_future(self._close_soon())
        try:
            await super()._connect()
        finally:
            closing.cancel()

    async def _close_soon(self):
        await self.is_up.wait()  # once
        while not self.socket or self.is_calm:
            await asyncio.sleep(0.01)
        socket = self.socket
        await asyncio.sleep(random.choice((0, random.uniform(0, world.FLAP_EVERY_S))))
        if self.is_calm:
            return
        if random.random() < 0.5:
            socket.transport.abort()
        else:
            await socket.close()


class Liar(observers.Observer):
    """Acks offsets of the future and of the past, sends each of its messages more than once, and connects anew now and then."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.sent, self.answers = 0, {}  # key: future of the answer

    async def live(self):
        await asyncio.gather(super().live(), self._lie())

    async def _lie(self):
        while True:
            await asyncio.sleep(random.expovariate(1 / world.LIE_EVERY_S))
            if self.socket and not self.is_calm and self.offset is not None:
                try:
                    await random.choice((self._ack_the_future, self._ack_the_past, self._repeat))()
                    if random.random() < RECONNECTS:
                        await self.socket.close()
                except (AttributeError, *observers.CONNECTION_ERRORS):  # the socket is gone
                    pass

    async def _ack_the_future(self):
        self.history.note(self.name, "K", self.connections)
        await self.socket.send(json.dumps({"type": "ack", "offset": str(self.offset + FUTURE)}))

    async def _ack_the_past(self):
        await self.socket.send(json.dumps({"type": "ack", "offset": str(max(0, self.offset - random.randrange(1, 100)))}))

    async def _repeat(self):
        """The same message three times, one after the other: over the connection, and by HTTP."""
        self.sent += 1
        conversation, key = random.choice(self.person["conversations"]), f"lie-{self.sent}"
        text = f"lie {self.sent}"
        message = {"client_msg_id": key, "to": conversation["to"], "type": "text", "body": {"text": text}}
        for way in (self._send, self._post, self._send):
            self.history.note(self.name, "S", key, checker.text_hash(self.person["uid"], "text", text))
            code, answer = await way(key, message)
            place = (answer["seq"], answer["msg_id"], int(answer["duplicate"])) if code == "ok" else (0, "-", 0)
            self.history.note(self.name, "A", key, code, conversation["id"], *place)

    async def _send(self, key, message):
        """The code (none: no answer came) and the ack."""
        answer = self.answers[key] = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send(json.dumps({"type": "send", "rid": key, "message": message}))
            frame = await asyncio.wait_for(answer, ANSWER_S)
        except (AttributeError, *observers.CONNECTION_ERRORS):
            return "none", None
        finally:
            del self.answers[key]
        if frame["type"] == "ack":
            return "ok", frame
        return {"unavailable": "503", "rate_limited": "429"}.get(frame["code"], frame["code"]), None

    async def _post(self, _key, message):
        status, answer = await self.asker.once(self.person, "POST", "/v1/messages", None, message)
        return ("ok" if status == 200 else status or "none"), answer

    def answered(self, frame):
        answer = self.answers.get(frame["rid"])
        if answer and not answer.done():
            answer.set_result(frame)


KINDS = {"staller": (1, Staller), world.FLAPPER: (4, Flapper), "liar": (2, Liar)}  # device: which user it is of, and its class
