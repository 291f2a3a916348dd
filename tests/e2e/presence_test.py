"""Who is online: what is asked, what is told to friends and watchers, and typing and read over WebSocket."""
import asyncio
import time

from client import direct
from contacts_test import ask

OFFLINE_DELAY_S, OFFLINE_AT_MOST_S = 10, 13  # and a second for the machine


async def befriend(alice, bob):
    request_id = await ask(alice, bob)
    (await bob.request("POST", f"/v1/friends/requests/{request_id}/accept")).expect(200)


async def presence(who, *users):
    answer = await who.request("GET", "/v1/presence", query={"uids": ",".join(user.uid for user in users)})
    return answer.expect(200).json["users"]


async def settings(who, **values):
    (await who.request("PATCH", "/v1/users/me", body={"settings": values})).expect(200)


async def watch(connection, *users):
    await connection.send(type="watch", rid="w", uids=[user.uid for user in users])
    assert (await connection.expect("ok"))["rid"] == "w"


async def event_of(connection, kind, within_s=5):
    """The next event of this kind: what went before may be told later."""
    while (event := await connection._next(connection._events, within_s))["kind"] != kind:
        assert event["kind"] in ("friend", "delivered"), event
    return event


async def told(connection, user, online, within_s=5):
    event = await event_of(connection, "presence", within_s)
    assert (event["uid"], event["online"]) == (user.uid, online), event
    return event


def hidden(user):
    return {"uid": user.uid, "online": False, "devices": []}


async def test_a_user_comes_with_the_first_device_and_goes_10_s_after_the_last(skein):
    alice, bob, carol, dave, eve = await skein.users("alice", "bob", "carol", "dave", "eve")
    await befriend(alice, bob)
    await befriend(dave, bob)
    friend, watcher, both = await alice.connect(0), await carol.connect(1, proto=True), await dave.connect(0)
    await watch(watcher, bob, eve)
    await watch(both, bob)
    assert await presence(alice, bob, alice, eve) == [hidden(bob), (await presence(alice, alice))[0], hidden(eve)]
    before = time.time() * 1000
    phone = await bob.connect(1, "phone")
    for connection in friend, watcher, both:
        event = await told(connection, bob, True)
        assert before - 5000 < event["last_seen"] < time.time() * 1000 + 5000
    tablet = await bob.connect(0, "tablet", "android")
    (shown,) = await presence(carol, bob)
    assert shown["online"] and "last_seen" not in shown
    assert sorted(device["platform"] for device in shown["devices"]) == ["android", "ios"]
    assert all(before - 5000 < device["since"] < time.time() * 1000 + 5000 for device in shown["devices"])
    await tablet.close()
    await phone.close()
    await asyncio.sleep(OFFLINE_DELAY_S / 2)  # a reconnect within the delay is nothing that can be awaited
    again = await bob.connect(0, "phone")
    await watch(both, bob)  # the same again, and what it was told is forgotten
    ended, seen = time.monotonic(), time.time() * 1000
    await again.close()
    for connection in friend, watcher, both:
        event = await told(connection, bob, False, OFFLINE_AT_MOST_S)
        assert OFFLINE_DELAY_S - 0.5 < time.monotonic() - ended < OFFLINE_AT_MOST_S
        assert abs(event["last_seen"] - seen) < 1000
    assert await presence(carol, bob) == [{"uid": bob.uid, "online": False, "devices": [], "last_seen": event["last_seen"]}]
    for connection in friend, watcher, both:
        await connection.ping()
        assert connection._events.empty(), "told once each"


