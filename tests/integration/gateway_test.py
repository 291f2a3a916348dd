"""The gateway as a process; im, router, push and the clients are played by the test (gateway_fixture.py)."""
import asyncio
import os
import subprocess
import time

import grpc
import pytest
import websockets

from gateway_fixture import (appended, client_pb, delivery_pb, Gateway, message, raw_handshake, router_pb, scenario, serve,
                             token, token_id)

GONE, LAGGING = delivery_pb.GONE, delivery_pb.LAGGING
FIRST_CONN = 1  # the first connection's id, when there is one worker


# ---- the spine ----

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


# ---- the handshake ----

async def refusal(url, **headers):
    """Status and problem of a handshake that is refused."""
    try:
        ws = await websockets.connect(url, extra_headers=headers, open_timeout=20)
        await ws.close()
        raise AssertionError(f"was let in: {url[:200]}")
    except websockets.InvalidStatusCode as error:
        return error.status_code


@scenario()
async def test_a_bad_token_is_401_before_the_upgrade(g):
    for bad in ["", "x", "a.b.c", token("alice", -10), token("alice", secret="another secret here"), token("a:b"),
                token("alice", jti="x" * 4096), token("")]:
        assert await refusal(g.url(token=bad)) == 401, bad
    assert await refusal(g.url(token=None)) == 401
    assert await refusal(g.url() + "&token=" + token("alice")) == 401  # twice
    for header in "", "Bearer", "Bearer x", "Basic " + token("alice"), token("alice"):
        assert await refusal(g.url(token=None), Authorization=header) == 401, header
    client = await g.connect(token=None, ws_options={"extra_headers": {"Authorization": "bearer " + token("alice")}})
    assert client.hello["uid"] == "alice"
    assert await g.metric('skein_gateway_handshakes_total{outcome="unauthenticated"}') == 15
    assert await g.metric('skein_gateway_handshakes_total{outcome="ok"}') == 1


BAD_PARAMETERS = [
    {"device": None}, {"device": ""}, {"device": "a%20b"}, {"device": "x" * 65}, {"device": "%C3%A9"},
    {"platform": None}, {"platform": ""}, {"platform": "amiga"}, {"platform": "IOS"}, {"platform": "x" * 100},
    {"epoch": "abc"}, {"offset": "1"}, {"epoch": "", "offset": "1"}, {"epoch": "x" * 16, "offset": "1"},
    {"epoch": "x" * 1000, "offset": "1"}, {"epoch": "abc", "offset": ""}, {"epoch": "abc", "offset": "-1"},
    {"epoch": "abc", "offset": "1" * 21}, {"epoch": "abc", "offset": "1.0"}, {"epoch": "abc", "offset": "%2B1"},
    {"ack": ""}, {"ack": "2"}, {"ack": "no"}, {"ack": "00"}, {"device": "a&device=b"}, {"ack": "1&ack=1"},
    {"device": "a%00b"}, {"device": "%ff"},
]


@scenario()
async def test_a_bad_parameter_is_400_and_touches_nothing(g):
    for bad in BAD_PARAMETERS:
        assert await refusal(g.url(**bad)) == 400, bad
    assert not g.router.changes and not g.im.admitted
    for good in {"ack": "0"}, {"ack": "1"}, {"device": "x" * 64}, {"epoch": "x" * 15, "offset": "1" * 20}:
        await g.connect(**good)


@scenario(ws_max_connections=2)
async def test_a_full_node_refuses_with_503(g):
    one = await g.connect("u1")
    await g.connect("u2")
    try:
        assert await refusal(g.url("u3")) == 503
    except (OSError, websockets.InvalidMessage):
        pass  # its worker has as many sockets as the whole node may have: closed without a word
    await one.ws.close()
    await g.becomes(lambda: len(g.router.routes) == 1)

    async def let_in():
        try:
            await g.connect("u3")
            return True
        except websockets.InvalidStatusCode:
            return False
    await g.becomes(let_in)


@scenario()
async def test_im_decides_who_may_connect(g):
    g.im.refused = {"eve": grpc.StatusCode.UNAUTHENTICATED, "mallory": grpc.StatusCode.UNAVAILABLE}
    assert await (await g.open("eve")).closed() == 4002
    assert await (await g.open("mallory")).closed() == 1013
    g.router.bind_error = "unavailable"
    assert await (await g.open("alice")).closed() == 1013
    await g.becomes(lambda: not g.router.routes)


