"""Events on their way to clients: frames without an offset, which are dropped before messages are (gateway_fixture.py)."""
import asyncio

from gateway_fixture import raw_handshake, read_to_end, scenario
from gateway_peers_fixture import audience_pb, delivery_pb

FIRST_CONN = 1  # the first connection's id, when there is one worker


@scenario()
async def test_an_event_reaches_its_connections_in_both_subprotocols_and_no_other(g):
    json_client, proto_client = await g.connect(), await g.connect(device="tablet", proto=True)
    other, push = await g.connect("bob"), g.push()
    event = push.event(json_client.conn, proto_client.conn, kind="read", conversation_id="u:alice:bob", uid="bob", seq=7)
    assert await push.send(event) == {}
    assert await json_client.expect("event") == {"type": "event", "kind": "read", "conversation_id": "u:alice:bob", "uid": "bob",
                                                 "seq": 7}
    frame = await proto_client.expect("event")
    assert (frame.event.kind, frame.event.body, frame.offset) == ("read", event.event.body, "")
    await other.nothing_before("pong")
    assert await g.metric("skein_gateway_events_total") == 2
    assert await g.metric("skein_gateway_deliveries_total") == 0


@scenario()
async def test_an_event_leaves_behind_the_messages_that_were_queued_before_it(g):
    client, push = await g.connect(), g.push()
    await push.send(push.delivery([client.at(1)]), push.event(client.conn, n=1), push.delivery([client.at(2)]),
                    push.delivery([client.at(3)]), push.event(client.conn, n=2), push.event(client.conn, n=3))
    got = [await client.read() for _ in range(6)]
    assert [f.get("offset") or f["n"] for f in got] == ["1", 1, "2", "3", 2, 3]


@scenario(window_messages="2")
async def test_an_event_needs_no_ack_and_passes_a_full_window(g):
    client, push = await g.connect(), g.push()
    await push.send(push.delivery([client.at(1)]), push.delivery([client.at(2)]), push.delivery([client.at(3)]))
    await push.send(*(push.event(client.conn, n=n) for n in range(5)))
    assert await client.offsets(2) == [1, 2]
    assert [(await client.expect("event"))["n"] for _ in range(5)] == [0, 1, 2, 3, 4]
    g.router.inbox("alice")[1] = 3
    await client.ack(2)
    assert await client.offsets(1) == [3]


@scenario()
async def test_an_event_for_a_connection_that_is_gone_says_so_and_one_of_another_registration_too(g):
    client, push = await g.connect(), g.push()
    gone, stale = push.event(client.conn, client.conn + 1), push.event(client.conn, node_epoch=76)
    assert await push.send(gone, stale) == {gone.id: {client.conn + 1: delivery_pb.GONE}, stale.id: {client.conn: delivery_pb.GONE}}
    assert (await client.expect("event"))["kind"] == "typing"
    await client.nothing_before("pong")


@scenario(ws_workers="1")
async def test_no_event_comes_before_hello(g):
    g.router.gate.clear()
    client, push = await g.open(), g.push()
    await g.becomes(lambda: g.router.received == 1)
    assert await push.send(push.event(FIRST_CONN, n=1)) == {}
    assert await g.metric('skein_gateway_events_dropped_total{reason="not_live"}') == 1
    g.router.gate.set()
    client.hello = await client.expect("hello")
    assert client.conn == FIRST_CONN
    await push.send(push.event(FIRST_CONN, n=2))
    assert (await client.expect("event"))["n"] == 2


@scenario(ack_timeout="60s")
async def test_a_client_that_reads_slowly_gets_its_messages_and_loses_events(g):
    raw, hello = await raw_handshake(g, receive_buffer=4096, ack="0")
    conn, epoch, push, offset = int(hello["conn"]), int(hello["epoch"], 16), g.push(), 0
    while not await g.metric("skein_gateway_queue_bytes"):
        offset += 1
        await push.send(push.delivery([(conn, offset, epoch)], text="x" * 4000))
    # A quarter of queue.entries (1000) may hold events; messages have the rest.
    assert await push.send(*(push.event(conn, n=n) for n in range(400))) == {}
    dropped = await g.metric('skein_gateway_events_dropped_total{reason="queue"}')
    assert 100 < dropped < 400
    await push.send(push.delivery([(conn, offset + 1, epoch)]))
    reading = asyncio.ensure_future(read_to_end(raw))
    await g.becomes(lambda: g._get("/metrics")[1].find("\nskein_gateway_queue_bytes 0\n") > 0)
    await g.kick(conn)
    got = await reading
    assert got.count(b'"type":"event"') == 400 - dropped
    assert got.count(b'"type":"message"') == offset + 1
    assert await g.metric('skein_gateway_closes_total{code="4004"}') == 0


@scenario()
async def test_a_malformed_event_is_counted_and_the_next_one_arrives(g):
    client, push = await g.connect(), g.push()
    numbered = audience_pb.Targets(others=audience_pb.Connections(conns=[client.conn], offsets=[1], epochs=[client.epoch]))
    assert await push.send(push.event(client.conn, kind=""), push.event(client.conn, type="message"),
                           push.event(targets=numbered)) == {}
    assert await g.metric("skein_gateway_malformed_total") == 3
    await push.send(push.event(client.conn, n=1))
    assert (await client.expect("event"))["n"] == 1
