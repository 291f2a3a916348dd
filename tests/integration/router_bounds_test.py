"""The limits of the router: kicks that wait for one gateway, and devices of one user."""
import asyncio

import grpc

from gateway_peers_fixture import PATIENCE_S, router_pb
from router_fixture import Change, becomes, refused, scenario


# ---- kicks ----

@scenario(kick_max__waiting="3")
async def test_a_gateway_that_does_not_answer_uses_up_its_own_places_only(c):
    one, two = await c.two()
    one.gate.clear()
    for conn in range(1, 6):  # each replaces the connection before: four kicks, one too many
        await one.bind("bob", conn=conn)
    await one.kicked(3)
    assert c.routers[0].metric("skein_router_kicks_waiting") == 3
    assert c.routers[0].metric("skein_router_kicks_refused_total") == 1
    await two.bind(conn=22)
    await c.routers[0].kick()
    assert [list(kick.conns) for kick in two.kicks] == [[22]]
    with refused(grpc.StatusCode.UNAVAILABLE):  # one's places are taken
        await c.routers[0].kick("bob")
    one.gate.set()
    await becomes(lambda: c.routers[0].metric("skein_router_kicks_waiting") == 0, "all kicks are finished")
    await c.routers[0].kick("bob")


# ---- devices ----

async def bind_devices(gateway, count, first=1):
    for number in range(first, first + count):
        await gateway.bind(device=f"d{number}", conn=number, since=1000 + number)


@scenario(limits_devices="3")
async def test_one_more_device_takes_the_place_of_the_oldest_one(c):
    one, two = await c.two()
    await bind_devices(one, 3)
    await two.bind(device="d4", conn=4, since=1)  # a new connection never yields, whatever the clock of its gateway says
    assert sorted(c.routes()) == ["d2", "d3", "d4"]
    kick, = await one.kicked()
    assert (list(kick.conns), kick.code, kick.reason) == ([1], 4001, "another device connected")
    # The same device, and the same connection again, take no further place.
    await two.bind(device="d4", conn=5, since=2000)
    await two.bind(device="d4", conn=5, since=2000)
    assert sorted(c.routes()) == ["d2", "d3", "d4"]
    assert len(await one.kicked()) == 1 and len(await two.kicked()) == 1
    assert c.routers[0].metric('skein_router_devices_full_total{outcome="made_room"}') == 1
    # The one that gave way yields when it binds again, as after a kick that failed.
    answer = await one.change(Change.BIND, device="d1", conn=1, since=1001, again=True)
    assert answer.error == "failed_precondition"
    assert sorted(c.routes()) == ["d2", "d3", "d4"]


@scenario(limits_devices="3", limits_devices__full="refuse_new")
async def test_one_more_device_is_refused(c):
    one, two = await c.two()
    await bind_devices(one, 3)
    for again in False, True:
        assert (await two.change(Change.BIND, device="d4", conn=4, since=9000, again=again)).error == "rejected"
    assert sorted(c.routes()) == ["d1", "d2", "d3"]
    assert c.routers[0].metric('skein_router_devices_full_total{outcome="refused"}') == 2
    await two.bind(device="d2", conn=5)  # the same device
    await one.change(Change.UNBIND, device="d1", conn=1)
    await two.bind(device="d6", conn=6)
    assert sorted(c.routes()) == ["d2", "d3", "d6"]
    await two.bind("bob", device="d7", conn=7)  # the limit is each user's
    assert [list(kick.conns) for kick in await one.kicked()] == [[2]] and not two.kicks


@scenario(limits_devices="3", limits_devices__full="refuse_new")
async def test_routes_of_dead_gateways_take_up_no_place(c):
    one, two = await c.two()
    await bind_devices(one, 2)
    await two.bind(device="d3", conn=3)
    await c.routers[0].call("RemoveNode", two.node(), router_pb.Renewed)
    await one.bind(device="d4", conn=4)
    assert sorted(c.routes()) == ["d1", "d2", "d4"]
    # A gateway that is not in the list that the router read last is looked up first.
    three = await c.gateway("gateway-3")
    await one.change(Change.UNBIND, device="d4", conn=4)
    await three.bind(device="d5", conn=5)
    assert (await one.change(Change.BIND, device="d6", conn=6)).error == "rejected"
    assert sorted(c.routes()) == ["d1", "d2", "d5"]


@scenario(limits_devices="5")
async def test_a_hundred_devices_at_once_leave_as_many_as_are_allowed(c):
    other = await c.router()
    one, two = await c.gateway("gateway-1"), await c.gateway("gateway-2", other)
    binds = [(Change.BIND, "alice", f"d{conn}", conn, {"since": conn}) for conn in range(1, 101)]
    answers = await asyncio.wait_for(asyncio.gather(one.changes(*binds[::2]), two.changes(*binds[1::2])), PATIENCE_S)
    assert not any(answer.error for part in answers for answer in part)
    def kicked():  # a slow kick is repeated
        return {conn for gateway in (one, two) for kick in gateway.kicks for conn in kick.conns}
    await becomes(lambda: len(kicked()) == 95, "all others are closed")
    assert sorted(int(device[1:]) for device in c.routes()) == sorted(set(range(1, 101)) - kicked())


@scenario(limits_devices="3", login_policy="per_platform")
async def test_the_connections_that_a_login_replaces_make_room_first(c):
    one = await c.gateway()
    for number, platform in enumerate(["ios", "web", "desktop"], 1):
        await one.bind(device=f"d{number}", conn=number, platform=platform)
    await one.bind(device="d4", conn=4, platform="web")
    assert sorted(c.routes()) == ["d1", "d3", "d4"]
    assert [list(kick.conns) for kick in await one.kicked()] == [[2]]