async def test_who_is_deleted_goes_offline_for_friends_and_watchers_like_anybody(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    await befriend(alice, bob)
    friend, watcher = await alice.connect(0), await carol.connect(1, proto=True)
    await watch(watcher, bob)
    phone = await bob.connect(1)
    for connection in friend, watcher:
        await told(connection, bob, True)
    (await skein.user("root", scope="admin").request("DELETE", f"/v1/admin/users/{bob.uid}")).expect(202)
    assert await phone.closed() == 4002
    ended = time.monotonic()
    for connection in friend, watcher:
        await told(connection, bob, False, OFFLINE_AT_MOST_S)
        assert OFFLINE_DELAY_S - 0.5 < time.monotonic() - ended < OFFLINE_AT_MOST_S


async def test_in_the_delay_a_user_is_still_online_and_a_watch_that_was_replaced_tells_nothing(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    watcher = await alice.connect(0)
    await watch(watcher, bob)
    phone = await bob.connect(1)
    await told(watcher, bob, True)
    await watch(watcher, carol)
    await phone.close()
    other = await carol.connect(1)
    await told(watcher, carol, True)
    assert await presence(alice, bob) == [{"uid": bob.uid, "online": True, "devices": []}]
    await watch(watcher)
    await other.close()
    answer = await alice.request("GET", "/v1/presence", query={"uids": ",".join(["x"] * 201)})
    answer.expect(400, "invalid_argument", "uids")
    for uids in "", ",", "a,,b", "a b", "é":
        (await alice.request("GET", "/v1/presence", query={"uids": uids})).expect(400, "invalid_argument", "uids")
    (await alice.request("GET", "/v1/presence")).expect(400, "invalid_argument", "uids")
    many = [f"{'n' * 60}{number:04}" for number in range(200)]
    shown = (await alice.request("GET", "/v1/presence", query={"uids": ",".join(many)})).expect(200).json["users"]
    assert shown == [{"uid": uid, "online": False, "devices": []} for uid in many]


async def test_a_setting_hides_a_user_from_friends_or_all_others(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    await befriend(alice, bob)
    friend, watcher = await alice.connect(0), await carol.connect(1)
    await watch(friend, bob)
    await watch(watcher, bob)
    await settings(bob, presence="friends")
    phone = await bob.connect(0)
    await told(friend, bob, True)
    assert await presence(carol, bob) == [hidden(bob)]
    assert (await presence(alice, bob))[0]["online"] and (await presence(bob, bob))[0]["online"]
    await settings(bob, presence="nobody")
    assert await presence(alice, bob) == [hidden(bob)]
    assert (await presence(bob, bob))[0]["devices"]
    dave, = await skein.users("dave")
    await settings(dave, presence="nobody")
    await watch(watcher, bob, dave)
    await dave.connect(0)
    eve, = await skein.users("eve")
    await watch(watcher, bob, dave, eve)
    await eve.connect(1)
    await told(watcher, eve, True)  # the first: nothing of bob and dave came before
    await settings(bob, presence="everyone")
    assert (await presence(carol, bob))[0]["online"]
    await phone.close()


async def test_typing_reaches_the_other_side_and_is_refused_where_a_send_would_be(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    phone, tablet = await alice.connect(0), await alice.connect(1, "tablet", "android", proto=True)
    others = [await bob.connect(0), await bob.connect(1, "laptop", "desktop", proto=True)]
    for connection, rid in (phone, None), (tablet, "t"):
        await connection.send(type="typing", conversation_id=direct(alice, bob), **({"rid": rid} if rid else {}))
        if rid:
            assert (await connection.expect("ok"))["rid"] == rid
        for other in others:
            assert await other.event("typing") == {"type": "event", "kind": "typing", "uid": alice.uid,
                                                   "conversation_id": direct(alice, bob)}
    for _ in range(20):  # silently dropped
        await phone.send(type="typing", conversation_id=direct(alice, bob))
    await phone.ping()
    group = await alice.group(bob, carol)
    await phone.send(type="typing", conversation_id=group.conversation)
    for other in others:
        assert (await other.event("typing"))["conversation_id"] == group.conversation
    (await bob.request("PUT", f"/v1/blocks/{alice.uid}")).expect(204)
    (await alice.request("PUT", f"/v1/groups/{group.gid}/members/{bob.uid}/mute",
                         body={"until": int(time.time() * 1000) + 600000})).expect(204)
    stranger = await carol.connect(0, proto=True)
    nobody = skein.user("nobody")
    await asyncio.sleep(2)  # typing.interval
    for connection, conversation, code in [(phone, direct(alice, bob), "blocked"), (others[0], group.conversation, "muted"),
                                           (others[1], group.conversation, "muted"),
                                           (stranger, direct(alice, bob), "not_member"), (stranger, "g:nothing", "not_found"),
                                           (phone, direct(alice, nobody), "not_found"), (phone, "r:room", "not_found")]:
        await connection.send(type="typing", conversation_id=conversation)
        error = await connection.expect("error")
        assert error["code"] == code and "rid" not in error, (conversation, error)
    for connection in phone, tablet:
        assert not [frame for frame in connection.log if frame["type"] == "event" and frame["kind"] == "typing"]


async def test_a_read_over_websocket_is_that_over_http(skein):
    alice, bob = await skein.users("alice", "bob")
    phone, tablet = await bob.connect(0), await bob.connect(1, "tablet", "android", proto=True)
    sender = await alice.connect(1, acks=False)
    for text in "one", "two":
        await alice.say(bob, text)
    conversation = direct(alice, bob)
    await phone.send(type="read", conversation_id=conversation, seq=1)
    for connection in tablet, sender:
        assert await event_of(connection, "read") == {"type": "event", "kind": "read", "conversation_id": conversation, "uid": bob.uid, "seq": 1}
    await tablet.send(type="read", rid="r", conversation_id=conversation, seq=2)
    assert (await tablet.expect("ok"))["rid"] == "r"
    for connection in phone, sender:  # the phone hears of the tablet's first: not of what it read itself
        assert (await event_of(connection, "read"))["seq"] == 2
    item, = (await bob.request("GET", "/v1/conversations")).expect(200).json["conversations"]
    assert (item["read_seq"], item["unread"]) == (2, 0)
    for connection in phone, tablet:
        for seq, where, code in (3, conversation, "invalid_argument"), (0, "g:nothing", "not_found"), (1, "u:a:b", "not_member"):
            await connection.send(type="read", rid="x", conversation_id=where, seq=seq)
            error = await connection.expect("error")
            assert (error["code"], error["rid"]) == (code, "x")
