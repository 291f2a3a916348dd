"""`read`, `typing` and `watch` frames at a gateway whose im and push are played by the test (gateway_fixture.py)."""
import grpc

from gateway_fixture import scenario
from gateway_peers_fixture import audience_pb, client_pb

MUTED = grpc.StatusCode.PERMISSION_DENIED, "muted"


def proto(**frame):
    return client_pb.ClientFrame(**frame).SerializeToString()


def watched(push, uid, online=True, last_seen=1, **more):
    """The event that everybody who watches the user gets."""
    return push.event(kind="presence", audience=audience_pb.Audience(watched=uid), uid=uid, online=online, last_seen=last_seen, **more)


def told(push, client, uid, online=True, last_seen=1):
    """The same event for a friend."""
    return push.event(client.conn, kind="presence", uid=uid, online=online, last_seen=last_seen)


async def watch(client, *uids):
    await client.send(type="watch", rid="w", uids=uids)
    assert await client.expect("ok") == {"type": "ok", "rid": "w"}


@scenario()
async def test_a_read_is_passed_on_in_the_users_name_and_answered_when_it_has_a_rid_or_is_refused(g):
    client, other = await g.connect(), await g.connect("bob", proto=True)
    await client.send(type="read", conversation_id="u:alice:bob", seq=7)
    await g.becomes(lambda: g.im.reads == [("alice", "u:alice:bob", 7)])
    await client.nothing_before()
    await client.send(type="read", rid="r", conversation_id="u:alice:bob", seq=8)
    assert await client.expect("ok") == {"type": "ok", "rid": "r"}
    await other.ws.send(proto(read=client_pb.Read(rid="r", conversation_id="g:crew", seq=2)))
    assert (await other.expect("ok")).ok.rid == "r"
    assert g.im.reads[1:] == [("alice", "u:alice:bob", 8), ("bob", "g:crew", 2)]
    assert g.im.readers == [(g.router.epoch, connection.conn) for connection in (client, client, other)]
    g.im.signal_fault = grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"
    await client.send(type="read", conversation_id="u:alice:bob", seq=9)
    assert await client.expect("error") == {"type": "error", "code": "invalid_argument", "message": "it is invalid_argument"}
    await other.ws.send(proto(read=client_pb.Read(rid="x", conversation_id="g:crew", seq=3)))
    error = (await other.expect("error")).error
    assert (error.rid, error.code) == ("x", "invalid_argument")


@scenario(typing_interval="60s")
async def test_of_the_typing_frames_of_a_conversation_one_is_passed_on(g):
    client, other = await g.connect(), await g.connect("bob", proto=True)
    for _ in range(5):
        await client.send(type="typing", conversation_id="u:alice:bob")
        await client.send(type="typing", rid="t", conversation_id="g:crew")
        assert await client.expect("ok") == {"type": "ok", "rid": "t"}
    await other.ws.send(proto(typing=client_pb.Typing(rid="t", conversation_id="u:alice:bob")))
    assert (await other.expect("ok")).ok.rid == "t"
    assert sorted(g.im.typings) == [("alice", "g:crew"), ("alice", "u:alice:bob"), ("bob", "u:alice:bob")]
    assert await g.metric("skein_gateway_typing_dropped_total") == 8
    g.im.signal_fault = MUTED
    await client.send(type="typing", conversation_id="g:crew")
    assert await client.expect("error") == {"type": "error", "code": "muted", "message": "it is muted"}
    assert sorted(g.im.unheard) == [("alice", "g:crew")] * 5 + [("alice", "u:alice:bob")] * 4


@scenario(typing_interval="0")
async def test_typing_is_refused_as_im_says_and_without_im_it_is_lost(g):
    client = await g.connect()
    g.im.signal_fault = MUTED
    await client.send(type="typing", conversation_id="g:crew")
    assert await client.expect("error") == {"type": "error", "code": "muted", "message": "it is muted"}
    g.im.signal_fault = grpc.StatusCode.UNAVAILABLE, "unavailable"
    await client.send(type="typing", rid="t", conversation_id="g:crew")
    assert await client.expect("ok") == {"type": "ok", "rid": "t"}
    assert len(g.im.typings) == 2, "nobody waits for it: it is not repeated"


@scenario()
async def test_a_watch_gets_what_is_told_of_its_users_and_a_later_one_replaces_it(g):
    clients = [await g.connect(), await g.connect(device="tablet", proto=True)]
    idle, push = await g.connect("carol"), g.push()
    await push.send(watched(push, "bob"))
    await watch(clients[0], "bob", "dave", "bob")
    await clients[1].ws.send(proto(watch=client_pb.Watch(rid="w", uids=["bob"])))
    assert (await clients[1].expect("ok")).ok.rid == "w"
    assert await g.metric("skein_gateway_watching") == 2
    assert await push.send(watched(push, "bob", False, 5)) == {}
    assert await clients[0].expect("event") == {"type": "event", "kind": "presence", "uid": "bob", "online": False, "last_seen": 5}
    assert (await clients[1].expect("event")).event.kind == "presence"
    await watch(clients[0], "dave")
    await push.send(watched(push, "bob", True, 6), watched(push, "dave", True, 7))
    assert (await clients[0].expect("event"))["uid"] == "dave"
    await clients[1].expect("event")
    await watch(clients[0])
    await push.send(watched(push, "dave", False, 8), watched(push, "bob", True, 9, node_epoch=5))
    for client in clients[0], idle:
        await client.nothing_before()
    await clients[1].ws.close()

    async def nobody_watches():
        return await g.metric("skein_gateway_watching") == 0
    await g.becomes(nobody_watches)
    await push.send(watched(push, "bob", False, 10))
    await idle.nothing_before()


@scenario()
async def test_who_is_a_friend_and_watches_is_told_once(g):
    client, push = await g.connect(), g.push()
    await watch(client, "bob")
    await push.send(told(push, client, "bob"), watched(push, "bob"), told(push, client, "eve"), told(push, client, "eve"))
    assert [(await client.expect("event"))["uid"] for _ in range(3)] == ["bob", "eve", "eve"]
    await push.send(watched(push, "bob", False, 2), told(push, client, "bob", False, 2), watched(push, "bob", True, 3))
    assert [(await client.expect("event"))["last_seen"] for _ in range(2)] == [2, 3]
    await client.nothing_before()
