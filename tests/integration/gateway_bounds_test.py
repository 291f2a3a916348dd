"""The limits of a gateway on what its peers may cost in all (gateway_fixture.py)."""
import asyncio
import contextlib
import json
import socket

import grpc
import pytest
import websockets

from gateway_fixture import appended, epoch_text, raw_handshake, scenario
from gateway_peers_fixture import PATIENCE_S, delivery_pb


def masked(first, payload=b""):
    """A client's frame of less than 126 bytes; the mask is 0."""
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


class Frames:
    """Reads the server's frames from a bare socket."""

    def __init__(self, raw):
        self.raw, self.got = raw, b""

    async def fill(self, size):
        while len(self.got) < size:
            piece = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.raw, 65536), PATIENCE_S)
            assert piece, "the connection ended"
            self.got += piece

    async def next(self):
        """(first byte, payload)"""
        await self.fill(2)
        size, head = self.got[1], 2
        if size >= 126:
            head = 4 if size == 126 else 10
            await self.fill(head)
            size = int.from_bytes(self.got[2:head], "big")
        await self.fill(head + size)
        frame = self.got[0], self.got[head:head + size]
        self.got = self.got[head + size:]
        return frame

    async def expect(self, kind):
        first, payload = await self.next()
        assert first == 0x81 and json.loads(payload)["type"] == kind, (first, payload[:200])
        return json.loads(payload)


def connect_raw(g):
    raw = socket.create_connection(("127.0.0.1", g.ws_port), PATIENCE_S)
    raw.sendall(b"GET /ws?")
    return raw


def is_over(raw):
    with contextlib.suppress(ConnectionError):
        return raw.recv(1) == b""
    return True


# ---- before hello ----

@scenario(ws_workers=4, ws_max_connections=3)
async def test_the_limit_of_connections_is_that_of_all_workers(g):
    for i in range(3):
        await g.connect(f"u{i}")
    for i in range(8):  # the kernel spreads them over the workers
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await g.open(f"v{i}")
        assert refused.value.status_code == 503
    assert await g.metric("skein_gateway_connections") == 3


@scenario(ws_workers=4, ws_handshakes=6)
async def test_handshakes_of_all_workers_are_bounded(g):
    raws = [connect_raw(g) for _ in range(6)]
    async def under_way():
        return await g.metric("skein_gateway_handshakes_under_way") == 6
    await g.becomes(under_way)
    for _ in range(4):
        late = connect_raw(g)
        assert is_over(late)
        late.close()
    assert await g.metric('skein_gateway_handshakes_total{outcome="over_budget"}') == 4
    raws.pop().close()
    async def has_room():
        return await g.metric("skein_gateway_handshakes_under_way") == 5
    await g.becomes(has_room)
    await g.connect()
    for raw in raws:
        raw.close()


@scenario(ws_handshake__bytes="20k")
async def test_bytes_kept_for_clients_that_are_not_admitted_are_bounded(g):
    g.im.admit_gate.clear()
    first, second = await g.open("first"), await g.open("second")
    await g.becomes(lambda: len(g.im.admitted) == 2)
    await first.ws.send(json.dumps({"type": "ping", "x": "x" * 12000}))
    async def is_kept():
        return await g.metric("skein_gateway_handshake_bytes") > 12000
    await g.becomes(is_kept)
    await second.ws.send(json.dumps({"type": "ping", "x": "x" * 12000}))
    assert await second.closed() == 1013
    g.im.admit_gate.set()
    await first.expect("hello")
    await first.expect("pong")
    assert await g.metric("skein_gateway_handshake_bytes") == 0


# ---- frames ----

@scenario(limits_frame__rate=10, limits_frame__burst=50)
async def test_fragments_and_control_frames_count_as_frames(g):
    for flood in masked(0x00), masked(0x89, b"x"), masked(0x8a):
        raw, _ = await raw_handshake(g)
        frames = Frames(raw)
        await asyncio.get_running_loop().sock_sendall(raw, masked(0x01, b"{") + flood * 200)
        while (frame := await frames.next())[0] != 0x88:
            assert frame == (0x8a, b"x")
        assert int.from_bytes(frame[1][:2], "big") == 4006
        raw.close()


@scenario(ws_message__timeout="300ms")
async def test_a_message_that_is_not_finished_in_time_closes_with_1008(g):
    raw, _ = await raw_handshake(g)
    await asyncio.get_running_loop().sock_sendall(raw, masked(0x01, b"{"))
    first, payload = await Frames(raw).next()
    assert (first, int.from_bytes(payload[:2], "big")) == (0x88, 1008)
    raw.close()


