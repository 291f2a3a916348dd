"""The router as a process on a Redis of its own; gateways, and im where it asks for kicks, are played by the test."""
import asyncio
import contextlib
import signal
import time

import grpc

from gateway_peers_fixture import PATIENCE_S, router_pb, serve
from router_fixture import Change, becomes, refused, scenario

TOKEN_ID = bytes(range(16))


# ---- nodes and routes ----

@scenario()
async def test_a_name_belongs_to_the_last_registration_and_its_figures_are_kept(c):
    first = await c.gateway("gateway-1")
    second = await c.gateway("gateway-1")
    assert second.epoch > first.epoch > 0
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        await c.routers[0].call("RenewNode", first.node(), router_pb.Renewed)
    figures = {"connections": 12345678901, "queue_bytes": 23456789012, "lag_ms": 34}
    await c.routers[0].call("RenewNode", second.node(draining=True, **figures), router_pb.Renewed)
    stored = c.redis.ask("HGETALL", "im:node:{gateway-1}").split("\r\n")[2::2]
    stored = dict(zip(stored[::2], stored[1::2], strict=True))
    assert {name: int(stored[name]) for name in figures} == figures
    await c.routers[0].call("RemoveNode", second.node(), router_pb.Renewed)
    assert c.redis.ask("EXISTS", "im:node:{gateway-1}") == ":0\r\n"


@scenario()
async def test_a_draining_gateway_is_told_of_one_that_came_up_in_this_moment(c):
    leaving = await c.gateway("gateway-1")
    for i in range(5):
        await c.gateway(f"new-{i}")
        told = await c.routers[0].call("RenewNode", leaving.node(draining=True), router_pb.Renewed)
        assert len(told.others) == i + 1


@scenario()
async def test_a_route_is_bound_renewed_and_unbound_by_its_connection_only(c):
    gateway = await c.gateway()
    bound = await gateway.bind(conn=7, since=123)
    assert bound.inbox_epoch and bound.inbox_head == 0
    assert c.routes() == {"phone": f"gateway-1|{gateway.epoch}|7|ios|123"}
    assert (await gateway.bind(conn=7, since=123)).inbox_epoch == bound.inbox_epoch
    assert (await gateway.change(Change.RENEW, conn=7)).kept
    assert not (await gateway.change(Change.RENEW, conn=8)).kept
    assert not (await gateway.change(Change.UNBIND, conn=8)).kept
    assert (await gateway.change(Change.UNBIND, conn=7)).kept
    assert not (await gateway.change(Change.RENEW, conn=7)).kept
    assert c.routes() == {} and not gateway.kicks


@scenario()
async def test_malformed_changes_are_answered_and_change_nothing(c):
    gateway = await c.gateway()
    for wrong in {"uid": ""}, {"uid": "a b"}, {"device": "x" * 65}, {"node": "é"}, {"platform": "toaster"}:
        fields = {"uid": "alice", "device": "phone", "conn": 1, **wrong}
        assert (await gateway.change(Change.BIND, **fields)).error == "invalid_argument", wrong
    await gateway.bind()
    # The routes, the inbox's meta, the node, and the list of nodes; for presence the user and the nodes.
    await becomes(lambda: c.redis.ask("DBSIZE") == ":6\r\n", "nothing else is there")


# ---- a newer connection ----

@scenario()
async def test_the_same_device_elsewhere_closes_the_old_connection_at_once(c):
    one, two = await c.two()
    await one.bind(conn=11)
    start = time.monotonic()
    await two.bind(conn=22, since=1)  # whatever the clock of its gateway says
    kick, = await one.kicked()
    assert time.monotonic() - start < 2
    assert (kick.uid, list(kick.conns), kick.code, kick.token_id) == ("alice", [11], 4001, b"")
    assert kick.node_epoch == one.epoch and kick.reason == "the same device connected again"
    assert not (await one.change(Change.UNBIND, conn=11)).kept  # the unbind of the old connection removes nothing
    assert c.routes() == {"phone": f"gateway-2|{two.epoch}|22|ios|1"}
    await two.bind(conn=22, since=1)  # again, as after a broken stream
    await one.bind("bob", conn=12)
    await one.bind("bob", conn=13)  # the same holds on one gateway
    assert [list(kick.conns) for kick in await one.kicked(2)] == [[11], [12]]
    assert not two.kicks


@scenario()
async def test_it_does_not_matter_which_router_is_asked(c):
    other = await c.router()
    one = await c.gateway("gateway-1")
    two = await c.gateway("gateway-2", other)
    await one.bind(conn=11)
    await two.bind(conn=22)
    assert list((await one.kicked())[0].conns) == [11]