@scenario()
async def test_a_client_is_sent_away_when_router_does_not_answer(g):
    g.router.gate.clear()
    client = await g.open()
    start = time.monotonic()
    assert await client.closed() == 1013
    assert "router" in client.ws.close_reason and 7 < time.monotonic() - start < 15
    g.router.gate.set()
    await g.becomes(lambda: any(c.op == router_pb.RouteChange.UNBIND for c in g.router.changes))
    assert not g.router.routes


WALL_CLOCK = """
/* The wall clock, so many seconds off as the first eight bytes of $CLOCK_FILE say. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_s;

__attribute__((constructor)) static void open_file(void)
{
	offset_s = mmap(NULL, 8, PROT_READ, MAP_SHARED, open(getenv("CLOCK_FILE"), O_RDONLY), 0);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int status = (int)syscall(SYS_clock_gettime, id, now);
	if (id == CLOCK_REALTIME && offset_s)
		now->tv_sec += *offset_s;
	return status;
}
"""


def test_a_token_expires_within_two_seconds_of_the_wall_clock_being_set(tmp_path):
    def set_clock(offset_s):
        with (tmp_path / "clock").open("r+b") as file:
            file.write(offset_s.to_bytes(8, "little", signed=True))

    async def play():
        g = Gateway()
        g.environment = {"LD_PRELOAD": str(tmp_path / "clock.so"), "CLOCK_FILE": str(tmp_path / "clock"),
                         "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        async with g:
            in_an_hour, in_a_day = await g.connect(), await g.connect("bob", token=token("bob", 24 * 3600))
            set_clock(2 * 3600)
            start = time.monotonic()
            assert await in_an_hour.closed() == 4002
            assert time.monotonic() - start < 2
            await in_a_day.nothing_before()
            soon = await g.connect("eve", token=token("eve", 2 * 3600 + 3))
            set_clock(3600)  # back: the token lives an hour longer than its timer believed
            with pytest.raises(asyncio.TimeoutError):
                await soon.read(5)
            await soon.nothing_before()

    (tmp_path / "clock").write_bytes(bytes(8))
    (tmp_path / "clock.c").write_text(WALL_CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    asyncio.run(play())


@scenario()
async def test_a_token_that_expires_closes_with_4002_within_two_seconds(g):
    expiry = int(time.time()) + 2
    client = await g.connect(token=token("alice", expiry - time.time()))
    assert await client.closed() == 4002
    assert expiry - 0.1 <= time.time() < expiry + 2


# ---- what the client sends ----

@scenario()
async def test_a_send_is_answered_with_what_im_says(g):
    client = await g.connect()
    await client.send(type="send", rid="r1", message=message(reply_to=3, mentions=["bob"]))
    assert await client.expect("ack") == {"type": "ack", "rid": "r1", "msg_id": "1001", "conversation_id": "u:alice:bob",
                                          "seq": 1, "time": 1700000000000, "duplicate": False}
    request = g.im.sends[0]
    assert (getattr(request, "from"), request.to_user, request.body, request.reply_to, list(request.mentions)) == \
        ("alice", "bob", '{"text":"hi"}', 3, ["bob"])

    async def refuse(request, context):
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "bob blocked you", (("skein-error", "blocked"),))
    g.im.on_send = refuse
    await client.send(type="send", rid="r2", message=message())
    answer = await client.expect("error")
    assert (answer["rid"], answer["code"], answer["message"]) == ("r2", "blocked", "bob blocked you")


@scenario()
async def test_a_message_waits_for_the_answer_to_its_send(g):
    client, push = await g.connect(), g.push()
    g.im.gate.clear()
    await client.send(type="send", rid="r1", message=message("k1"))
    await client.send(type="send", rid="r2", message=message("k2"))
    await g.becomes(lambda: len(g.im.sends) == 2)
    for offset, key in (1, "k0"), (2, "k1"), (3, "k2"), (4, "k4"):
        assert await push.send(push.delivery(own=[client.at(offset)], client_msg_id=key, seq=offset)) == {}
    assert await client.offsets(1) == [1]
    await asyncio.sleep(1.2)  # longer than a hole may stay: this is none
    await client.nothing_before()
    g.im.gate.set()
    frames = [await client.read() for _ in range(5)]
    order = [f.get("rid") or f["message"]["client_msg_id"] for f in frames]
    assert order.index("r1") < order.index("k1") < order.index("k2") < order.index("k4") and \
        order.index("r2") < order.index("k2"), order
    assert await g.metric("skein_gateway_resyncs_total") == 0


@scenario()
async def test_sends_are_bounded_while_im_does_not_answer(g):
    client = await g.connect()
    g.im.gate.clear()
    for i in range(251):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
    answer = await client.expect("error")
    assert (answer["rid"], answer["code"]) == ("r250", "rate_limited")
    g.im.gate.set()
    assert {(await client.expect("ack"))["rid"] for _ in range(250)} == {f"r{i}" for i in range(250)}
    await client.send(type="send", rid="again", message=message("again"))
    await client.expect("ack")


@scenario()
async def test_a_send_that_im_does_not_answer_ends_as_unavailable(g):
    client, push = await g.connect(), g.push()
    g.im.gate.clear()
    await client.send(type="send", rid="r1", message=message("k1"))
    await g.becomes(lambda: g.im.sends)
    await push.send(push.delivery(own=[client.at(1)], client_msg_id="k1"))
    answer = await client.expect("error")
    assert (answer["rid"], answer["code"]) == ("r1", "unavailable")
    assert await client.offsets(1) == [1]
    g.im.gate.set()


@scenario()
async def test_a_connection_that_goes_leaves_its_sends_behind(g):
    client = await g.connect()
    g.im.gate.clear()
    for i in range(10):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
    await g.becomes(lambda: len(g.im.sends) == 10)
    await client.ws.close()
    g.im.gate.set()
    other = await g.connect()
    await other.nothing_before()


@scenario()
async def test_bad_fields_are_answered_and_the_connection_stays(g):
    client, push = await g.connect(), g.push()
    await push.message(client.at(1))
    assert await client.offsets(1) == [1]
    for frame, code, names, rid in [
            ({"type": "send", "rid": "r1"}, "invalid_argument", "message", "r1"),
            ({"type": "send", "message": message()}, "invalid_argument", "rid", None),
            ({"type": "send", "rid": "r1", "message": message(to=7)}, "invalid_argument", "message.to", "r1"),
            ({"type": "ack"}, "invalid_argument", "offset", None),
            ({"type": "ack", "offset": "2"}, "invalid_argument", "offset", None),
            ({"type": "ack", "offset": "9" * 20}, "invalid_argument", "offset", None),
            ({"type": "read", "conversation_id": "g:x", "seq": 1}, "failed_precondition", "not served", None),
            ({"type": "join", "rid": "j", "room": "x"}, "failed_precondition", "not served", "j")]:
        await client.send(**frame)
        answer = await client.expect("error")
        assert (answer["code"], answer.get("rid")) == (code, rid) and names in answer["message"], answer
    for offset in "1", "0", "1":
        await client.send(type="ack", offset=offset)
    await client.nothing_before()
    assert not g.im.sends


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"type":1}', '{"type":"dance"}', "{" * 5000])
def test_what_is_no_frame_closes_with_4003(text):
    async def play(g):
        client = await g.connect()
        await client.ws.send(text)
        assert await client.closed() == 4003
    scenario()(play)()


