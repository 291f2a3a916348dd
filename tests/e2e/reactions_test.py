"""Reactions, as every device of both sides sees them: live, in history and in sync."""
import asyncio
import urllib.parse

import pytest

from client import direct
from expiry_test import expired
from group_members_test import remove
from message_changes_test import edit


def path(conversation, seq, emoji=None):
    reactions = f"/v1/conversations/{conversation}/messages/{seq}/reactions"
    return reactions if emoji is None else f"{reactions}/{urllib.parse.quote(emoji, safe='')}"


async def react(user, conversation, seq, emoji, at=0):
    return (await user.request("POST", path(conversation, seq), body={"emoji": emoji}, at=at)).expect(200).json


async def unreact(user, conversation, seq, emoji):
    return (await user.request("DELETE", path(conversation, seq, emoji))).expect(200).json


def sums(message):
    return [(one["emoji"], one["count"], one["mine"]) for one in message.get("reactions", [])]


def told(message):
    return message["type"], message["from"], message["target_seq"], message["op"], message["emoji"], message.get("body")


@pytest.mark.parametrize("proto", [False, True])
async def test_both_sides_and_all_devices_follow_the_reactions_to_a_message(skein, proto):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    devices = [await alice.connect(proto=proto), await alice.connect(1, "tablet", "android"), await bob.connect(1, proto=proto)]
    await alice.say(bob, "hello")
    added = await react(bob, conversation, 1, "👍")
    assert (added["seq"], added["duplicate"]) == (2, False)
    assert await react(bob, conversation, 1, "👍", at=1) == {**added, "duplicate": True}
    await react(alice, conversation, 1, "🎉")
    await unreact(bob, conversation, 1, "👍")
    await react(bob, conversation, 1, "👍")
    for device in devices:
        _, *entries = await device.messages(5)
        assert [told(entry) for entry in entries] == [
            ("reaction", bob.uid, 1, "add", "👍", None), ("reaction", alice.uid, 1, "add", "🎉", None),
            ("reaction", bob.uid, 1, "remove", "👍", None), ("reaction", bob.uid, 1, "add", "👍", None)]
    assert sums((await bob.read(alice))[0]) == [("🎉", 1, False), ("👍", 1, True)]
    assert sums((await alice.read(bob, at=1))[0]) == [("🎉", 1, True), ("👍", 1, False)]


async def test_an_offline_device_finds_sums_and_entries_in_sync_and_catches_up_with_the_entries(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    first = await bob.connect()
    epoch, offset = first.hello["epoch"], first.hello["head"]
    await first.close()
    await alice.say(bob, "one")
    await alice.say(bob, "two")
    await react(alice, conversation, 2, "👀")
    await react(bob, conversation, 2, "👀")
    await unreact(alice, conversation, 2, "👀")
    found = await bob.sync_until(lambda messages: len(messages) == 5)
    assert [sums(message) for message in found] == [[], [("👀", 1, True)], [], [], []]
    assert [told(message)[1:5] for message in found[2:]] == [
        (alice.uid, 2, "add", "👀"), (bob.uid, 2, "add", "👀"), (alice.uid, 2, "remove", "👀")]
    late = await bob.connect(epoch=epoch, offset=offset)
    caught_up = await late.messages(5)
    assert [message["seq"] for message in caught_up] == [1, 2, 3, 4, 5]
    assert told(caught_up[4]) == ("reaction", alice.uid, 2, "remove", "👀", None)


async def test_a_group_sees_how_many_reacted_and_nothing_is_unread_or_moved(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, carol)
    other = await alice.group(carol)
    phone = await carol.connect()
    await alice.say(group, "who comes?")
    await alice.say(other, "later")
    await asyncio.gather(*(react(user, group.conversation, 1, "✋", at) for at, user in enumerate((bob, carol))))
    await react(bob, group.conversation, 1, "🍕")
    seen = [message for message in await phone.messages(5) if message["type"] == "reaction"]
    assert sorted(told(message)[1:] for message in seen) == sorted([
        (bob.uid, 1, "add", "✋", None), (carol.uid, 1, "add", "✋", None), (bob.uid, 1, "add", "🍕", None)])
    assert sums((await carol.read(group))[0]) == [("✋", 2, True), ("🍕", 1, False)]
    assert sums((await alice.read(group))[0]) == [("✋", 2, False), ("🍕", 1, False)]
    listed = (await carol.request("GET", "/v1/conversations")).expect(200).json["conversations"]
    assert [(one["id"], one["unread"], one["last"]["seq"]) for one in listed] == [
        (other.conversation, 1, 1), (group.conversation, 1, 1)]


async def test_a_former_member_syncs_a_message_as_it_was_when_it_left(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob, carol)
    await alice.say(group, "one")
    await react(carol, group.conversation, 1, "✋")
    (await edit(alice, group.conversation, 1, {"text": "two"})).expect(200)
    before = await carol.sync_until(lambda messages: len(messages) == 3)
    assert (before[0]["body"]["text"], sums(before[0])) == ("two", [("✋", 1, True)])
    (await remove(alice, group, carol)).expect(204)
    await react(bob, group.conversation, 1, "✋")
    await react(bob, group.conversation, 1, "🍕")
    (await edit(alice, group.conversation, 1, {"text": "three"})).expect(200)
    first, *_ = await bob.sync_until(lambda messages: len(messages) == 7)
    assert (first["body"]["text"], sums(first)) == ("three", [("✋", 2, True), ("🍕", 1, True)])
    assert (await carol.sync_all())[0] == before


async def test_a_recalled_message_has_no_reactions_and_takes_none(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    await alice.say(bob, "oops")
    await react(bob, conversation, 1, "😂")
    (await alice.request("POST", f"/v1/conversations/{conversation}/messages/1/recall")).expect(200)
    (await bob.request("POST", path(conversation, 1), body={"emoji": "😢"})).expect(409, "failed_precondition")
    assert "reactions" not in (await bob.read(alice))[0]
    found = await bob.sync_until(lambda messages: len(messages) == 3)
    assert "reactions" not in found[0] and [message["type"] for message in found] == ["text", "reaction", "recall"]


async def test_an_expired_message_has_no_reactions_and_takes_none(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    await alice.say(bob, "for a moment", expire_s=1)
    await react(bob, conversation, 1, "👀")
    assert sums((await bob.read(alice))[0]) == [("👀", 1, True)]
    assert "reactions" not in await expired(bob, conversation, 1)
    (await alice.request("POST", path(conversation, 1), body={"emoji": "😢"})).expect(409, "failed_precondition")
    found = await bob.sync_until(lambda messages: len(messages) == 2)
    assert "reactions" not in found[0] and told(found[1])[3:5] == ("add", "👀")


async def test_an_admin_reads_what_a_message_said_before(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    await alice.say(bob, "helo")
    (await alice.request("POST", f"/v1/conversations/{conversation}/messages/1/edit", body={"body": {"text": "hello"}})).expect(200)
    (await alice.request("POST", f"/v1/conversations/{conversation}/messages/1/recall")).expect(200)
    admin, edits = skein.user("ops", scope="admin"), f"/v1/admin/conversations/{conversation}/messages/1/edits"
    listed = (await admin.request("GET", edits)).expect(200).json["edits"]
    assert [(one["seq"], one["from"], one["body"]["text"]) for one in listed] == [(1, alice.uid, "helo"), (2, alice.uid, "hello")]
    (await alice.request("GET", edits)).expect(403, "permission_denied")
