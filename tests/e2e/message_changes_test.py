"""Recall and edit: who may do it, what every device is told, and what is read afterwards."""
import pytest

from client import direct


def path(conversation, seq, what):
    return f"/v1/conversations/{conversation}/messages/{seq}/{what}"


async def recall(user, conversation, seq):
    return await user.request("POST", path(conversation, seq, "recall"))


async def edit(user, conversation, seq, body):
    return await user.request("POST", path(conversation, seq, "edit"), body={"body": body})


@pytest.mark.parametrize("proto", [False, True])
async def test_a_recalled_message_has_no_body_any_more_and_everybody_is_told(skein, proto):
    alice, bob = await skein.users("alice", "bob")
    phone, laptop = await bob.connect(proto=proto), await alice.connect(gateway=1)
    conversation, sent = direct(alice, bob), await alice.say(bob, "oops")
    answer = (await recall(alice, conversation, 1)).expect(200).json
    assert (answer["seq"], answer["conversation_id"], answer["duplicate"]) == (2, conversation, False)
    for connection in phone, laptop:
        message, change = await connection.messages(2)
        assert message["msg_id"] == sent["msg_id"]
        assert (change["type"], change["target_seq"], change["from"]) == ("recall", 1, alice.uid) and "body" not in change
    first, second = await bob.read(alice)
    assert first["recalled"] and "body" not in first and first["type"] == "text"
    assert (second["type"], second["target_seq"]) == ("recall", 1)
    again = (await recall(alice, conversation, 1)).expect(200).json
    assert again == {**answer, "duplicate": True}
    found = await bob.sync_until(lambda messages: len(messages) == 2)
    assert found[0].get("recalled") and "body" not in found[0]


async def test_an_edited_message_shows_its_new_body(skein):
    alice, bob = await skein.users("alice", "bob")
    phone, conversation = await bob.connect(), direct(alice, bob)
    await alice.say(bob, "helo")
    answer = (await edit(alice, conversation, 1, {"text": "hello"})).expect(200).json
    assert answer["seq"] == 2
    message, change = await phone.messages(2)
    assert message["body"] == {"text": "helo"}
    assert (change["type"], change["target_seq"], change["body"]) == ("edit", 1, {"text": "hello"})
    first, _ = await bob.read(alice)
    assert first["edited"] and first["body"] == {"text": "hello"}
    (await edit(alice, conversation, 1, {"text": "hello!"})).expect(200)
    assert (await alice.read(bob))[0]["body"] == {"text": "hello!"}


async def test_a_recall_takes_the_bodies_of_the_edits_away_too(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    await alice.say(bob, "secret")
    (await edit(alice, conversation, 1, {"text": "still secret"})).expect(200)
    (await recall(alice, conversation, 1)).expect(200)
    entries = await bob.read(alice)
    assert [entry["type"] for entry in entries] == ["text", "edit", "recall"]
    assert not any("body" in entry for entry in entries)
    (await edit(alice, conversation, 1, {"text": "again"})).expect(409, "failed_precondition")


async def test_only_the_sender_may_change_a_message(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    conversation = direct(alice, bob)
    await alice.say(bob)
    (await recall(bob, conversation, 1)).expect(403, "permission_denied")
    (await edit(bob, conversation, 1, {"text": "x"})).expect(403, "permission_denied")
    (await recall(carol, conversation, 1)).expect(403, "not_member")
    (await recall(alice, conversation, 2)).expect(404, "not_found")
    (await recall(alice, "g:nothing", 1)).expect(404, "not_found")
    (await recall(alice, "r:room", 1)).expect(404, "not_found")
    assert "recalled" not in (await bob.read(alice))[0]


async def test_the_owner_of_a_group_recalls_any_message_and_edits_none(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob)
    await bob.say(group, "spam")
    (await recall(carol, group.conversation, 1)).expect(403, "not_member")
    (await edit(alice, group.conversation, 1, {"text": "ham"})).expect(403, "permission_denied")
    (await recall(alice, group.conversation, 1)).expect(200)
    assert (await bob.read(group))[0]["recalled"]


async def test_only_messages_can_be_changed(skein):
    alice, bob = await skein.users("alice", "bob")
    conversation = direct(alice, bob)
    await alice.say(bob)
    (await recall(alice, conversation, 1)).expect(200)
    (await recall(alice, conversation, 2)).expect(409, "failed_precondition")
    (await edit(alice, conversation, 2, {"text": "x"})).expect(409, "failed_precondition")


async def test_a_bad_body_is_named_and_nothing_changes(skein):
    alice, bob = await skein.users("alice", "bob")
    await alice.say(bob, "as it was")
    for body in None, "x", [], 1, {}, {"text": ""}, {"text": 1}, {"url": "https://x.y"}:
        answer = await edit(alice, direct(alice, bob), 1, body)
        answer.expect(400, "invalid_argument")
        assert answer.field.startswith("body"), body
    for seq in "0", "x", "-1", "9223372036854775808":
        (await recall(alice, direct(alice, bob), seq)).expect(400, "invalid_argument", "seq")
    message, = await bob.read(alice)
    assert message["body"] == {"text": "as it was"} and "edited" not in message
