"""The list of conversations, and what a user does to one, as all devices of both sides see it."""
from client import direct


async def listed(user, conversation, at=0):
    answer = (await user.request("GET", "/v1/conversations", at=at)).expect(200).json
    return next((one for one in answer["conversations"] if one["id"] == conversation), None)


async def read(user, conversation, seq, at=0):
    (await user.request("PUT", f"/v1/conversations/{conversation}/read", body={"seq": seq}, at=at)).expect(204)


async def test_both_sides_follow_what_one_has_read(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    devices = [await alice.connect(0), await bob.connect(0, "phone"), await bob.connect(1, "tablet", proto=True)]
    for text in "one", "two", "three":
        await alice.say(bob, text)
    assert (await listed(bob, conversation))["unread"] == 3
    await read(bob, conversation, 2, at=1)
    expected = {"type": "event", "kind": "read", "conversation_id": conversation, "uid": bob.uid, "seq": 2}
    for device in devices:
        assert await device.event("read") == expected
    for im in 0, 1:
        item = await listed(bob, conversation, at=im)
        assert (item["unread"], item["read_seq"], item["last"]["body"]["text"]) == (1, 2, "three")
    await read(bob, conversation, 1)  # nothing moves, and nobody is told
    await read(bob, conversation, 3)
    for device in devices:
        assert (await device.event("read"))["seq"] == 3


async def test_the_members_of_a_small_group_follow_and_those_of_a_large_one_do_not(skein):
    alice, bob = await skein.users("alice", "bob")
    others = [skein.user(f"other{i}") for i in range(199)]
    for other in others:
        await other.endpoints()
    small, large = await alice.group(bob), await alice.group(bob, *others)
    phone, bobs = await alice.connect(), await bob.connect(1)
    for group in large, small:
        await alice.say(group)
        await read(bob, group.conversation, 1)
    assert (await phone.event("read"))["conversation_id"] == small.conversation
    assert [(await bobs.event("read"))["conversation_id"] for _ in range(2)] == [large.conversation, small.conversation]


async def test_own_devices_are_told_what_is_cleared_and_the_other_side_keeps_it(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    devices = [await bob.connect(0, "phone"), await bob.connect(1, "tablet", proto=True)]
    other = await alice.connect()
    for text in "one", "two":
        await alice.say(bob, text)
    (await bob.request("DELETE", f"/v1/conversations/{conversation}/messages", query={"up_to_seq": 1})).expect(204)
    for device in devices:
        assert await device.event("cleared") == {"type": "event", "kind": "cleared", "conversation_id": conversation, "up_to_seq": 1}
    assert [m["seq"] for m in await bob.read(conversation, at=1)] == [2]
    assert [m["seq"] for m in await alice.read(conversation)] == [1, 2]
    assert [m["seq"] for m in await bob.sync_until(lambda found: len(found) == 2)] == [1, 2]  # the inbox keeps what it has
    await alice.say(bob, "three")
    assert not [frame for frame in other.log if frame["type"] == "event" and frame["kind"] == "cleared"]


async def test_a_hidden_conversation_comes_back_with_the_next_message(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    await alice.say(bob)
    (await bob.request("DELETE", f"/v1/conversations/{conversation}")).expect(204)
    assert await listed(bob, conversation, at=1) is None
    await alice.say(bob, "again")
    assert (await listed(bob, conversation))["unread"] == 2
