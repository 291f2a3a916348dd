"""Peers of the gateway that are silent, slow, stalled or talk nonsense (gateway_fixture.py)."""
import asyncio
import contextlib
import signal
import time

import grpc
import pytest

from gateway_fixture import appended, raw_handshake, read_to_end, scenario
from gateway_peers_fixture import BIN, delivery_pb

GONE, LAGGING = delivery_pb.GONE, delivery_pb.LAGGING


# ---- heartbeats ----

@scenario(ws_heartbeat="200ms", ws_silence="700ms")
async def test_a_client_that_answers_pings_stays_and_a_silent_one_is_closed(g):
    client = await g.connect("bob")
    raw, _ = await raw_handshake(g)
    start = time.monotonic()
    got = await read_to_end(raw)
    assert 0.5 < time.monotonic() - start < 5
    assert b"\x89\x02sk" in got and b"\x88" in got  # pings, then a close frame
    await g.becomes(lambda: ("alice", "phone") not in g.router.routes)
    start = time.monotonic()
    while time.monotonic() - start < 1.5:  # far longer than a client may be silent: this one answers pings
        with pytest.raises(asyncio.TimeoutError):
            await client.read(0.3)
    await client.nothing_before()


@scenario(ws_heartbeat="200ms", ws_silence="2s")
async def test_a_gateway_that_stood_still_closes_nobody_for_that_time(g):
    client = await g.connect("bob")
    raw, _ = await raw_handshake(g)
    g.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(4)
    g.process.send_signal(signal.SIGCONT)
    thawed = time.monotonic()
    await read_to_end(raw)  # it answers no ping
    assert 1 < time.monotonic() - thawed < 5  # 2 s, without the time between hello and the stop
    await client.nothing_before()


@scenario(ws_workers=1)
async def test_a_handshake_under_way_outlasts_a_stop_of_the_gateway(g):
    g.im.admit_gate.clear()
    client = await g.open()
    await g.becomes(lambda: g.im.admitted)
    g.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(9)  # longer than a connection may be opening
    g.process.send_signal(signal.SIGCONT)
    g.im.admit_gate.set()
    await client.expect("hello")
    # A logout may have missed it: im is asked once more, now that router has the route.
    bound = len(g.im.admitted)
    await g.becomes(lambda: len(g.im.admitted) > bound or g.im.admitted.count("alice") >= 2)
    await client.nothing_before()


# ---- push ----

@scenario()
async def test_each_target_gets_its_verdict(g):
    client, gone, push = await g.connect(), await g.connect("bob"), g.push()
    await gone.ws.close()
    await g.becomes(lambda: ("bob", "phone") not in g.router.routes)
    nowhere = [(gone.conn, 1, 5), (client.conn + (1 << 32), 1, 5), (client.conn + 1, 1, 5), (0xff << 56 | 1, 1, 5), (0, 1, 5)]
    delivery = push.delivery([*nowhere[:3], client.at(1), *nowhere[3:]])
    assert await push.send(delivery) == {delivery.id: {conn: GONE for conn, _, _ in nowhere}}
    assert await client.offsets(1) == [1]
    stale = push.delivery([client.at(2)], node_epoch=76)
    assert await push.send(stale) == {stale.id: {client.conn: GONE}}
    await client.nothing_before()
    assert await push.send(push.delivery()) == {}


@scenario()
async def test_malformed_deliveries_are_answered_and_harm_no_other(g):
    client, push = await g.connect(), g.push()
    lists = push.delivery([client.at(1)])
    lists.audience.targets.others.offsets.append(2)
    garbage = push.delivery([client.at(2)], message=b"\xff\xff")
    empty = push.delivery([client.at(2)], message=b"")
    nothing = push.delivery([client.at(0), (client.conn, 1, 0), (client.conn, 1 << 63, client.epoch)])
    good = push.delivery([client.at(1)])
    verdicts = await push.send(lists, garbage, empty, good, nothing)
    assert verdicts == {d.id: {client.conn: LAGGING} for d in (lists, garbage, empty, nothing)}
    assert await client.offsets(1) == [1]
    await client.expect("resync")  # offset 2 exists, but its message cannot be shown
    await push.message(client.at(3))
    assert await client.offsets(1) == [3]
    assert await g.metric("skein_gateway_malformed_total") == 2


@scenario()
async def test_a_malformed_batch_ends_the_stream_and_nothing_else(g):
    client, push = await g.connect(), g.push()
    raw = push.channel.stream_stream("/skein.v1.Gateway/Deliver")()
    await raw.write(b"\xff\xff\xff\xff")
    assert await raw.code() == grpc.StatusCode.INVALID_ARGUMENT
    await push.message(client.at(1))
    assert await client.offsets(1) == [1]


