"""The routes of a gateway's connections: kicks, devices that connect again, routers that restart or forget (gateway_fixture.py)."""
import asyncio
import time

import grpc
import pytest
import websockets

from gateway_fixture import appended, scenario, token, token_id
from gateway_peers_fixture import delivery_pb, router_pb, serve

GONE = delivery_pb.GONE
FIRST_CONN = 1  # the first connection's id, when there is one worker


@scenario()
async def test_a_kick_closes_the_connection_and_its_late_unbind_harms_nobody(g):
    old = await g.connect()
    other = await g.connect(device="laptop")
    new = await g.connect()  # the same device: router sees it, and kicks
    await g.kick(old.conn, reason="the same device connected again")
    push = g.push()
    delivery = push.delivery([old.at(1), new.at(1), other.at(1)])
    assert await push.send(delivery) == {delivery.id: {old.conn: GONE}}  # true as soon as the kick is answered
    assert await old.closed() == 4001 and old.ws.close_reason == "the same device connected again"
    await g.becomes(lambda: any(c.op == router_pb.RouteChange.UNBIND and c.conn == old.conn for c in g.router.changes))
    assert g.router.routes[("alice", "phone")][2] == new.conn  # the unbind of the old connection removed nothing
    assert await new.offsets(1) == [1] and await other.offsets(1) == [1]


@scenario()
async def test_a_kick_closes_what_it_names_on_all_workers_and_nothing_else(g):
    clients = [await g.connect(device=f"d{i}", proto=i % 2) for i in range(40)]
    assert {c.conn >> 56 for c in clients} == {0, 1}
    bob = await g.connect("bob")
    kicked = clients[:20]
    nowhere = [0, clients[0].conn + (1 << 32 << 10), clients[0].conn + 1, 0xff << 56 | 1]
    await g.kick(*nowhere, bob.conn, *(c.conn for c in kicked), code=4321, reason="é")
    assert {await c.closed() for c in kicked} == {4321} and kicked[0].ws.close_reason == "é"
    await bob.nothing_before()
    push = g.push()
    assert await push.send(push.delivery([c.at(1) for c in clients[20:]])) == {}
    await g.kick(*(c.conn for c in kicked))  # again: they are gone
    await g.kick()


@scenario()
async def test_a_kick_by_token_closes_only_what_was_opened_with_it(g):
    one, two = token("alice", jti="1"), token("alice", jti="2")
    phone, laptop = await g.connect(token=one), await g.connect(device="laptop", token=two)
    assert g.im.token_ids == [token_id(one), token_id(two)]
    await g.kick(phone.conn, laptop.conn, code=4002, reason="logged out", token_id=token_id(two))
    assert await laptop.closed() == 4002
    await phone.nothing_before()


@scenario()
async def test_a_kick_of_all_tokens_up_to_a_time_leaves_what_was_opened_with_a_later_one(g):
    old, untold, new = token("alice", iat=1000), token("alice"), token("alice", iat=1001)
    clients = [await g.connect(device=name, token=one) for name, one in (("a", old), ("b", untold), ("c", new))]
    assert g.im.issued == [1000000, 0, 1001000]
    await g.kick(*(c.conn for c in clients), code=4002, reason="logged out", issued_until_ms=1000999)
    assert {await c.closed() for c in clients[:2]} == {4002}
    await clients[2].nothing_before()


@scenario(ws_workers=1)
async def test_a_connection_that_is_still_opening_can_be_kicked(g):
    g.router.gate.clear()
    client = await g.open()
    await g.becomes(lambda: g.router.received)
    await g.kick(FIRST_CONN, code=4002)
    assert await client.closed() == 4002
    g.router.gate.set()
    await g.becomes(lambda: any(c.op == router_pb.RouteChange.UNBIND for c in g.router.changes))
    assert not g.router.routes


@scenario()
async def test_a_kick_of_another_registration_or_malformed_closes_nobody(g):
    client = await g.connect()
    await g.kick(client.conn, node_epoch=76)  # before a restart this id belonged to another connection
    for wrong in {"uid": ""}, {"uid": "a b"}, {"uid": "x" * 65}, {"code": 0}, {"code": 1000}, {"code": 65536 + 4001}, \
            {"reason": "x" * 124}, {"token_id": b"x"}, {"token_id": b"x" * 17}:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await g.kick(client.conn, **wrong)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, wrong
    async with grpc.aio.insecure_channel(f"127.0.0.1:{g.grpc_port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/skein.v1.Gateway/Kick")(b"\xff\xff", timeout=20)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    await client.nothing_before()