@scenario()
async def test_a_kick_that_fails_is_tried_again(c):
    one, two = await c.two()
    await one.bind(conn=11)
    one.failures = 3
    await two.bind(conn=22)
    assert [list(kick.conns) for kick in await one.kicked(4)] == [[11]] * 4


@scenario()
async def test_an_earlier_connection_yields_when_it_binds_again(c):
    one, two = await c.two()
    await one.bind(conn=11, since=1000)
    await two.bind(conn=22, since=2000)
    await one.kicked()
    answer = await one.change(Change.BIND, conn=11, since=1000, again=True)
    assert answer.error == "failed_precondition"
    assert list(c.routes()) == ["phone"] and c.routes()["phone"].startswith("gateway-2|")
    # Redis forgets the routes. Whichever connection binds first, the newer one stays.
    c.redis.ask("FLUSHALL")
    await one.bind(conn=11, since=1000, again=True)
    await two.bind(conn=22, since=2000, again=True)
    assert c.routes()["phone"].startswith("gateway-2|")
    assert [list(kick.conns) for kick in await one.kicked(2)] == [[11]] * 2 and not two.kicks


@scenario()
async def test_a_bind_delayed_in_a_frozen_router_replaces_nobody(c):
    other = await c.router()
    frozen = await c.gateway("gateway-1")
    one, two = await c.gateway("gateway-1", other), await c.gateway("gateway-2", other)
    frozen.epoch = one.epoch  # its stream to the first router
    c.routers[0].process.send_signal(signal.SIGSTOP)
    late = asyncio.ensure_future(frozen.change(Change.BIND, conn=11))
    await one.change(Change.UNBIND, conn=11)  # the gateway gave the connection up, and unbinds it over the other router
    await two.bind(conn=22)
    c.routers[0].process.send_signal(signal.SIGCONT)
    assert (await late).error == "failed_precondition"
    assert c.routes()["phone"].startswith("gateway-2|")
    await two.bind(conn=22)
    assert not two.kicks


@scenario(login_policy="per_platform")
async def test_the_policy_per_platform_closes_the_other_devices_of_the_platform(c):
    one, two = await c.two()
    await one.bind(device="phone", conn=11)
    await one.bind(device="laptop", conn=12, platform="desktop")
    await two.bind(device="tablet", conn=22)
    kick, = await one.kicked()
    assert (list(kick.conns), kick.code, kick.reason) == ([11], 4001, "another device connected")
    assert set(c.routes()) == {"laptop", "tablet"}
    assert (await one.change(Change.BIND, device="phone", conn=11, since=1, again=True)).error == "failed_precondition"


@scenario(login_policy="single")
async def test_the_policy_single_leaves_one_connection(c):
    one, two = await c.two()
    for number, device in enumerate(["phone", "laptop", "tablet"]):
        await one.bind(device=device, conn=10 + number, platform=["ios", "desktop", "web"][number])
    await two.bind(device="pad", conn=22)
    await one.kicked(3)
    assert sorted(conn for kick in one.kicks for conn in kick.conns) == [10, 11, 12]
    assert list(c.routes()) == ["pad"]


# ---- Kick ----

@scenario()
async def test_a_kick_asks_each_gateway_once_for_all_connections_there(c):
    one, two = await c.two()
    for number in range(5):
        await one.bind(device=f"a{number}", conn=10 + number)
        await two.bind(device=f"b{number}", conn=20 + number)
    await one.bind("bob", conn=99)
    await c.routers[0].kick(reason="logged out", token_id=TOKEN_ID)
    for gateway, first in (one, 10), (two, 20):
        kick, = gateway.kicks
        assert sorted(kick.conns) == list(range(first, first + 5))
        assert (kick.uid, kick.code, kick.reason, kick.token_id) == ("alice", 4002, "logged out", TOKEN_ID)
        assert kick.node_epoch == gateway.epoch
    await c.routers[0].kick(device="b3")
    assert list(two.kicks[1].conns) == [23] and len(one.kicks) == 1
    await c.routers[0].kick(device="none")
    await c.routers[0].kick("nobody")
    assert len(one.kicks) == 1 and len(two.kicks) == 2


