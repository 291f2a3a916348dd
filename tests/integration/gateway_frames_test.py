"""What clients send to a gateway: sends, acks, pings, and frames that are wrong, too large or too many (gateway_fixture.py)."""
import asyncio

import grpc
import pytest
import websockets

from gateway_fixture import message, scenario
from gateway_peers_fixture import client_pb


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
    await client.send(type="send", rid="r2", message=message("k2", to={"user": "carol"}))
    await g.becomes(lambda: len(g.im.sends) == 2)
    for offset, key in (1, "k0"), (2, "k1"), (3, "k2"), (4, "k4"):
        assert await push.send(push.delivery(own=[client.at(offset)], client_msg_id=key, seq=offset)) == {}
    assert await client.offsets(1) == [1]
    await asyncio.sleep(1.2)  # longer than a hole may stay; a message that waits for its ack is no hole
    await client.nothing_before()
    g.im.gate.set()
    frames = [await client.read() for _ in range(5)]
    order = [f.get("rid") or f["message"]["client_msg_id"] for f in frames]
    assert order.index("r1") < order.index("k1") < order.index("k2") < order.index("k4") and \
        order.index("r2") < order.index("k2"), order
    assert await g.metric("skein_gateway_resyncs_total") == 0


def proto_send(key):
    to_bob = {"client_msg_id": key, "to_user": "bob", "type": "text", "body": '{"text":"hi"}'}
    return client_pb.ClientFrame(send=client_pb.Send(rid=key, **to_bob)).SerializeToString()


def keys_to(g, **recipient):
    """Of the sends that im was asked for, in their order."""
    return [send.client_msg_id for send in g.im.sends if {"user": send.to_user, "group": send.to_group}.items() >= recipient.items()]


@scenario()
async def test_sends_to_one_recipient_reach_im_one_after_the_other_in_the_order_of_their_frames(g):
    client, other = await g.connect(), await g.connect("carol", proto=True)
    g.im.gate.clear()

    async def refuse_some(request, context):
        if request.client_msg_id in ("k1", "k3"):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no", (("skein-error", "blocked"),))
        return await answer(request, context)
    answer, g.im.on_send = g.im.on_send, refuse_some
    for i in range(1, 6):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
    await client.send(type="send", rid="g1", message=message("g1", to={"group": "bob"}))
    await client.send(type="send", rid="c1", message=message("c1", to={"user": "carol"}))
    await other.ws.send(proto_send("p1"))
    await other.ws.send(proto_send("p2"))
    await g.becomes(lambda: len(g.im.sends) == 4)  # one of each connection to each recipient
    await client.nothing_before()
    assert sorted(send.client_msg_id for send in g.im.sends) == ["c1", "g1", "k1", "p1"]
    g.im.gate.set()
    answers = [await client.read() for _ in range(7)]
    assert [a["rid"] for a in answers if a["rid"][0] == "r"] == ["r1", "r2", "r3", "r4", "r5"]
    assert {a["rid"] for a in answers if a["type"] == "error"} == {"r1", "r3"}
    assert [(await other.expect("ack")).ack.rid for _ in range(2)] == ["p1", "p2"]
    assert [key for key in keys_to(g, user="bob") if key[0] == "k"] == ["k1", "k2", "k3", "k4", "k5"]
    assert [key for key in keys_to(g, user="bob") if key[0] == "p"] == ["p1", "p2"]


@scenario()
async def test_sends_that_wait_for_one_without_an_answer_end_with_it(g):
    client = await g.connect()
    g.im.gate.clear()
    for i in range(4):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
    errors = [await client.expect("error") for _ in range(4)]
    assert [(e["rid"], e["code"]) for e in errors] == [(f"r{i}", "unavailable") for i in range(4)]
    assert "may have been stored" in errors[0]["message"] and "not stored" in errors[1]["message"], errors
    assert keys_to(g) == ["k0"]  # the others were never asked for
    g.im.gate.set()


