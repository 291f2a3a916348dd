"""A gateway that drains, and a gateway whose routers or ims drain or die (gateway_fixture.py)."""
import asyncio
import socket
import time
import types

import grpc
import pytest
import websockets

from gateway_fixture import message, read_to_end, scenario
from gateway_peers_fixture import client_pb, router_pb, serve, text_message


# ---- its own drain ----

@scenario(drain_timeout="10s")
async def test_a_drain_tells_where_to_go_closes_unbinds_and_leaves(g):
    g.router.others = [("ws://full/ws", 100), ("ws://free/ws", 0), ("http://nonsense", 0)]
    clients = [await g.connect(f"u{i}", proto=i == 0) for i in range(5)]
    start = time.monotonic()
    leaving = asyncio.ensure_future(g.stop())
    for client in clients:
        frame = await client.expect("reconnect")
        told = frame.reconnect if isinstance(frame, client_pb.ServerFrame) else types.SimpleNamespace(**frame)
        assert 0 <= told.after_ms <= 3000 and told.url == "ws://free/ws"
    assert not await g.is_ready()
    with pytest.raises(OSError):
        await g.open("late")
    push = g.push()
    await push.message(clients[1].at(1))  # a message that comes during the drain is delivered
    assert await clients[1].offsets(1) == [1]
    assert {await client.closed() for client in clients} == {1001}
    assert await leaving == 0
    assert time.monotonic() - start < 11
    assert not g.router.routes
    assert [n.name for n in g.router.removed] == ["gateway-1"] and g.router.removed[0].epoch == 77


@scenario(drain_timeout="1m")
async def test_a_drain_ends_when_nobody_is_left(g):
    client = await g.connect()
    leaving = asyncio.ensure_future(g.stop())
    assert "url" not in await client.expect("reconnect")  # there is no other gateway
    await client.ws.close()
    assert await leaving == 0


@scenario(drain_timeout="10s")
async def test_clients_are_told_to_move_even_if_router_does_not_answer(g):
    client = await g.connect()
    await g.router_server.stop(0)
    leaving = asyncio.ensure_future(g.stop())
    assert "url" not in await client.expect("reconnect")
    assert await leaving == 0