@scenario()
async def test_a_dead_gateway_is_not_asked_and_keeps_no_kick_from_being_done(c):
    one, two = await c.two()
    await one.bind(conn=11)
    await one.bind(device="old", conn=12, node_epoch=one.epoch - 1)  # of an earlier process
    await two.bind(device="laptop", conn=22)
    await two.bind(device="nowhere", conn=1, node="gateway-3")
    await c.routers[0].call("RemoveNode", two.node(), router_pb.Renewed)
    await two.server.stop(0)
    await c.routers[0].kick()
    assert [list(kick.conns) for kick in one.kicks] == [[11]]


@scenario()
async def test_a_kick_is_not_given_up_at_once_for_a_gateway_that_cannot_be_reached(c):
    one = await c.gateway("gateway-1")
    await one.bind(conn=11)
    await one.server.stop(0)
    kick = asyncio.ensure_future(c.routers[0].kick())
    await asyncio.sleep(0.4)
    one.server = await serve(one, one.port)
    await kick
    assert [list(kick.conns) for kick in one.kicks] == [[11]]


@scenario()
async def test_a_kick_is_unavailable_while_one_that_lives_does_not_answer(c):
    one, two = await c.two()
    await one.bind(conn=11)
    await two.bind(device="laptop", conn=22)
    two.failures = 1
    await c.routers[0].kick()  # tried again at once
    assert len(two.kicks) == 2 and len(one.kicks) == 1
    two.gate.clear()
    start = time.monotonic()
    with refused(grpc.StatusCode.UNAVAILABLE):
        await c.routers[0].kick()
    assert 1.5 < time.monotonic() - start < 5
    assert len(one.kicks) == 2  # the connections on the other gateways are closed
    two.gate.set()
    await c.routers[0].kick()


@scenario()
async def test_a_gateway_that_comes_again_is_asked_at_its_new_address(c):
    one = await c.gateway()
    await one.bind(conn=11)
    await c.routers[0].kick()
    await one.server.stop(0)
    again = await c.gateway()
    await again.bind(conn=31)  # replaces the entry of the dead gateway
    await again.bind(device="laptop", conn=32)
    await c.routers[0].kick()
    assert [sorted(kick.conns) for kick in again.kicks] == [[31, 32]] and len(one.kicks) == 1


@scenario()
async def test_malformed_kicks_are_refused(c):
    one = await c.gateway()
    await one.bind()
    for wrong in {"uid": ""}, {"uid": "a b"}, {"device": "a b"}, {"code": 0}, {"code": 1000}, {"code": 5000}, \
            {"code": 65536 + 4001}, {"reason": "x" * 124}, {"token_id": b"x"}, {"token_id": b"x" * 17}:
        with refused(grpc.StatusCode.INVALID_ARGUMENT):
            await c.routers[0].kick(**wrong)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await c.routers[0].channel.unary_unary("/skein.v1.Router/Kick")(b"\xff\xff", timeout=PATIENCE_S)
    assert not one.kicks


@scenario(redis_timeout="300ms")
async def test_a_kick_is_unavailable_without_redis(c):
    one = await c.gateway()
    await one.bind()
    c.redis.process.send_signal(signal.SIGSTOP)
    with refused(grpc.StatusCode.UNAVAILABLE):
        await c.routers[0].kick()
    c.redis.process.send_signal(signal.SIGCONT)
    await becomes(c.routers[0].is_ready)
    await c.routers[0].kick()
    assert len(one.kicks) == 1


@scenario()
async def test_a_router_leaves_in_the_middle_of_kicks(c):
    one, two = await c.two()
    await one.bind(conn=11)
    one.gate.clear()
    await two.bind(conn=22)
    await one.kicked()
    asked = asyncio.ensure_future(c.routers[0].kick())
    await two.kicked()
    c.routers[0].process.send_signal(signal.SIGTERM)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await asked
    assert await asyncio.get_running_loop().run_in_executor(None, c.routers[0].process.wait) == 0


@scenario()
async def test_a_thousand_binds_of_one_device_leave_one_route_and_kick_all_others(c):
    one, two = await c.two()
    binds = [(Change.BIND, "alice", "phone", conn, {"since": conn}) for conn in range(1, 1001)]
    answers = await asyncio.gather(one.changes(*binds[:500]), two.changes(*binds[500:]))
    assert not any(answer.error for part in answers for answer in part)
    def kicked():  # a slow kick is repeated, so connections are counted and not calls
        return {conn for gateway in (one, two) for kick in gateway.kicks for conn in kick.conns}
    await becomes(lambda: len(kicked()) >= 999, "all others are kicked")
    left, = set(range(1, 1001)) - kicked()
    assert c.routes()["phone"].split("|")[2] == str(left)