@scenario()
async def test_a_stalled_client_is_closed_and_its_neighbours_miss_nothing(g):
    raw, hello = await raw_handshake(g, receive_buffer=4096, uid="stalled", ack="0")
    neighbours = await asyncio.gather(*(g.connect(f"u{i}", ack="0") for i in range(10)))
    push, verdicts = g.push(), {}
    stalled = (int(hello["conn"]), int(hello["epoch"], 16))
    count = 1500
    for offset in range(1, count + 1):
        delivery = push.delivery([(stalled[0], offset, stalled[1]), *(n.at(offset) for n in neighbours)], seq=offset,
                                 text="x" * 4000)
        start = time.monotonic()
        verdicts.update(await push.send(delivery))
        assert time.monotonic() - start < 5
        if offset % 50 == 0:
            for n in neighbours:
                assert await n.offsets(50) == list(range(offset - 49, offset + 1))
    assert {conn for verdict in verdicts.values() for conn in verdict} == {stalled[0]}
    first = min(verdicts)
    assert verdicts[first][stalled[0]] == LAGGING and verdicts[first + 1][stalled[0]] == GONE
    assert await g.metric("skein_gateway_queue_bytes") == 0
    await g.becomes(lambda: 'skein_gateway_closes_total{code="4004"} 1' in g._get("/metrics")[1])
    raw.close()


def resident_kb(g):
    with open(f"/proc/{g.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def client_frame(text):
    """A masked text frame; the mask is 0."""
    data = text.encode()
    return bytes([0x81, 0x80 | len(data)]) + bytes(4) + data


async def reads_slowly(raw):
    with contextlib.suppress(ConnectionError):
        while await asyncio.get_running_loop().sock_recv(raw, 1):
            await asyncio.sleep(1)


async def only_sends(raw):
    with contextlib.suppress(ConnectionError):
        for _ in range(20000):
            await asyncio.get_running_loop().sock_sendall(raw, client_frame('{"type":"ping"}'))


@scenario(limits_enabled="off", ack_timeout="30s")
async def test_a_peer_costs_no_more_than_its_queue_and_window_whatever_it_does(g):
    kinds = {"never-reads": None, "reads-slowly": reads_slowly, "only-sends": only_sends}
    raws, targets = [], []
    before = None
    for kind, behaves in kinds.items():
        for i in range(10):
            raw, hello = await raw_handshake(g, receive_buffer=4096, uid=f"{kind}-{i}")
            raws.append((raw, behaves))
            targets.append((int(hello["conn"]), int(hello["epoch"], 16)))
    good, push = await g.connect("good"), g.push()
    before = resident_kb(g)
    tasks = [asyncio.ensure_future(behaves(raw)) for raw, behaves in raws if behaves]
    for n in range(1, 2001):  # 2 MB for each
        await push.send(push.delivery([good.at(n), *((conn, n, epoch) for conn, epoch in targets)], seq=n, text="x" * 1000))
        assert await good.offsets(1) == [n]
        if n % 50 == 0:
            await good.ack(n)
    if BIN.parent.name not in ("asan", "tsan", "coverage"):  # the sanitizers keep freed memory
        assert (resident_kb(g) - before) / len(targets) <= 256 + 128
    assert await g.metric("skein_gateway_window_stalls_total") >= 20
    assert await g.metric("skein_gateway_queue_bytes") <= len(targets) * 256 * 1024
    await g.becomes(lambda: 'skein_gateway_closes_total{code="4004"} 10' in g._get("/metrics")[1])  # a client that only sends
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for raw, _ in raws:
        raw.close()


@scenario(ack_timeout="300ms", window_bytes="4m", queue_bytes="8m")
async def test_a_client_that_does_not_read_is_closed_with_4004(g):
    raw, hello = await raw_handshake(g, receive_buffer=4096)
    push, conn, epoch = g.push(), int(hello["conn"]), int(hello["epoch"], 16)
    appended(g, 200)
    for n in range(1, 101):  # more than the sockets take
        await push.send(push.delivery([(conn, n, epoch)], seq=n, text="x" * 60000))
    await g.becomes(lambda: 'skein_gateway_closes_total{code="4004"} 1' in g._get("/metrics")[1])
    raw.close()


@scenario()
async def test_a_burst_beyond_the_queue_limit_does_not_make_a_client_too_slow(g):
    """At most 1,000 entries may wait for a slow client. A fast client may get more than that in one turn."""
    client, push = await g.connect(ack="0"), g.push()
    assert await push.send(*(push.delivery([client.at(n)], seq=n, text="") for n in range(1, 1301))) == {}
    assert await client.offsets(1300) == list(range(1, 1301))
