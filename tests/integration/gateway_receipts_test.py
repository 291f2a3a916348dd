"""Delivered receipts: what devices have acknowledged, as im is told (gateway_fixture.py)."""
import asyncio

import grpc

from gateway_fixture import appended, scenario
from gateway_peers_fixture import text_message

PAIR = "u:alice:bob"


def to_bob(seq, sender="alice"):
    """A message of another user to bob."""
    pair = "u:" + ":".join(sorted((sender, "bob")))
    return text_message(seq, conversation_id=pair, **{"from": sender}).SerializeToString()


def from_bob(seq, recipient):
    return text_message(seq, conversation_id=f"u:bob:{recipient}", **{"from": "bob"}).SerializeToString()


async def told(g, count=1):
    """Waits for this many calls of Delivered."""
    await g.becomes(lambda: len(g.im.receipts) >= count)
    return g.im.receipts


@scenario()
async def test_an_ack_is_told_to_im_as_the_highest_seq_of_each_conversation(g):
    bob, push = await g.connect("bob"), g.push()
    carol = "u:bob:carol"
    for offset, seq, sender in (1, 4, "alice"), (2, 5, "alice"), (3, 9, "carol"), (4, 6, "alice"):
        await push.message(bob.at(offset), message=to_bob(seq, sender))
    assert await bob.offsets(4) == [1, 2, 3, 4]
    await bob.ack(3)
    assert await told(g) == [{("bob", PAIR): 5, ("bob", carol): 9}]
    await bob.ack(4)
    assert (await told(g, 2))[1] == {("bob", PAIR): 6}
    await g.becomes(lambda: "skein_gateway_receipts_total 3\n" in g._get("/metrics")[1])


@scenario()
async def test_only_one_to_one_messages_of_others_count(g):
    bob, push = await g.connect("bob"), g.push()
    await push.message(bob.at(1), message=text_message(1, conversation_id="g:crew").SerializeToString())
    await push.send(push.delivery(own=[bob.at(2)], message=from_bob(2, "carol"), client_msg_id="k"))
    await push.message(bob.at(3), message=from_bob(3, "dave"))  # bob's own message, without its key
    await push.message(bob.at(4), message=to_bob(4))
    assert await bob.offsets(4) == [1, 2, 3, 4]
    await bob.ack(3)
    await bob.nothing_before("pong")  # the gateway has read the ack
    await bob.ack(4)
    assert await told(g) == [{("bob", PAIR): 4}]


@scenario()
async def test_messages_read_from_the_inbox_count_and_im_is_asked_to_look_up_those_left_to_the_client(g):
    appended(g, 30, "bob")  # a page of 20, then sync_more
    bob, push = await g.connect("bob", epoch=f"{g.router.inbox('bob')[0]:015x}", offset="0"), g.push()
    assert await bob.offsets(20) == list(range(1, 21))
    await bob.expect("sync_more")
    await bob.ack(20)
    assert await told(g) == [{("bob", PAIR): 20}]
    assert not g.im.ranges
    await bob.ack(25)  # the client has read these over HTTP, so the gateway does not know them
    await g.becomes(lambda: g.im.ranges == [("bob", bob.epoch, 20, 25)])
    await push.message(bob.at(31), message=to_bob(31))
    assert await bob.offsets(1) == [31]
    await bob.ack(31)
    await g.becomes(lambda: g.im.ranges[1:] == [("bob", bob.epoch, 25, 30)])
    assert g.im.receipts[1:] == [{}, {("bob", PAIR): 31}]
    await bob.ack(31)
    await push.message(bob.at(32), message=to_bob(32))
    assert await bob.offsets(1) == [32]
    await bob.ack(32)
    await told(g, 4)
    assert len(g.im.ranges) == 2


@scenario()
async def test_the_position_of_a_handshake_is_an_ack_of_what_was_read_over_http(g):
    appended(g, 5, "bob")
    epoch = f"{g.router.inbox('bob')[0]:015x}"
    bob = await g.connect("bob", epoch=epoch, offset="5")
    await g.becomes(lambda: g.im.ranges == [("bob", bob.epoch, 0, 5)])
    await bob.ack(5)
    await (await g.connect("bob", epoch="0" * 14 + "1", offset="5")).nothing_before("resync")  # unknown: it has nothing
    await (await g.connect("bob", epoch=epoch, offset="0", ack="0")).ack(3)
    await g.connect("carol")
    await bob.nothing_before()
    assert len(g.im.ranges) == 1


