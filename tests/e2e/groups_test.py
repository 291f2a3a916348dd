"""What a group is and how it ends, as its members see it on each device: online, on the other gateway, and offline until a sync."""
import pytest


def path(group, rest=""):
    return f"/v1/groups/{group.gid}{rest}"


CHANGES = {
    "profile": ("PATCH", "", {"name": "New", "muted_all": True}, {"changes": {"name": "New", "muted_all": True}}),
    "owner": ("PUT", "/owner", {"uid": "BOB"}, {"uid": "BOB"}),
    "muted": ("PUT", "/members/BOB/mute", {"until": 2 ** 41}, {"uid": "BOB", "until": 2 ** 41}),
    "dissolved": ("DELETE", "", None, {}),
}


def named(value, uid):
    """With the uid in the place of BOB."""
    if isinstance(value, dict):
        return {key: named(one, uid) for key, one in value.items()}
    return value.replace("BOB", uid) if isinstance(value, str) else value


@pytest.mark.parametrize("event", CHANGES)
async def test_a_change_reaches_every_device_in_order_and_the_offline_one_by_sync(skein, event):
    method, rest, body, told = CHANGES[event]
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(bob)
    devices = [await alice.connect(0, "phone"), await alice.connect(1, "tablet", proto=True), await bob.connect(1)]
    _, epoch, offset = await bob.sync_all()  # the position of a device that goes offline
    await alice.say(group, "before")
    answer = await alice.request(method, path(group, named(rest, bob.uid)), body=named(body, bob.uid))
    assert answer.status in (200, 204)
    expected = {"event": event, "actor": alice.uid, **named(told, bob.uid)}
    for device in devices:
        before, entry = [await device.message() for _ in range(2)]
        assert (before["seq"], before["body"]) == (1, {"text": "before"})
        assert (entry["seq"], entry["type"], entry["from"], entry["body"]) == (2, "system", alice.uid, expected)
    missed = await bob.sync_until(lambda found: len(found) == 2, epoch=epoch, offset=offset)
    assert missed[1]["body"] == expected


async def test_a_dissolved_group_is_over_for_live_and_for_new_messages(skein):
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(bob)
    phone = await bob.connect()
    (await alice.request("DELETE", path(group))).expect(204)
    assert (await phone.message())["body"]["event"] == "dissolved"
    (await bob.post(bob.draft(group))).expect(404, "not_found", "to.group")
    await phone.post(group)
    assert (await phone.expect("error"))["code"] == "not_found"
    (await bob.history(group)).expect(404, "not_found")


async def test_who_is_let_in_is_told_and_gets_what_is_said_from_then_on(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, join="approval")
    phone, bobs = await carol.connect(), await bob.connect(1)
    (await carol.request("POST", path(group, "/join"), body={"note": "please"})).expect(202)
    await alice.say(group, "not for carol")
    (await alice.request("POST", path(group, f"/requests/{carol.uid}/accept"))).expect(204)
    assert await phone.event("group") == {"type": "event", "kind": "group", "op": "added", "group_id": group.gid}
    await bob.say(group, "welcome")
    entry, welcome = [await phone.message() for _ in range(2)]
    assert entry["body"] == {"event": "added", "actor": alice.uid, "uids": [carol.uid]}
    assert (welcome["seq"], welcome["body"]) == (3, {"text": "welcome"})
    assert [(await bobs.message())["seq"] for _ in range(3)] == [1, 2, 3]


async def test_who_is_named_when_a_group_is_made_is_told_on_all_devices_and_its_owner_is_not(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    owner, devices = await alice.connect(), [await bob.connect(0, "phone"), await bob.connect(1, "tablet", proto=True)]
    group = await alice.group(bob, bob, alice)
    for device in devices:
        assert await device.event("group") == {"type": "event", "kind": "group", "op": "added", "group_id": group.gid}
    other = await carol.group(alice)
    assert (await owner.event("group"))["group_id"] == other.gid, "of one's own group nothing came before"


async def test_who_joins_an_open_group_is_told_on_all_devices(skein):
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(join="open")
    devices = [await bob.connect(0, "phone"), await bob.connect(1, "tablet", proto=True)]
    (await bob.request("POST", path(group, "/join"))).expect(204)
    for device in devices:
        assert (await device.event("group"))["op"] == "added"
        assert (await device.message())["body"] == {"event": "joined", "actor": bob.uid}


async def test_a_mute_holds_over_websocket_and_at_every_im(skein):
    alice, bob = await skein.users("alice", "bob")
    group = await alice.group(bob)
    phone = await bob.connect()
    await phone.send(type="typing", rid="heard", conversation_id=group.conversation)
    assert (await phone.expect("ok"))["rid"] == "heard"
    (await alice.request("PATCH", path(group), body={"muted_all": True}, at=1)).expect(200)
    await phone.message()
    await phone.post(group)
    assert (await phone.expect("error"))["code"] == "muted"
    await phone.send(type="typing", conversation_id=group.conversation)
    error = await phone.expect("error")
    assert (error["code"], error["message"]) == ("muted", "the group or its member is muted")
    for im in 0, 1:
        (await bob.post(bob.draft(group), at=im)).expect(403, "muted")
    (await alice.request("PATCH", path(group), body={"muted_all": False})).expect(200)
    await bob.say(group, "again")
