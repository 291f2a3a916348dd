"""Messages that expire, and forwards, on every way to a device."""
import asyncio
import os
import subprocess

from client import direct


async def expired(user, conversation, seq, within_s=6):
    """The message, once it has expired."""
    for _ in range(within_s * 20):
        message, = await user.read(conversation, after_seq=seq - 1, limit=1)
        if message.get("expired"):
            return message
        await asyncio.sleep(0.05)
    raise AssertionError(f"not expired after {within_s} s")


def without_body(message):
    return {name: value for name, value in message.items() if name not in ("body", "client_msg_id")}


async def test_a_device_that_was_away_over_the_expiry_gets_the_message_without_its_body(skein):
    alice, bob = await skein.users("alice", "bob")
    away, online, own = await bob.connect(), await bob.connect(1, "laptop", proto=True), await alice.connect(device="other")
    await away.close()
    conversation, sent = direct(alice, bob), await alice.say(bob, "secret", expire_s=2)
    edit = (await alice.request("POST", f"/v1/conversations/{conversation}/messages/1/edit", body={"body": {"text": "2nd"}})).expect(200)
    await alice.say(bob, "stays")
    for live in online, own:
        first, change, last = await live.messages(3)
        assert (first["body"], first["expires_at"]) == ({"text": "secret"}, sent["time"] + 2000)
        assert (change["type"], change["body"], change["expires_at"]) == ("edit", {"text": "2nd"}, sent["time"] + 2000)
        assert "expires_at" not in last
    found = await bob.sync_until(lambda messages: len(messages) == 3)
    assert (found[0]["body"], found[0]["edited"], found[1]["body"]) == ({"text": "2nd"}, True, {"text": "2nd"})
    await expired(bob, conversation, 1)
    for gateway, proto in (0, False), (1, True):
        back = await bob.connect(gateway, f"d{gateway}", proto=proto, epoch=away.hello["epoch"], offset=away.hello["head"])
        late, late_edit, stays = await back.messages(3)
        assert late == {**without_body(first), "edited": True, "expired": True}
        assert late_edit == without_body(change) and late_edit["seq"] == edit.json["seq"]
        assert stays["body"] == {"text": "stays"}
    entries, _, _ = await bob.sync_all()
    assert entries == [late, late_edit, stays]
    listed, = (await bob.request("GET", "/v1/conversations")).expect(200).json["conversations"]
    assert (listed["unread"], listed["last"]) == (1, stays)


async def test_a_connection_sends_what_expires_and_what_it_forwards(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob)
    for proto in False, True:
        sender, receiver = await alice.connect(int(proto), f"s{proto}", proto=proto), await carol.connect(proto=not proto)
        note = await sender.say(group, "note", expire_s=1)
        secret, = await bob.read(group, after_seq=note["seq"] - 1)
        assert secret["expires_at"] == note["time"] + 1000
        keep = await sender.say(group, "keep")
        forward = {"conversation_id": group.conversation, "seqs": [keep["seq"], note["seq"]]}
        fields = {"type": "forward", "body": None, "forward": forward}
        ack = await sender.say(carol, key=f"f{proto}", expire_s=600, **fields)
        message = await receiver.message()
        assert (message["seq"], message["type"], message["expires_at"]) == (ack["seq"], "forward", ack["time"] + 600_000)
        assert message["body"]["title"] == "a group"
        assert [item["body"]["text"] for item in message["body"]["items"]] == ["keep", "note"]
        assert (await expired(bob, group, note["seq"]))["type"] == "text"
        again = await sender.say(carol, key=f"f{proto}", expire_s=600, **fields)
        assert again == {**ack, "rid": again["rid"], "duplicate": True}
        for seqs, code in ([note["seq"]], "invalid_argument"), ([99], "not_found"):
            await sender.post(carol, **{**fields, "forward": {**forward, "seqs": seqs}})
            assert (await sender.expect("error"))["code"] == code
        await sender.close()
        await receiver.close()


def remove_history(conversation, up_to):
    """What retention does to a conversation in time."""
    sql = (f"select fn.history_remove(no, last_seq, fn.now_ms() + 1000, {up_to}) from conversation where id = '{conversation}'")
    done = subprocess.run(["psql", "-XqAt", "-c", sql, os.environ["SKEIN_PG"]], check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout == f"{up_to}\n"


async def test_what_retention_removed_is_caught_up_without_holes_and_without_bodies(skein):
    alice, bob = await skein.users("alice", "bob")
    away = await bob.connect()
    await away.close()
    for text in "one", "two", "three":
        await alice.say(bob, text)
    await bob.sync_until(lambda messages: len(messages) == 3)
    remove_history(direct(alice, bob), 2)
    for gateway, proto in (0, False), (1, True):
        back = await bob.connect(gateway, f"d{gateway}", proto=proto, epoch=away.hello["epoch"], offset=away.hello["head"])
        gone, also_gone, stays = await back.messages(3)
        assert [(one["seq"], one["expired"], "body" in one) for one in (gone, also_gone)] == [(1, True, False), (2, True, False)]
        assert stays["body"] == {"text": "three"}
    assert [message["seq"] for message in (await bob.sync_all())[0]] == [1, 2, 3]
    assert await bob.read(alice) == [stays]
    assert (await alice.say(bob, "four"))["seq"] == 4
    assert (await back.message())["body"] == {"text": "four"}
