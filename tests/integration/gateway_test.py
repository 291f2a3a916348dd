"""The gateway as a process: messages on their way through it, its registration and its readiness (gateway_fixture.py)."""
import asyncio
import time

import grpc
import pytest

from gateway_fixture import Gateway, raw_handshake, scenario
from gateway_peers_fixture import client_pb, router_pb, serve


# ---- messages ----

@scenario()
async def test_a_client_is_greeted_and_gets_a_message(g):
    g.router.inboxes["alice"] = [0x123456789abcde, 41]
    client = await g.connect("alice")
    assert client.hello == {"type": "hello", "node": "gateway-1", "conn": str(client.conn), "uid": "alice",
                            "device": "phone", "heartbeat_s": 54, "epoch": "0123456789abcde", "head": "41"}
    assert g.router.routes == {("alice", "phone"): ("gateway-1", 77, client.conn)}
    bind = g.router.changes[0]
    assert (bind.platform, bind.op) == ("ios", router_pb.RouteChange.BIND) and abs(bind.since / 1000 - time.time()) < 60
    assert g.im.admitted == ["alice"]
    assert await g.push().message(client.at(42), seq=9, text="hé") == {}
    frame = await client.expect("message")
    assert frame["offset"] == "42"
    assert frame["message"]["seq"] == 9 and frame["message"]["body"] == {"text": "hé"}


@scenario()
async def test_the_binary_subprotocol_says_the_same(g):
    client = await g.connect("alice", proto=True)
    assert client.hello.hello.uid == "alice" and client.hello.hello.head == "0"
    push = g.push()
    await push.send(push.delivery([client.at(1)]), push.delivery(own=[client.at(2)], client_msg_id="k1", seq=2))
    frame = await client.expect("message")
    assert (frame.offset, frame.message.seq, frame.message.client_msg_id) == ("1", 1, "")
    frame = await client.expect("message")
    assert (frame.offset, frame.message.seq, frame.message.client_msg_id) == ("2", 2, "k1")
    await client.ws.send(client_pb.ClientFrame(ping=client_pb.Ping()).SerializeToString())
    await client.expect("pong")


@scenario()
async def test_only_the_sender_sees_its_key_on_all_its_devices(g):
    phone, laptop, bob = await g.connect(), await g.connect(device="laptop"), await g.connect("bob")
    push = g.push()
    await push.send(push.delivery([bob.at(1)], [phone.at(1), laptop.at(1)], client_msg_id="k1"))
    assert "client_msg_id" not in (await bob.expect("message"))["message"]
    for own in phone, laptop:
        assert (await own.expect("message"))["message"]["client_msg_id"] == "k1"


@scenario()
async def test_one_message_reaches_many_connections_of_both_workers(g):
    clients = await asyncio.gather(*(g.connect(f"u{i}", proto=i % 3 == 0) for i in range(60)))
    assert {c.conn >> 56 for c in clients} == {0, 1}
    assert len({c.conn for c in clients}) == 60
    push = g.push()
    for offset in range(1, 6):
        assert await push.send(push.delivery([c.at(offset) for c in clients], seq=offset)) == {}
    for client in clients:
        for offset in range(1, 6):
            frame = await client.expect("message")
            assert (frame.offset if client.hello.__class__ is not dict else frame["offset"]) == str(offset)
    assert await g.metric("skein_gateway_deliveries_total") == 300
    assert await g.metric("skein_gateway_connections") == 60


# ---- registration and readiness ----

def test_a_gateway_that_loses_its_name_closes_all_connections_and_exits_with_1():
    async def play():
        async with Gateway() as g:
            g.expected_exit = 1
            client = await g.connect()
            g.router.renew_status = grpc.StatusCode.FAILED_PRECONDITION
            assert await client.closed() == 1001
            assert await asyncio.get_running_loop().run_in_executor(None, g.process.wait) == 1
    asyncio.run(play())


@scenario()
async def test_a_gateway_tells_router_its_addresses_and_connections(g):
    await g.connect()
    await g.becomes(lambda: any(n.connections == 1 for n in g.router.nodes))
    node = g.router.nodes[0]
    assert (node.name, node.grpc_address, node.ws_url, node.cell) == \
        ("gateway-1", f"127.0.0.1:{g.grpc_port}", f"ws://127.0.0.1:{g.ws_port}/ws", "default")


@scenario(ws_workers=1)
async def test_router_learns_what_waits_for_clients_and_how_long_a_turn_took(g):
    raw, hello = await raw_handshake(g, receive_buffer=4096, uid="stalled")
    push, stalled, offset = g.push(), (int(hello["conn"]), int(hello["epoch"], 16)), 0
    while not await g.metric("skein_gateway_queue_bytes"):
        offset += 1
        await push.send(push.delivery([(stalled[0], offset, stalled[1])], text="x" * 4000))
    await g.becomes(lambda: g.router.nodes[-1].queue_bytes > 0)
    raw.close()
    await g.becomes(lambda: g.router.nodes[-1].queue_bytes == 0 and g.router.nodes[-1].connections == 0)
    client = await g.connect()
    await push.message(client.at(1))
    await push.send(push.delivery([client.at(1)] * 400000))  # repeats, which take one long turn
    await g.becomes(lambda: any(n.lag_ms >= 2 and n.connections == 1 for n in g.router.nodes))


@scenario()
async def test_a_gateway_is_ready_while_im_and_router_answer(g):
    await g.im_server.stop(0)
    await g.becomes(lambda: g._get("/readyz")[0] == 503)
    assert "im" in (await g.get("/readyz"))[1]
    g.im_server = await serve(g.im, g.im_port)
    await g.becomes(g.is_ready)
    await g.router_server.stop(0)
    await g.becomes(lambda: g._get("/readyz")[0] == 503)
    g.router_server = await serve(g.router, g.router_port)
    await g.becomes(g.is_ready)
    assert (await g.get("/healthz"))[0] == 200


def test_a_gateway_waits_for_router_before_it_listens():
    async def play():
        g = Gateway()
        g.im_server = await serve(g.im, g.im_port)
        g.start()
        await g.becomes(lambda: g._get("/readyz")[0] == 503)
        with pytest.raises(OSError):
            await g.open()
        g.router_server = await serve(g.router, g.router_port)
        await g.becomes(g.is_ready)
        await g.connect()
        await g.__aexit__(None)
    asyncio.run(play())
