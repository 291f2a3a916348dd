"""client_msg_id is a key per sender and conversation: a message is stored once, however often the client repeats it."""
import asyncio
import json

import pytest

import cluster
from client import unique


def outcome(answer):
    return {name: value for name, value in answer.items() if name != "duplicate"}


async def test_the_same_key_and_payload_get_the_first_answer_again_at_any_im(skein):
    alice, bob = await skein.users("alice", "bob")
    message = alice.draft(bob, "once")
    first = (await alice.post(message)).expect(200).json
    assert not first["duplicate"]
    await alice.say(bob, "in between")
    for at in range(len(cluster.HTTP)):
        again = (await alice.post(message, at)).expect(200).json
        assert again["duplicate"] and outcome(again) == outcome(first)
    assert [m["seq"] for m in await bob.read(alice)] == [1, 2]


SAME = {
    "keys of the body in another order": ({"body": {"text": "x", "a": {"b": 1, "c": 2}}},
                                          {"body": {"a": {"c": 2, "b": 1}, "text": "x"}}),
    "1 and 1.0": ({"body": {"text": "x", "n": 1}}, {"body": {"text": "x", "n": 1.0}}),
    "100 and 1e2": ({"body": {"text": "x", "n": 100}}, {"body": {"text": "x", "n": 1e2}}),
    "a body that is written otherwise": ({"body": {"text": "\u00e9"}}, b'{"text" : "\\u00e9"}'),
    "no mentions and an empty list": ({}, {"mentions": []}),
    "no mentions and null": ({}, {"mentions": None}),
    "an empty list and no mentions": ({"mentions": []}, {}),
    "no reply and null": ({}, {"reply_to": None}),
    "a reply to 1 and to 1.0": ({"reply_to": 1}, {"reply_to": 1.0}),
    "unknown fields": ({}, {"color": "red"}),
}


@pytest.mark.parametrize("name", SAME)
async def test_bodies_equal_as_json_are_the_same_payload(skein, name):
    alice, bob = await skein.users("alice", "bob")
    await alice.say(bob)
    first, second = SAME[name]
    message = alice.draft(bob, key="k", **first)
    answer = (await alice.post(message)).expect(200).json
    if isinstance(second, bytes):
        repeat = json.dumps({**message, "body": "BODY"}).encode().replace(b'"BODY"', second)
    else:
        repeat = alice.draft(bob, key="k", **({**first, **second} if "body" not in second else second))
        if name == "an empty list and no mentions":
            del repeat["mentions"]
    again = (await alice.post(repeat, at=1)).expect(200).json
    assert again["duplicate"] and outcome(again) == outcome(answer)
    assert len(await bob.read(alice)) == 2


OTHER = {
    "text": {"body": {"text": "other"}},
    "one more field in the body": {"body": {"text": "x", "more": None}},
    "a number as text": {"body": {"text": "x", "n": "1"}},
    "type": {"type": "custom"},
    "reply_to": {"reply_to": 2},
    "no reply": {"reply_to": None},
    "another mention": {"mentions": ["somebody"]},
    "no mentions": {"mentions": []},
    "mentions in another order": {"mentions": ["b", "a"]},
}


@pytest.mark.parametrize("name", OTHER)
async def test_another_payload_under_the_same_key_is_a_conflict_and_changes_nothing(skein, name):
    alice, bob = await skein.users("alice", "bob")
    await alice.say(bob)
    await alice.say(bob)
    message = alice.draft(bob, body={"text": "x", "n": 1}, reply_to=1, mentions=["a", "b"])
    first = (await alice.post(message)).expect(200).json
    before = await bob.read(alice)
    for at in range(len(cluster.HTTP)):
        (await alice.post({**message, **OTHER[name]}, at)).expect(409, "idempotency_conflict", "client_msg_id")
    assert await bob.read(alice) == before
    assert outcome((await alice.post(message)).expect(200).json) == outcome(first)
    assert (await alice.say(bob))["seq"] == 4


async def test_a_key_is_the_senders_and_the_conversations_own(skein):
    alice, bob, carol = await skein.users("alice", "bob", "carol")
    group = await alice.group(bob)
    answers = [await sender.say(to, text, key="k") for sender, to, text in
               [(alice, bob, "1"), (bob, alice, "2"), (alice, carol, "3"), (alice, group, "4"), (bob, group, "5"),
                (alice, alice, "6")]]
    assert not any(a["duplicate"] for a in answers)
    assert [a["seq"] for a in answers] == [1, 2, 1, 1, 2, 1]


async def test_the_same_send_of_twenty_clients_at_once_over_both_ims_is_stored_once(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    for _ in range(5):
        message = alice.draft(bob)
        answers = await asyncio.gather(*(alice.post(message, i % 2) for i in range(20)))
        answers = [a.expect(200).json for a in answers]
        assert len({json.dumps(outcome(a), sort_keys=True) for a in answers}) == 1
        assert [a["duplicate"] for a in answers].count(False) == 1
    assert [m["seq"] for m in await phone.messages(5)] == [1, 2, 3, 4, 5]
    assert len(await bob.read(alice)) == 5


async def test_of_different_payloads_at_once_under_one_key_one_wins(skein):
    alice, bob = await skein.users("alice", "bob")
    answers = await asyncio.gather(*(alice.post(alice.draft(bob, str(i), key="k"), i % 2) for i in range(20)))
    assert sorted(a.status for a in answers) == [200] + [409] * 19
    assert len(await bob.read(alice)) == 1


async def test_a_send_twice_in_one_batch_is_stored_once(skein):
    alice, bob = await skein.users("alice", "bob")
    once, other = alice.draft(bob, "once", key="k"), alice.draft(bob, "other", key="k")
    results = (await alice.post_batch([once, once, other, once])).expect(200).json["results"]
    assert [r.get("duplicate") for r in results] == [False, True, None, True]
    assert results[2]["error"]["code"] == "idempotency_conflict"
    assert len({r["msg_id"] for r in results if "msg_id" in r}) == 1
    assert len(await bob.read(alice)) == 1


async def test_a_refused_send_does_not_use_its_key_up(skein):
    alice, bob, owner = await skein.users("alice", "bob", "owner")
    late = skein.user("late")
    to_late = alice.draft(late, "hello", key="k")
    (await alice.post(to_late)).expect(404, "not_found", "to.user")
    await late.endpoints()
    assert not (await alice.post(to_late)).expect(200).json["duplicate"]

    await alice.say(bob, key="first")
    reply = alice.draft(bob, reply_to=3, key="k")
    (await alice.post(reply)).expect(400, "invalid_argument", "reply_to")
    assert not (await alice.post({**reply, "reply_to": 1})).expect(200).json["duplicate"]

    group = await owner.group(alice)
    call = alice.draft(group, mentions=["*"], key="k")
    (await alice.post(call)).expect(403, "permission_denied")
    assert (await alice.post({**call, "mentions": [owner.uid]})).expect(200).json["seq"] == 1


async def test_a_repeat_is_not_delivered_again(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    message = alice.draft(bob, "once", key=unique("k"))
    for at in 0, 1, 0:
        (await alice.post(message, at)).expect(200)
    await alice.say(bob, "after")
    assert [m["seq"] for m in await phone.messages(2)] == [1, 2]
    await phone.ping()
    assert phone.repeats == 0
