"""What router notes for im: who may have come or gone. Gateways and im are played by the test (router_fixture.py)."""
import signal
import time

from gateway_peers_fixture import router_pb
from router_fixture import Change, becomes, scenario

DUE = "im:presence:due"


def due(c, uid="alice"):
    """The score of a user in the list; None: not in it."""
    words = c.redis.ask("ZSCORE", DUE, uid).split("\r\n")
    return None if words[0] == "$-1" else int(words[1])


def decided(c, online, uid="alice"):
    """im has told."""
    c.redis.ask("SET", f"im:presence:{{{uid}}}", "+gateway-1|1" if online else str(int(time.time() * 1000)))
    c.redis.ask("ZREM", DUE, uid)


@scenario()
async def test_a_user_is_noted_with_the_first_route_and_each_that_ends(c):
    gateway = await c.gateway()
    await gateway.bind(conn=1)
    await becomes(lambda: due(c) == 0, "alice is noted")  # just after the answer
    decided(c, True)
    await gateway.bind(device="tablet", conn=2)
    await gateway.bind(conn=1)  # once more
    assert due(c) is None
    before = int(time.time() * 1000)
    await gateway.change(Change.UNBIND, conn=1)
    assert before <= due(c) <= time.time() * 1000
    decided(c, True)
    await gateway.change(Change.UNBIND, device="tablet", conn=2)
    assert due(c) >= before
    await gateway.bind(conn=3)  # within the delay: the user counts as online
    assert due(c) >= before
    decided(c, False)
    await gateway.bind(device="tablet", conn=4)  # not the first, and noted with the first
    assert due(c) is None


@scenario()
async def test_a_bind_whose_note_was_lost_notes_again_at_another_router(c):
    gateway = await c.gateway()
    await gateway.bind(conn=1)
    await becomes(lambda: due(c) == 0, "alice is noted")
    c.redis.ask("ZREM", DUE, "alice")  # as if the router had died before it noted
    gateway.router = await c.router()
    gateway.stream = gateway.router.channel.stream_stream("/skein.v1.Router/Routes", router_pb.RouteChanges.SerializeToString,
                                                          router_pb.RouteAnswers.FromString)()
    await gateway.bind(conn=1, again=True)
    await becomes(lambda: due(c) == 0, "alice is noted again")


@scenario(login_policy="single", limits_devices="1", limits_devices__full="refuse_new")
async def test_a_bind_without_effect_notes_nobody(c):
    gateway = await c.gateway()
    await gateway.bind(conn=1, since=2000)
    await becomes(lambda: due(c) == 0, "alice is noted")
    decided(c, True)
    assert (await gateway.change(Change.BIND, device="tablet", conn=2, since=1000, again=True)).error
    assert due(c) is None


@scenario()
async def test_the_users_of_a_dead_gateway_are_noted_by_any_router_and_again_when_it_comes_back(c):
    first, second = await c.two()
    other = await c.router()
    for uid in "alice", *(f"user{number}" for number in range(1200)):  # as im would
        c.redis.ask("SADD", f"im:presence:at:{{gateway-1|{first.epoch}}}", uid)
    c.redis.ask("SADD", f"im:presence:at:{{gateway-2|{second.epoch}}}", "bob")
    await first.bind(conn=1)
    await second.bind("bob", conn=1)
    await becomes(lambda: due(c) == 0 and due(c, "bob") == 0, "both are noted")
    decided(c, True)
    decided(c, True, "bob")
    c.routers[0].process.send_signal(signal.SIGSTOP)  # it does not take part
    seen = int(c.redis.ask("HGET", "im:nodes", "gateway-1").split("\r\n")[1].split("|")[1])
    c.redis.ask("DEL", "im:node:{gateway-1}")
    try:
        await becomes(lambda: due(c) is not None and due(c, "user1199") is not None, "the users are noted")
        assert seen <= due(c) <= seen + 3000 and due(c, "bob") is None
    finally:
        c.routers[0].process.send_signal(signal.SIGCONT)
    await becomes(lambda: int(c.redis.ask("ZCARD", DUE)[1:]) == 1201, "all are noted")
    c.redis.ask("DEL", DUE)
    decided(c, False)
    assert (await other.call("RenewNode", first.node(), router_pb.Renewed)).was_out  # it was frozen
    await becomes(lambda: due(c) == 0 and int(c.redis.ask("ZCARD", DUE)[1:]) == 1201, "all are noted again")


@scenario(presence_enabled="off")
async def test_without_presence_nothing_is_noted(c):
    gateway = await c.gateway()
    await gateway.bind(conn=1)
    await gateway.change(Change.UNBIND, conn=1)
    assert "im:presence" not in c.redis.ask("KEYS", "*")