@scenario(drain_timeout="30s", ws_workers=1)
async def test_a_client_admitted_as_the_drain_begins_is_told_to_move_and_a_later_one_is_refused(g):
    g.router.gate.clear()
    opening = await g.open()
    await g.becomes(lambda: g.router.received)
    late = socket.create_connection(("127.0.0.1", g.ws_port))
    late.sendall(b"GET ")  # this connection is accepted before a later one to the same worker
    await asyncio.wait_for(asyncio.to_thread(g._get, "/metrics"), 20)
    leaving = asyncio.ensure_future(g.stop())
    await g.becomes(lambda: any(n.draining for n in g.router.nodes))
    late.sendall(f"{g.url('late').split(str(g.ws_port), 1)[1]} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    late.setblocking(False)
    assert b" 503 " in await read_to_end(late)
    g.router.gate.set()
    await opening.expect("hello")
    await opening.expect("reconnect")
    await opening.ws.close()
    assert await leaving == 0


@scenario(drain_timeout="8s")
async def test_a_send_under_way_is_answered_before_the_drain_closes_its_connection(g):
    client, idle = await g.connect(), await g.connect("bob")
    g.im.gate.clear()
    await client.send(type="send", rid="r1", message=message())
    await g.becomes(lambda: g.im.sends)
    leaving = asyncio.ensure_future(g.stop())
    assert await idle.closed() == 1001
    g.im.gate.set()
    await client.expect("reconnect")
    assert (await client.expect("ack"))["rid"] == "r1"
    assert await client.closed() == 1001
    assert await leaving == 0


# ---- an im that leaves ----

@scenario()
async def test_a_send_that_an_im_cannot_serve_is_asked_again_under_its_key_and_the_client_sees_no_error(g):
    answer, tries = g.im.on_send, []

    async def leaving(request, context):
        tries.append(request.client_msg_id)
        if len(tries) < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        return await answer(request, context)
    g.im.on_send = leaving
    client = await g.connect()
    await client.send(type="send", rid="r1", message=message("k1"))
    assert (await client.expect("ack"))["rid"] == "r1"
    assert tries == ["k1"] * 3
    assert await g.metric("skein_gateway_im_retries_total") == 2


@scenario()
async def test_an_im_that_restarts_costs_a_send_and_a_handshake_nothing_but_time(g):
    client = await g.connect()
    g.im.gate.clear()
    await client.send(type="send", rid="r1", message=message("k1"))
    await g.becomes(lambda: g.im.sends)
    g.im.gate = asyncio.Event()
    g.im.gate.set()
    await g.im_server.stop(0)
    coming = asyncio.ensure_future(g.connect("bob"))
    g.im_server = await serve(g.im, g.im_port)
    assert (await client.expect("ack"))["rid"] == "r1"
    assert [send.client_msg_id for send in g.im.sends] == ["k1", "k1"]
    await coming


@scenario()
async def test_a_connection_that_goes_while_its_send_is_to_be_asked_again_leaves_nothing_behind(g):
    async def refuse(request, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
    g.im.on_send = refuse
    client = await g.connect()
    for i in range(50):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}", to={"user": f"u{i}"}))
    await g.becomes(lambda: len(g.im.sends) >= 50)
    await client.ws.close()
    await (await g.connect("bob")).nothing_before()


# ---- routers that are late, talk nonsense, or are away ----

@scenario(spare_router=True)
async def test_a_router_that_does_not_answer_is_left_for_the_other(g):
    stays = await g.connect("stays")
    silent, other = (g.router, g.spare) if g.router.streams else (g.spare, g.router)
    silent.gate.clear()
    start = time.monotonic()
    for uid in "alice", "bob":
        await g.connect(uid)
    assert time.monotonic() - start < 15
    assert other.streams and {c.uid for c in other.changes} >= {"alice", "bob"}
    assert await g.metric("skein_gateway_router_changes_total") >= 1
    await stays.nothing_before()
    silent.gate.set()


@scenario(spare_router=True)
async def test_unasked_answers_are_ignored_and_missing_ones_are_asked_for_elsewhere(g):
    await g.connect("first")
    bad, good = (g.router, g.spare) if g.router.streams else (g.spare, g.router)

    def nonsense(batch):
        one = router_pb.RouteAnswer(id=1 << 60, inbox_epoch=1, inbox_head=1)
        return [router_pb.RouteAnswers(answers=[one, one, router_pb.RouteAnswer(error="?")]), text_message(1)]
    bad.answers = nonsense
    for _ in range(3):
        await g.connect("alice")
    assert {c.uid for c in good.changes} >= {"alice"}


@scenario()
async def test_an_impossible_answer_admits_nobody_and_disturbs_nobody_else(g):
    stays = await g.connect("stays")
    good = g.router.answers
    for wrong in {"inbox_epoch": 0}, {"inbox_head": 1 << 63}:
        def spoilt(batch, wrong=wrong):
            answers = good(batch)
            for answer in answers[0].answers:
                for field, value in wrong.items():
                    setattr(answer, field, value)
            return answers
        g.router.answers = spoilt
        assert await (await g.open("alice")).closed() == 1013
    g.router.answers = good
    await g.connect("alice")
    await stays.nothing_before()


@scenario(spare_router=True)
async def test_with_both_routers_away_connections_live_on_and_new_ones_are_refused_until_one_is_back(g):
    stays = await g.connect("stays")
    await asyncio.gather(g.router_server.stop(0), g.spare_server.stop(0))

    async def is_refused():
        try:
            await (await g.open("late")).ws.close()
        except websockets.InvalidStatusCode as error:
            assert error.status_code == 503
            return True
        return False
    await g.becomes(is_refused)
    await g.push().message(stays.at(1))
    assert await stays.offsets(1) == [1]
    g.spare_server = await serve(g.spare, g.spare_port)

    async def is_let_in():
        try:
            await g.connect("back")
        except websockets.InvalidStatusCode:
            return False
        return True
    await g.becomes(is_let_in)
    await stays.nothing_before()