@scenario()
async def test_the_wrong_kind_of_message_closes_with_1003(g):
    client = await g.connect()
    await client.ws.send(b'{"type":"ping"}')
    assert await client.closed() == 1003
    client = await g.connect(proto=True)
    await client.ws.send('{"type":"ping"}')
    assert await client.closed() == 1003
    client = await g.connect(proto=True)
    await client.ws.send(b"\xff\xff")
    assert await client.closed() == 4003


@scenario()
async def test_16_kib_is_taken_and_more_closes_with_1009(g):
    client = await g.connect()
    head, tail = '{"type":"ping","x":"', '"}'
    fill = "x" * (16384 - len(head) - len(tail))
    await client.ws.send(head + fill + tail)
    await client.expect("pong")
    await client.ws.send(piece for piece in (head, fill[:9000], fill[9000:], "x", tail))  # over its fragments
    assert await client.closed() == 1009


@scenario(limits_frame_rate=50, limits_frame_burst=20)
async def test_too_many_frames_close_with_4006(g):
    client = await g.connect()
    for _ in range(20):
        await client.nothing_before()
    try:
        for _ in range(200):
            await client.send(type="ping")
    except websockets.ConnectionClosed:
        pass
    assert await client.closed() == 4006


@scenario(limits_frame_rate=1, limits_frame_burst=1, limits_enabled="off")
async def test_without_limits_nobody_is_closed_for_speed(g):
    client = await g.connect()
    for _ in range(300):
        await client.send(type="ping")
    for _ in range(300):
        await client.expect("pong")