@scenario()
async def test_what_was_in_the_inbox_before_the_connection_or_a_resync_is_looked_up_when_it_is_acked(g):
    appended(g, 5, "bob")
    bob, push = await g.connect("bob"), g.push()
    await bob.ack(3)
    await g.becomes(lambda: g.im.ranges == [("bob", bob.epoch, 0, 3)])
    await push.message(bob.at(6), message=to_bob(6))
    assert await bob.offsets(1) == [6]
    await bob.ack(6)
    await g.becomes(lambda: g.im.ranges[1:] == [("bob", bob.epoch, 3, 5)])
    await push.message(bob.at(2, epoch=bob.epoch + 1), message=to_bob(7))  # Redis has made the inbox anew
    assert (await bob.expect("resync"))["epoch"] == f"{bob.epoch + 1:015x}"
    assert await bob.offsets(1) == [2]
    await bob.ack(2)
    await g.becomes(lambda: g.im.ranges[2:] == [("bob", bob.epoch + 1, 0, 1)])


@scenario(ws_workers="1")
async def test_one_call_is_under_way_at_a_time_and_acks_that_come_meanwhile_join_in_the_next(g):
    bob, tablet, push = await g.connect("bob"), await g.connect("bob", device="tablet"), g.push()
    g.im.delivered_gate.clear()
    for offset in range(1, 11):
        await push.send(push.delivery([bob.at(offset), tablet.at(offset)], message=to_bob(offset)))
    assert await bob.offsets(10) == await tablet.offsets(10) == list(range(1, 11))
    await bob.ack(1)
    await told(g)
    for offset in range(2, 11):
        await bob.ack(offset)
        await tablet.ack(offset - 1)
    await bob.nothing_before("pong")
    await tablet.nothing_before("pong")
    assert g.im.receipts == [{("bob", PAIR): 1}]
    g.im.delivered_gate.set()
    assert await told(g, 2) == [{("bob", PAIR): 1}, {("bob", PAIR): 10}]


@scenario(ws_workers="1")
async def test_a_full_batch_has_256_receipts_and_leaves_at_once(g):
    bob, push = await g.connect("bob"), g.push()
    await push.send(*(push.delivery([bob.at(n)], message=to_bob(n, f"u{n}")) for n in range(1, 201)))
    assert await bob.offsets(200) == list(range(1, 201))
    g.im.delivered_gate.clear()
    await bob.ack(1)
    await told(g)  # the next batch waits for this call
    await bob.ack(200)
    await push.send(*(push.delivery([bob.at(n)], message=to_bob(n, f"u{n}")) for n in range(201, 401)))
    assert await bob.offsets(200) == list(range(201, 401))
    await bob.ack(400)
    await bob.nothing_before("pong")
    g.im.delivered_gate.set()
    calls = await told(g, 3)
    assert [len(c) for c in calls] == [1, 256, 143]
    assert {k: v for call in calls for k, v in call.items()} == {("bob", f"u:bob:u{n}"): n for n in range(1, 401)}


@scenario()
async def test_receipts_that_im_does_not_take_are_lost_and_counted_and_nothing_waits_for_them(g):
    bob, push = await g.connect("bob"), g.push()
    g.im.delivered_status = grpc.StatusCode.UNAVAILABLE
    await push.message(bob.at(1), message=to_bob(1))
    assert await bob.offsets(1) == [1]
    await bob.ack(1)
    await g.becomes(lambda: 'skein_gateway_receipts_dropped_total{reason="im"} 1\n' in g._get("/metrics")[1])
    g.im.delivered_status = None
    await push.message(bob.at(2), message=to_bob(2))
    assert await bob.offsets(1) == [2]
    await bob.ack(2)
    assert await told(g, 2) == [{("bob", PAIR): 1}, {("bob", PAIR): 2}]


@scenario(ws_workers="1")
async def test_a_connection_that_never_acks_sends_no_receipts(g):
    silent, bob, push = await g.connect("bob", ack="0"), await g.connect("bob", device="tablet"), g.push()
    await push.message(silent.at(1), message=to_bob(1, "carol"))
    assert await silent.offsets(1) == [1]
    await silent.ack(1)
    await silent.nothing_before("pong")
    await push.message(bob.at(1), message=to_bob(2))
    assert await bob.offsets(1) == [1]
    await bob.ack(1)
    assert await told(g) == [{("bob", PAIR): 2}]


@scenario(delivered_events="off")
async def test_receipts_can_be_switched_off(g):
    bob, push = await g.connect("bob"), g.push()
    await push.message(bob.at(1), message=to_bob(1))
    assert await bob.offsets(1) == [1]
    await bob.ack(1)
    await bob.nothing_before("pong")
    renewals = len(g.router.nodes)
    await g.becomes(lambda: len(g.router.nodes) >= renewals + 2)  # 3 s: a receipt leaves after 0.1 s
    assert g.im.receipts == []


@scenario()
async def test_receipts_under_way_do_not_hold_up_the_end(g):
    bob, push = await g.connect("bob"), g.push()
    g.im.delivered_gate.clear()
    for offset in 1, 2:
        await push.message(bob.at(offset), message=to_bob(offset))
        assert await bob.offsets(1) == [offset]
        await bob.ack(offset)
        await told(g)
    assert await asyncio.wait_for(g.stop(), 10) == 0
    g.im.delivered_gate.set()
