"""What a connection is sent and in which order: live messages, those read from its inbox, and its window (gateway_fixture.py)."""
import asyncio
import time

import grpc
import pytest

from gateway_fixture import appended, epoch_text, message, raw_handshake, read_to_end, scenario
from gateway_peers_fixture import client_pb, im_pb, text_message

FIRST_CONN = 1  # the first connection's id, when there is one worker


# ---- order, duplicates, holes ----

@scenario()
async def test_late_repeated_and_early_messages_leave_in_order_and_once(g):
    client, push = await g.connect(), g.push()
    for offset in 2, 3, 1, 1, 3, 5, 2, 4:
        assert await push.message(client.at(offset), seq=offset) == {}
    assert await client.offsets(5) == [1, 2, 3, 4, 5]
    await client.nothing_before("pong")
    assert await g.metric("skein_gateway_resyncs_total") == 0


@scenario()
async def test_a_hole_that_stays_is_read_from_the_inbox(g):
    client, push = await g.connect(), g.push()
    appended(g, 5)
    await push.message(client.at(1))
    await push.message(client.at(5))
    start = time.monotonic()
    assert await client.offsets(5) == [1, 2, 3, 4, 5]
    assert 0.15 < time.monotonic() - start < 5
    await push.message(client.at(3))  # comes late: it was read from the inbox meanwhile
    await push.message(client.at(6))
    assert await client.offsets(1) == [6]
    assert [(r.uid, r.epoch, r.offset, r.limit) for r in g.im.syncs] == [("alice", client.epoch, 1, 3)]
    assert await g.metric("skein_gateway_resyncs_total") == 0
    assert await g.metric('skein_gateway_syncs_total{outcome="read"}') == 1


@scenario(ws_workers=1)
async def test_a_message_read_from_the_inbox_shows_its_key_to_its_sender_only(g):
    alice, bob, push = await g.connect("alice", proto=True), await g.connect("bob"), g.push()
    for uid in "alice", "bob":
        appended(g, 2, uid)
        g.im.entries[(uid, 1)] = text_message(7, "a", client_msg_id="k7" if uid == "alice" else "")
    await push.send(push.delivery([bob.at(2)], [alice.at(2)]))
    frame = await alice.expect("message")
    assert (frame.offset, frame.message.seq, frame.message.client_msg_id) == ("1", 7, "k7")
    frame = await bob.expect("message")
    assert frame["message"]["seq"] == 7 and "client_msg_id" not in frame["message"]
    assert (await bob.offsets(1)) == [2]


@scenario()
async def test_messages_beyond_the_hold_limit_are_read_from_the_inbox(g):
    client, push = await g.connect(), g.push()
    appended(g, 200)
    await push.send(*(push.delivery([client.at(offset)]) for offset in range(2, 201)))
    assert await client.offsets(200) == list(range(1, 201))
    assert await g.metric("skein_gateway_resyncs_total") == 0
    assert await g.metric("skein_gateway_held_total") <= 64 + 64 and await g.metric("skein_gateway_forgotten_total") > 0


@scenario()
async def test_a_hole_too_large_to_read_is_announced(g):
    client, push = await g.connect(), g.push()
    appended(g, 1000)
    await push.message(client.at(1))
    await push.message(client.at(600))
    assert await client.offsets(1) == [1]
    assert await client.expect("resync") == {"type": "resync", "epoch": epoch_text(client.epoch)}
    await push.message(client.at(601))
    assert await client.offsets(1) == [601]
    assert not g.im.syncs
    assert await g.metric('skein_gateway_syncs_total{outcome="too_far"}') == 1