# ---- devices and routes ----

@scenario()
async def test_a_kick_closes_the_connection_and_its_late_unbind_harms_nobody(g):
    old = await g.connect()
    other = await g.connect(device="laptop")
    new = await g.connect()  # the same device: router sees it, and kicks
    await g.kick(old.conn, reason="the same device connected again")
    push = g.push()
    delivery = push.delivery([old.at(1), new.at(1), other.at(1)])
    assert await push.send(delivery) == {delivery.id: {old.conn: GONE}}  # from the answer to the kick on
    assert await old.closed() == 4001 and old.ws.close_reason == "the same device connected again"
    await g.becomes(lambda: any(c.op == router_pb.RouteChange.UNBIND and c.conn == old.conn for c in g.router.changes))
    assert g.router.routes[("alice", "phone")][2] == new.conn  # the old one's unbind took nothing away
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
    await g.kick(client.conn, node_epoch=76)  # before a restart this id was another's
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
async def test_who_may_not_connect_replaces_nobody(g):
    client = await g.connect()
    g.im.refused["alice"] = grpc.StatusCode.UNAUTHENTICATED
    assert await (await g.open()).closed() == 4002
    assert [c.op for c in g.router.changes] == [router_pb.RouteChange.BIND]
    await client.nothing_before()


@scenario()
async def test_who_is_bound_again_is_admitted_again(g):
    good, bad = await g.connect("good"), await g.connect("bad")
    g.router.routes.clear()
    g.im.refused["bad"] = grpc.StatusCode.UNAUTHENTICATED  # logged out, and the kick found no route
    g.im.refused["good"] = grpc.StatusCode.UNAVAILABLE  # im is away for now
    await restart_router(g)
    assert await bad.closed() == 4002
    await g.becomes(lambda: g.im.admitted.count("good") >= 2)
    await good.nothing_before()
    g.im.refused["good"] = grpc.StatusCode.UNAUTHENTICATED
    await restart_router(g)  # its renewal comes soon, and asks once more
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
async def test_when_all_is_forgotten_all_is_bound_again_in_seconds(g):
    clients = await asyncio.gather(*(g.connect(f"u{i}") for i in range(200)))
    routes = dict(g.router.routes)
    g.router.routes.clear()
    start = time.monotonic()
    await g.becomes(lambda: g.router.routes == routes)
    assert time.monotonic() - start < 12  # a round takes 30 s
    for client in clients:
        await client.nothing_before()


@scenario()
async def test_a_node_that_was_out_of_the_list_has_every_inbox_read_again(g):
    client = await g.connect()
    await g.becomes(lambda: len(g.router.nodes) > 1)  # registered, and renewed
    g.router.renew_status = grpc.StatusCode.UNAVAILABLE
    await asyncio.sleep(8.1)  # the life of its key: push took it for dead, and gave this up
    appended(g, 2)
    g.router.renew_status = None
    assert await client.offsets(2) == [1, 2]
    assert ("alice", "phone") in g.router.routes


@scenario()
async def test_a_node_that_redis_forgot_has_every_route_bound_again(g):
    client = await g.connect()
    appended(g, 1)  # push knew no such node, and took the route out
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
    g.router.gate.clear()  # what is asked now is lost with the stream
    comes = await g.open("comes")
    await goes.ws.close()
    await g.becomes(lambda: g.router.received >= 3)  # and perhaps waits inside gRPC
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
    assert "left" not in {c.uid for c in g.router.changes}  # came and went while nobody listened
    await stays.nothing_before()


# ---- coming and going ----

def test_who_loses_its_name_closes_all_and_ends_with_1():
    async def play():
        async with Gateway() as g:
            g.expected_exit = 1
            client = await g.connect()
            g.router.renew_status = grpc.StatusCode.FAILED_PRECONDITION
            assert await client.closed() == 1001
            assert await asyncio.get_running_loop().run_in_executor(None, g.process.wait) == 1
    asyncio.run(play())


@scenario()
async def test_it_tells_router_how_it_is(g):
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
    await push.send(push.delivery([client.at(1)] * 400000))  # repeats: all in one turn
    await g.becomes(lambda: any(n.lag_ms >= 2 and n.connections == 1 for n in g.router.nodes))


@scenario()
async def test_it_is_ready_while_im_and_router_answer(g):
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


def test_it_waits_for_router_before_it_listens():
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