@scenario()
async def test_an_ack_of_an_older_epoch_is_ignored_and_one_of_no_epoch_is_an_error(g):
    raw, hello = await raw_handshake(g)
    frames, push, conn = Frames(raw), g.push(), int(hello["conn"])

    def send(*parts):
        return asyncio.get_running_loop().sock_sendall(raw, b"".join(parts))

    async def acks(offset, *, is_error):
        await send(masked(0x81, b'{"type":"ack","offset":"%d"}' % offset), masked(0x81, b'{"type":"ping"}'))
        if is_error:
            assert (await frames.expect("error"))["code"] == "invalid_argument"
        await frames.expect("pong")

    for offset in range(1, 6):
        await push.message((conn, offset, int(hello["epoch"], 16)))
        await frames.expect("message")
    await acks(6, is_error=True)
    appended(g, 3)
    await push.message((conn, 3, 0xbeef))
    assert (await frames.expect("resync"))["epoch"] == epoch_text(0xbeef)
    await frames.expect("message")
    for _ in range(2):  # it may be of a frame from before the resync; a pong in between tells nothing: libraries answer pings
        await acks(5, is_error=False)
        await send(masked(0x8a, b"sk"))
        await acks(6, is_error=True)
    await push.message((conn, 1, 0xcafe))
    assert (await frames.expect("resync"))["epoch"] == epoch_text(0xcafe)
    await frames.expect("message")
    await acks(5, is_error=False)
    await acks(6, is_error=True)
    raw.close()


# ---- clients that do not read ----

@scenario(queue_stalled__bytes="200k", ws_workers=1)
async def test_over_the_limit_of_all_stalled_clients_the_slowest_loses_its_queue_and_gets_a_resync(g):
    slow = [await raw_handshake(g, receive_buffer=4096, uid=f"slow-{i}") for i in range(4)]
    good, push = await g.connect("good"), g.push()
    targets = [(int(hello["conn"]), int(hello["epoch"], 16)) for _, hello in slow]
    for n in range(1, 14):  # less than a window for each: 104 KB
        await push.send(push.delivery([good.at(n), *((conn, n, epoch) for conn, epoch in targets)], seq=n, text="x" * 8000))
        assert await good.offsets(1) == [n]
    assert await g.metric("skein_gateway_shed_total") >= 1
    assert await g.metric("skein_gateway_stalled_bytes") <= 200 * 1024
    resyncs = 0
    for (raw, _), (conn, epoch) in zip(slow, targets, strict=True):
        await push.message((conn, 14, epoch), seq=14)
        frames, offsets, skipped = Frames(raw), [], False
        while not offsets or offsets[-1] != 14:
            _, payload = await frames.next()
            frame = json.loads(payload)
            if frame["type"] == "resync":
                resyncs, skipped = resyncs + 1, True
            else:
                offsets.append(int(frame["offset"]))
        gaps = [n for n, last in zip(offsets, [0, *offsets], strict=False) if n != last + 1]
        assert bool(gaps) == skipped and len(gaps) <= 1, offsets  # nothing is skipped without a resync
        raw.close()
    assert resyncs == await g.metric("skein_gateway_shed_total")
    async def nobody_is_stalled():
        return await g.metric("skein_gateway_stalled_bytes") == 0
    await g.becomes(nobody_is_stalled)


@scenario()
async def test_a_push_that_does_not_read_its_answers_loses_the_stream(g):
    client, push, deaf = await g.connect(), g.push(), g.push()
    nowhere = [(0xff << 56 | n, 1, 5) for n in range(100000)]
    delivery = deaf.delivery(nowhere)

    async def deliver():
        while True:  # each answer names all targets
            await deaf.call.write(delivery_pb.DeliverBatch(deliveries=[delivery]))
    delivers = asyncio.ensure_future(deliver())

    async def is_given_up():
        return await g.metric("skein_gateway_answers_unread_total") == 1
    await g.becomes(is_given_up)
    with contextlib.suppress(grpc.aio.AioRpcError):  # the answers that were on their way
        while await asyncio.wait_for(deaf.call.read(), PATIENCE_S) is not grpc.aio.EOF:
            pass
    assert await deaf.call.code() == grpc.StatusCode.UNAVAILABLE
    delivers.cancel()
    await asyncio.gather(delivers, return_exceptions=True)
    await push.message(client.at(1))
    assert await client.offsets(1) == [1]
    async def nothing_is_left():
        return await g.metric("skein_gateway_deliver_bytes") == 0
    await g.becomes(nothing_is_left)