@scenario()
async def test_a_hole_that_cannot_be_read_is_tried_again_and_then_announced(g):
    client, push = await g.connect(), g.push()

    async def refuse(request, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    g.im.on_sync = refuse
    await push.message(client.at(2))
    assert (await client.expect("resync"))["epoch"] == epoch_text(client.epoch)
    assert len(g.im.syncs) == 3
    await push.message(client.at(3))
    assert await client.offsets(1) == [3]
    assert await g.metric('skein_gateway_syncs_total{outcome="failed"}') == 3


@scenario()
async def test_a_hole_that_is_read_at_the_second_try_is_none(g):
    client, push = await g.connect(), g.push()
    good = g.im.on_sync

    async def refuse_once(request, context):
        g.im.on_sync = good
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    g.im.on_sync = refuse_once
    appended(g, 2)
    await push.message(client.at(2))
    assert await client.offsets(2) == [1, 2]


NONSENSE = {
    "nothing": lambda page: page(entries=[]),
    "no epoch": lambda page: page(epoch=0),
    "another place": lambda page: page(entries=[im_pb.SyncEntry(offset=9, message=text_message(9))]),
    "a hole": lambda page: page(entries=[im_pb.SyncEntry(offset=n, message=text_message(n)) for n in (1, 3)]),
    "a reset of the same inbox": lambda page: page(entries=[], reset=True),
    "no message": lambda page: page(entries=[im_pb.SyncEntry(offset=1)]),
    "an empty message": lambda page: page(entries=[im_pb.SyncEntry(offset=1, message=client_pb.Message())]),
    "a huge message": lambda page: page(entries=[im_pb.SyncEntry(offset=1, message=text_message(1, "x" * 300000))]),
    "a body that is none": lambda page: page(entries=[im_pb.SyncEntry(offset=1, message=text_message(1, body="7"))]),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_an_answer_that_makes_no_sense_ends_in_a_resync(kind):
    async def play(g):
        client, push = await g.connect(), g.push()
        appended(g, 3)

        async def on_sync(request, context):
            return NONSENSE[kind](lambda **more: g.im.page(request, **more))
        g.im.on_sync = on_sync
        await push.message(client.at(3))
        await client.expect("resync")
        await push.message(client.at(4))
        assert await client.offsets(1) == [4]
        await client.nothing_before()
    scenario()(play)()


@scenario()
async def test_an_inbox_that_was_created_again_is_noticed_when_it_is_read(g):
    client, push = await g.connect(), g.push()
    g.router.inboxes["alice"] = [0xbeef, 7]
    await push.message(client.at(2))
    assert (await client.expect("resync"))["epoch"] == epoch_text(0xbeef)
    await push.message(client.at(8, 0xbeef))
    assert await client.offsets(1) == [8]
    assert await g.metric('skein_gateway_syncs_total{outcome="reset"}') == 1


@scenario()
async def test_another_epoch_is_announced_and_followed(g):
    client, push = await g.connect(), g.push()
    await push.message(client.at(1))
    await push.message(client.at(7, 0xbeef))
    await push.message(client.at(2))  # of the inbox that was replaced
    await push.message(client.at(8, 0xbeef))
    assert await client.offsets(1) == [1]
    assert (await client.expect("resync"))["epoch"] == epoch_text(0xbeef)
    assert await client.offsets(2) == [7, 8]
    await client.nothing_before()


@scenario(ws_workers=1)
async def test_messages_that_come_before_hello_follow_it(g):
    g.router.gate.clear()
    client, push = await g.open(), g.push()
    await g.becomes(lambda: g.router.received)
    epoch = g.router.inbox("alice")[0]
    for offset in 2, 1:
        assert await push.message((FIRST_CONN, offset, epoch)) == {}
    await client.send(type="ping")
    g.router.gate.set()
    await client.expect("hello")
    assert await client.offsets(2) == [1, 2]
    await client.expect("pong")


@scenario()
async def test_what_is_appended_while_the_route_is_being_bound_is_read(g):
    """The head is the one at the bind: messages appended before it found no route."""
    epoch = g.router.inbox("alice")[0]
    g.router.gate.clear()
    client = await g.open(epoch=epoch_text(epoch), offset="0")
    await g.becomes(lambda: g.router.received)
    appended(g, 2)
    g.router.gate.set()
    assert (await client.expect("hello"))["head"] == "2"
    assert await client.offsets(2) == [1, 2]


@scenario(ws_workers=1)
async def test_a_client_that_says_too_much_before_hello_is_closed(g):
    g.im.admit_gate.clear()
    client = await g.open()
    await g.becomes(lambda: g.im.admitted)
    for _ in range(40):
        await client.send(type="ping")
    assert await client.closed() == 1008
    g.im.admit_gate.set()


# ---- where the client is ----

@scenario()
async def test_a_client_without_a_valid_position_is_told_to_sync(g):
    g.router.inboxes["alice"] = [0xabc, 10]
    known = epoch_text(0xabc)
    for epoch, offset, has_to in [(known, "10", False), (known, "11", True), (known, "99999999999999999999", True),
                                  (epoch_text(0xabd), "10", True), ("nothing-of-ours", "10", True), ("0", "0", True)]:
        client = await g.connect(epoch=epoch, offset=offset, device=f"d{offset[:5]}-{epoch[:9]}")
        assert client.hello["epoch"] == known and client.hello["head"] == "10"
        if has_to:
            assert (await client.expect("resync"))["epoch"] == known, (epoch, offset)
        await client.nothing_before()
    assert not g.im.syncs


async def behind(g, offset, head, uid="alice", **more):
    """A client that comes back having everything up to `offset`."""
    appended(g, head, uid)
    return await g.connect(uid, epoch=epoch_text(g.router.inbox(uid)[0]), offset=str(offset), **more)


@scenario()
async def test_a_client_gets_what_it_has_missed_and_then_what_comes(g):
    client, push = await behind(g, 3, 23), g.push()
    assert client.hello["head"] == "23"
    assert await client.offsets(20) == list(range(4, 24))
    await push.message(client.at(24))
    assert await client.offsets(1) == [24]
    await client.nothing_before()
    assert [(r.offset, r.limit) for r in g.im.syncs] == [(3, 20)]


@scenario()
async def test_more_than_20_are_left_to_the_client_and_live_ones_go_on_after_the_head(g):
    client, push = await behind(g, 0, 21), g.push()
    assert await client.offsets(20) == list(range(1, 21))
    assert await client.expect("sync_more") == {"type": "sync_more", "next_offset": "20"}
    await client.ack(21)  # the client has read this one over HTTP
    await push.message(client.at(22))
    assert await client.offsets(1) == [22]
    await client.nothing_before()
    assert await g.metric("skein_gateway_resyncs_total") == 0
    binary = await behind(g, 0, 21, "bob", proto=True)
    for _ in range(20):
        await binary.expect("message")
    assert (await binary.expect("sync_more")).sync_more.next_offset == "20"


@scenario()
async def test_live_messages_wait_until_the_inbox_is_read(g):
    g.im.sync_gate.clear()
    client, push = await behind(g, 2, 5), g.push()
    appended(g, 7)
    for offset in 7, 6, 5:
        assert await push.message(client.at(offset)) == {}
    await g.becomes(lambda: g.im.syncs)
    await client.nothing_before()
    g.im.sync_gate.set()
    assert await client.offsets(5) == [3, 4, 5, 6, 7]  # each once, from the inbox or live
    await client.nothing_before()


@scenario()
async def test_live_messages_wait_until_the_client_has_been_told_to_read_more(g):
    g.im.sync_gate.clear()
    client, push = await behind(g, 0, 100), g.push()
    await push.send(*(push.delivery([client.at(offset)], seq=offset) for offset in (102, 101, 90, 103)))
    g.im.sync_gate.set()
    assert await client.offsets(20) == list(range(1, 21))
    await client.expect("sync_more")
    assert await client.offsets(3) == [101, 102, 103]
    await client.nothing_before()


@scenario()
async def test_a_message_that_came_twice_on_the_way_is_read_once_after_its_send_is_answered(g):
    """A client comes back and repeats a send that had been stored: the message is in its inbox already."""
    g.im.sync_gate.clear()
    g.im.gate.clear()
    g.im.entries[("alice", 2)] = text_message(2, client_msg_id="k2")
    client = await behind(g, 0, 3)
    await client.send(type="send", rid="r2", message=message("k2"))
    await g.becomes(lambda: g.im.sends)
    g.im.sync_gate.set()
    assert await client.offsets(1) == [1]
    await client.nothing_before()
    g.im.gate.set()
    await client.expect("ack")
    assert await client.offsets(2) == [2, 3]


@scenario(sync_timeout="100ms")
async def test_a_client_is_told_to_sync_when_im_does_not_read(g):
    g.im.sync_gate.clear()
    client, push = await behind(g, 0, 5), g.push()
    await push.message(client.at(6))
    assert (await client.expect("resync"))["epoch"] == epoch_text(client.epoch)
    await push.message(client.at(7))
    assert await client.offsets(1) == [7]
    g.im.sync_gate.set()
    await client.nothing_before()


@scenario()
async def test_a_position_that_was_trimmed_is_told_to_sync(g):
    async def reset(request, context):
        return im_pb.SyncResponse(epoch=request.epoch, head=9, next_offset=9, reset=True)
    g.im.on_sync = reset
    client, push = await behind(g, 1, 9), g.push()
    assert (await client.expect("resync"))["epoch"] == epoch_text(client.epoch)
    await push.message(client.at(10))
    assert await client.offsets(1) == [10]


@scenario()
async def test_a_client_that_goes_while_its_inbox_is_read_harms_nobody(g):
    g.im.sync_gate.clear()
    client = await behind(g, 0, 5)
    await g.becomes(lambda: g.im.syncs)
    await client.ws.close()
    await g.becomes(lambda: not g.router.routes)
    g.im.sync_gate.set()
    other = await behind(g, 0, 5)
    assert await other.offsets(5) == [1, 2, 3, 4, 5]


@scenario(ws_workers=1, sync_timeout="20s")
async def test_reads_are_bounded_and_each_has_its_turn(g):
    g.im.sync_gate.clear()
    clients = [await behind(g, 0, 3, f"u{i}", device="d") for i in range(100)]
    await g.becomes(lambda: g.im.syncs_waiting == 64)
    for client in clients[60:70]:  # some clients leave during their read, some before it
        await client.ws.close()
    await g.becomes(lambda: len(g.router.routes) == 90)
    for client in clients[:3]:
        await client.nothing_before()
    assert g.im.syncs_waiting == 64
    g.im.sync_gate.set()
    for client in clients[:60] + clients[70:]:
        assert await client.offsets(3) == [1, 2, 3]
    order = [r.uid for r in g.im.syncs]
    assert order[:64] == [f"u{i}" for i in range(64)] or set(order[:64]) == {f"u{i}" for i in range(64)}
    assert len(order) == 94  # no read was made for a client that left before its turn


# ---- acks ----

@scenario(window_messages=4)
async def test_a_full_window_stops_and_goes_on_where_it_stopped(g):
    client, push = await g.connect(), g.push()
    appended(g, 30)
    assert await push.send(*(push.delivery([client.at(n)], seq=n) for n in range(1, 31))) == {}
    assert await client.offsets(4) == [1, 2, 3, 4]
    await client.nothing_before()
    await client.ack(1)
    await client.nothing_before()  # there is room for one: not worth a read
    assert not g.im.syncs
    for offset in range(4, 29, 2):
        await client.ack(offset - 2)
        assert await client.offsets(2) == [offset + 1, offset + 2]
        await client.nothing_before()
    await client.ack(30)
    await push.message(client.at(31))
    assert await client.offsets(1) == [31]
    assert await g.metric("skein_gateway_resyncs_total") == 0
    assert await g.metric("skein_gateway_window_stalls_total") == 14
    assert await g.metric("skein_gateway_queue_bytes") == 0


@scenario(window_bytes=4096)
async def test_a_window_is_counted_in_bytes_too_and_one_message_always_fits(g):
    client, push = await g.connect(), g.push()
    appended(g, 3)
    for n in range(1, 4):
        g.im.entries[("alice", n)] = text_message(n, "x" * 10000)
        await push.message(client.at(n), seq=n, text="x" * 10000)
    for n in range(1, 4):
        assert await client.offsets(1) == [n]
        await client.nothing_before()
        await client.ack(n)


@scenario(window_messages=4)
async def test_a_client_too_far_behind_when_its_window_has_room_is_told_to_sync_once(g):
    client, push = await g.connect(), g.push()
    appended(g, 600)
    assert await push.send(*(push.delivery([client.at(n)], seq=n) for n in range(1, 601))) == {}
    assert await client.offsets(4) == [1, 2, 3, 4]
    await client.ack(4)
    await client.expect("resync")
    await client.nothing_before()
    await push.send(*(push.delivery([client.at(n)], seq=n) for n in range(601, 611)))
    appended(g, 610)
    assert await client.offsets(4) == [601, 602, 603, 604]  # the window counts from the head
    await client.ack(600)
    await client.nothing_before()
    await client.ack(604)
    assert await client.offsets(4) == [605, 606, 607, 608]


@scenario(window_messages=4)
async def test_the_first_messages_fill_the_window_too(g):
    client = await behind(g, 0, 10)
    assert await client.offsets(4) == [1, 2, 3, 4]
    await client.nothing_before()
    await client.ack(4)
    assert await client.offsets(4) == [5, 6, 7, 8]
    await client.ack(8)
    assert await client.offsets(2) == [9, 10]
    far = await behind(g, 0, 30, "bob")
    assert await far.offsets(4) == [1, 2, 3, 4]
    assert (await far.expect("sync_more"))["next_offset"] == "4"
    await g.push().message(far.at(31))
    assert await far.offsets(1) == [31]


@scenario()
async def test_acks_may_repeat_go_back_and_name_offsets_read_elsewhere_but_none_beyond(g):
    client, push = await behind(g, 0, 30), g.push()
    await client.offsets(20)
    await client.expect("sync_more")
    for offset in 20, 30, 5, 0, 30, 25:
        await client.ack(offset)
    await client.nothing_before()
    for offset in 31, 2**63, 2**64 - 1:
        await client.ack(offset)
        error = await client.expect("error")
        assert error["code"] == "invalid_argument" and "offset" in error["message"]
    await push.message(client.at(31))
    assert await client.offsets(1) == [31]
    await client.ack(31)
    await client.nothing_before()


@scenario(ack_timeout="300ms", ws_heartbeat="1m", ws_silence="2m")
async def test_a_client_that_does_not_ack_is_pinged_sent_everything_again_and_closed_with_4005(g):
    client, push = await g.connect(), g.push()
    appended(g, 3)
    g.im.entries[("alice", 2)] = text_message(2, "again", client_msg_id="k2")
    await push.send(*(push.delivery([client.at(n)], seq=n) for n in range(1, 4)))
    start = time.monotonic()
    assert await client.offsets(3) == [1, 2, 3]
    await client.ack(1)
    again = [await client.expect("message") for _ in range(2)]
    assert [f["offset"] for f in again] == ["2", "3"] and again[0]["message"]["client_msg_id"] == "k2"
    assert time.monotonic() - start > 0.5
    assert await client.closed() == 4005
    assert 0.8 < time.monotonic() - start < 10
    assert await g.metric("skein_gateway_resends_total") == 1


@scenario(ack_timeout="300ms", ws_heartbeat="1m", ws_silence="2m")
async def test_an_ack_after_the_second_copy_is_early_enough(g):
    client, push = await g.connect(), g.push()
    appended(g, 1)
    await push.message(client.at(1))
    assert await client.offsets(2) == [1, 1]
    await client.ack(1)
    start = time.monotonic()
    while time.monotonic() - start < 1.2:  # longer than all the time-outs
        with pytest.raises(asyncio.TimeoutError):
            await client.read(0.3)
    await push.message(client.at(2))
    assert await client.offsets(1) == [2]


@scenario(ack_timeout="300ms", ws_heartbeat="50m", ws_silence="1h")  # the first heartbeat comes at any time within it
async def test_a_client_that_does_not_answer_the_ping_is_closed_with_4005(g):
    raw, hello = await raw_handshake(g)
    target = int(hello["conn"]), 1, int(hello["epoch"], 16)
    start = time.monotonic()
    await g.push().message(target)
    got = await read_to_end(raw)
    assert 0.5 < time.monotonic() - start < 10
    assert got.count(b"\x89\x02sk") == 1 and got.count(b'"type":"message"') == 1
    assert b"\x88" in got and (4005).to_bytes(2, "big") in got
    raw.close()


@scenario(ack_timeout="300ms", window_messages=4, ws_heartbeat="1m", ws_silence="2m")
async def test_a_live_client_that_leaves_its_window_full_is_closed_with_4004(g):
    client, push = await g.connect(), g.push()
    appended(g, 9)
    await push.send(*(push.delivery([client.at(n)], seq=n) for n in range(1, 10)))
    assert await client.offsets(8) == [1, 2, 3, 4] * 2
    assert await client.closed() == 4004


@scenario(ack_timeout="200ms", ws_heartbeat="1m", ws_silence="2m", window_messages=4)
async def test_a_client_that_agreed_not_to_ack_has_no_window(g):
    client, push = await g.connect(ack="0"), g.push()
    await push.send(*(push.delivery([client.at(n)], seq=n) for n in range(1, 51)))
    assert await client.offsets(50) == list(range(1, 51))
    with pytest.raises(asyncio.TimeoutError):
        await client.read(1)
    await client.nothing_before()
