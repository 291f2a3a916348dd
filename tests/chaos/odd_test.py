"""The odd clients at a played gateway: they do what the checker expects of them."""
import asyncio
import json

import websockets

import observers
import odd
import world

HEAD = 7


class Gateway:
    """Says hello, refuses acks of the future, and answers sends."""

    def __init__(self):
        self.connections, self.open, self.sent, self.errors = 0, set(), {}, 0

    async def serve(self, socket):
        self.connections += 1
        self.open.add(socket)
        try:
            await socket.send(json.dumps({"type": "hello", "epoch": "e", "head": str(HEAD)}))
            async for data in socket:
                await self.take(socket, json.loads(data))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.open.discard(socket)

    async def take(self, socket, frame):
        if frame["type"] == "ack" and int(frame["offset"]) > HEAD:
            self.errors += 1
            await socket.send(json.dumps({"type": "error", "code": "invalid_argument", "message": "never given out"}))
        elif frame["type"] == "send":
            await socket.send(json.dumps({"type": "ack", "rid": frame["rid"], **self.answer(frame["message"])}))

    def answer(self, message):
        key = message["client_msg_id"]
        is_known = key in self.sent
        seq = self.sent.setdefault(key, len(self.sent) + 1)
        return {"seq": seq, "msg_id": f"m{seq}", "duplicate": is_known}


class History:
    def __init__(self):
        self.lines = []

    def note(self, _device, *fields):
        self.lines.append(fields)

    def count(self, letter):
        return sum(fields[0] == letter for fields in self.lines)

    def close(self):
        pass


class Asker:
    """Plain POSTs end at the same played service."""

    def __init__(self, gateway):
        self.gateway = gateway

    async def once(self, _person, _method, _path, _at=None, body=None):
        return 200, self.gateway.answer(body)


def test_a_task_that_misses_the_first_request_to_end_gets_another():
    async def deaf():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(60)

    async def run():
        task = asyncio.ensure_future(deaf())
        await asyncio.sleep(0)
        await asyncio.wait_for(observers.cancel([task]), 10)
        return task.cancelled()
    assert asyncio.run(run())


def play(kind, until):
    """Lets a client live until `until(history, gateway)`. Its history, and what the gateway has seen."""
    async def run():
        gateway, history = Gateway(), History()
        async with websockets.serve(gateway.serve, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
            person = {"uid": "u", "token": "t", "conversations": [{"id": "u:u:v", "to": {"user": "v"}}]}
            client = kind(person, "odd", [url], Asker(gateway), history)
            living = asyncio.ensure_future(client.live())
            async with asyncio.timeout(30):
                while not until(history, gateway):
                    await asyncio.sleep(0.01)
                    assert not living.done(), living.result()
            await observers.cancel([living])
        return history, gateway
    return asyncio.run(run())


def test_the_flapper_closes_and_comes_back(monkeypatch):
    monkeypatch.setattr(world, "FLAP_EVERY_S", 0.02)
    history, gateway = play(odd.Flapper, lambda history, _gateway: history.count("D") >= 4)
    assert gateway.connections >= 4 and history.count("C") >= 4


def test_the_staller_does_not_read_while_it_says_so(monkeypatch):
    monkeypatch.setattr(world, "STALL_EVERY_S", 0.05)
    monkeypatch.setattr(odd, "STALL_S", (0.05, 0.1))
    history, _ = play(odd.Staller, lambda history, _gateway: history.count("Z") >= 3)
    assert all(50 <= fields[1] <= 100 for fields in history.lines if fields[0] == "Z")


def test_the_liar_writes_down_its_lies_and_their_answers(monkeypatch):
    monkeypatch.setattr(world, "LIE_EVERY_S", 0.01)
    history, gateway = play(odd.Liar, lambda history, gateway: history.count("E") >= 3 and len(gateway.sent) >= 3)
    assert history.count("K") >= gateway.errors >= history.count("E") >= 3
    answers = [fields for fields in history.lines if fields[0] == "A" and fields[1] == "lie-1"]
    assert [fields[2:] for fields in answers] == [("ok", "u:u:v", 1, "m1", copy) for copy in (0, 1, 1)]
    assert sum(fields[:2] == ("S", "lie-1") for fields in history.lines) == 3