@scenario()
async def test_sends_of_a_connection_that_has_gone_do_not_overtake_one_that_im_could_not_serve(g):
    async def refuse(request, context):
        if request.client_msg_id == "k1":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        return await answer(request, context)
    answer, g.im.on_send = g.im.on_send, refuse
    client = await g.connect()
    g.im.gate.clear()
    for i in range(1, 4):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
    await g.becomes(lambda: len(g.im.sends) == 1)
    await client.ws.close()
    await (await g.connect()).nothing_before()
    g.im.gate.set()
    other = await g.connect("bob")
    await other.send(type="send", rid="r", message=message("later", to={"user": "alice"}))
    await other.expect("ack")
    assert keys_to(g) == ["k1", "later"]


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
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}", to={"user": f"u{i}"}))
    await g.becomes(lambda: len(g.im.sends) == 10)
    for i in range(10, 13):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}", to={"user": "u0"}))
    await client.nothing_before()
    await client.ws.close()
    await (await g.connect()).nothing_before()
    g.im.gate.set()
    await g.becomes(lambda: len(g.im.sends) == 13)  # those that waited for another one, too
    assert [send.client_msg_id for send in g.im.sends[10:]] == ["k10", "k11", "k12"]
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
            ({"type": "read", "conversation_id": "g:x"}, "invalid_argument", "seq", None),
            ({"type": "typing", "rid": "t", "conversation_id": "x"}, "invalid_argument", "conversation_id", "t"),
            ({"type": "watch", "rid": "w", "uids": ["a b"]}, "invalid_argument", "uids", "w"),
            ({"type": "watch", "rid": "w", "uids": ["a"] * 201}, "invalid_argument", "uids", "w"),
            ({"type": "join", "rid": "j", "room": "x"}, "failed_precondition", "not served", "j")]:
        await client.send(**frame)
        answer = await client.expect("error")
        assert (answer["code"], answer.get("rid")) == (code, rid) and names in answer["message"], answer
    for offset in "1", "0", "1":
        await client.send(type="ack", offset=offset)
    await client.nothing_before()
    assert not g.im.sends


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"type":1}', '{"type":"dance"}', "{" * 5000])
def test_a_malformed_frame_closes_with_4003(text):
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
    await client.ws.send(piece for piece in (head, fill[:9000], fill[9000:], "x", tail))  # the limit counts over all fragments
    assert await client.closed() == 1009


FLOODS = {
    "ping": ({"type": "ping"}, "pong", None),
    "send": ({"type": "send", "rid": "r1", "message": message()}, "ack", "r1"),
    "ack": ({"type": "ack", "offset": "0"}, None, None),
    "read": ({"type": "read", "conversation_id": "g:x", "seq": 1}, "error", None),
    "wrong": ({"type": "send", "rid": "r1"}, "error", "r1"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_frames_over_the_rate_are_errors_and_a_client_that_goes_on_is_closed_with_4006(kind):
    frame, answered_with, rid = FLOODS[kind]

    async def play(g):
        client = await g.connect()
        for _ in range(20):
            await client.nothing_before()
        frames = []
        try:
            for _ in range(80):
                await client.send(**frame)
            while True:
                frames.append(await client.read())
        except websockets.ConnectionClosed:
            pass
        assert await client.closed() == 4006
        refused = [f for f in frames if f["type"] == "error" and f["code"] == "rate_limited"]
        # It may have got back a few after the twenty; what is over that is refused, and so many again close the connection.
        assert 10 <= len(refused) <= 30, frames
        assert all(f.get("rid") == rid for f in refused)
        rest = [f for f in frames if f not in refused]
        assert len(rest) <= 30 and all(f["type"] == answered_with for f in rest), rest
        if kind == "send":
            assert len(g.im.sends) <= 30
    scenario(limits_frame_rate=5, limits_frame_burst=25)(play)()


@scenario(limits_frame_rate=5, limits_frame_burst=20)
async def test_a_client_that_waits_after_an_error_stays(g):
    client = await g.connect()
    for _ in range(30):
        await client.send(type="ping")
    kinds = [(await client.read())["type"] for _ in range(30)]
    assert "error" in kinds and kinds[:20] == ["pong"] * 20
    await asyncio.sleep(1)  # the rate is per second: nothing else can be waited for
    await client.nothing_before()


@scenario(limits_refused_rate=1, limits_refused_burst=10)
async def test_a_client_that_goes_on_after_refused_sends_is_closed_with_4006(g):
    async def refuse(request, context):
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many messages: wait 70 ms", (("skein-error", "rate_limited"),))
    g.im.on_send = refuse
    client = await g.connect()
    for i in range(10):
        await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
        answer = await client.expect("error")
        assert (answer["rid"], answer["code"], answer["message"]) == (f"r{i}", "rate_limited", "too many messages: wait 70 ms")
    try:
        for i in range(10, 100):
            await client.send(type="send", rid=f"r{i}", message=message(f"k{i}"))
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