@scenario()
async def test_a_refused_client_replaces_no_connection(g):
    client = await g.connect()
    g.im.refused["alice"] = grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        await g.open()
    assert refused.value.status_code == 401
    assert [c.op for c in g.router.changes] == [router_pb.RouteChange.BIND]
    await client.nothing_before()


@scenario()
async def test_a_connection_that_is_bound_again_is_admitted_again(g):
    good, bad = await g.connect("good"), await g.connect("bad")
    g.router.routes.clear()
    g.im.refused["bad"] = grpc.StatusCode.UNAUTHENTICATED  # logged out while the kick found no route
    g.im.refused["good"] = grpc.StatusCode.UNAVAILABLE  # im is away for now
    await restart_router(g)
    assert await bad.closed() == 4002
    await g.becomes(lambda: g.im.admitted.count("good") >= 2)
    await good.nothing_before()
    g.im.refused["good"] = grpc.StatusCode.UNAUTHENTICATED
    await restart_router(g)  # the next renewal asks im once more
    assert await good.closed() == 4002


async def restart_router(g):
    streams = g.router.streams
    await g.router_server.stop(0)
    g.router_server = await serve(g.router, g.router_port)
    await g.becomes(lambda: g.router.streams > streams)


@scenario()
async def test_a_route_that_router_forgot_is_bound_again_and_the_inbox_read(g):
    client, push = await g.connect(), g.push()
    await push.message(client.at(1))
    assert await client.offsets(1) == [1]
    g.router.routes.clear()
    appended(g, 3)  # two messages found no route
    await restart_router(g)
    await g.becomes(lambda: ("alice", "phone") in g.router.routes)
    await push.message(client.at(4))
    assert await client.offsets(3) == [2, 3, 4]


@scenario()
async def test_routes_that_router_forgot_are_all_bound_again_in_seconds(g):
    clients = await asyncio.gather(*(g.connect(f"u{i}") for i in range(200)))
    routes = dict(g.router.routes)
    g.router.routes.clear()
    start = time.monotonic()
    await g.becomes(lambda: g.router.routes == routes)
    assert time.monotonic() - start < 12  # a round takes 30 s
    for client in clients:
        await client.nothing_before()


@scenario()
async def test_a_node_that_was_missing_from_the_list_reads_every_inbox_again(g):
    client = await g.connect()
    await g.becomes(lambda: len(g.router.nodes) > 1)  # registered, and renewed
    g.router.renew_status = grpc.StatusCode.UNAVAILABLE
    await asyncio.sleep(8.1)  # the lifetime of its key: push took the node for dead and gave the deliveries up
    appended(g, 2)
    g.router.renew_status = None
    assert await client.offsets(2) == [1, 2]
    assert ("alice", "phone") in g.router.routes


@scenario()
async def test_a_node_that_redis_forgot_binds_every_route_again(g):
    client = await g.connect()
    appended(g, 1)  # push did not find the node and removed the route
    g.router.routes.clear()
    g.router.was_out = True
    assert await client.offsets(1) == [1]
    assert ("alice", "phone") in g.router.routes


@scenario()
async def test_a_route_that_lives_is_only_renewed(g):
    client = await g.connect()
    await restart_router(g)
    await g.becomes(lambda: any(c.op == router_pb.RouteChange.RENEW for c in g.router.changes))
    await client.nothing_before()
    assert [c.op for c in g.router.changes].count(router_pb.RouteChange.BIND) == 1


@scenario()
async def test_a_connection_whose_device_is_elsewhere_now_is_closed(g):
    client = await g.connect()
    g.router.routes[("alice", "phone")] = ("gateway-2", 5, 12345)
    await restart_router(g)
    assert await client.closed() == 4001


@scenario()
async def test_changes_that_an_outage_of_router_swallowed_are_sent_again(g):
    stays, goes = await g.connect("stays"), await g.connect("goes")
    g.router.gate.clear()  # changes sent now are lost with the stream
    comes = await g.open("comes")
    await goes.ws.close()
    await g.becomes(lambda: g.router.received >= 3)  # at least that many; others may wait inside gRPC
    await g.router_server.stop(0)
    await g.becomes(lambda: g._get("/readyz")[0] == 503)
    g.router.gate.set()
    in_between = await g.open("in-between")
    left = await g.open("left")
    await left.ws.close()
    await g.becomes(lambda: "skein_gateway_connections 3" in g._get("/metrics")[1])
    g.router_server = await serve(g.router, g.router_port)
    for client in comes, in_between:
        await client.expect("hello")
    await g.becomes(lambda: {uid for uid, _ in g.router.routes} == {"stays", "comes", "in-between"})
    assert "left" not in {c.uid for c in g.router.changes}  # connected and left while router was away
    await stays.nothing_before()
