"""Records on im.message that push cannot use: parked on im.message.dead, and the partition goes on."""
import json

import cluster
import kafka
from client import text_of
from frames import pb

BAD = {
    b"empty": b"",
    b"not a MessageRecord": b"\xff\xff\xff\xff garbage",
    b"of another version": b"\x08\x02\x12\x00",
    b"without a message": b"\x08\x01",
    b"without a seq": b"\x08\x01\x12\x07\x0a\x05u:a:b",
    b"not a conversation with inboxes": b"\x08\x01\x12\x09\x0a\x05r:big\x10\x01",
}


async def total(name):
    return sum([await cluster.metric(push, name) for push in cluster.INTERNAL if push.startswith("push-")])


async def letters_of(key, count):
    found = []

    async def are_there():
        found[:] = [letter for letter in await cluster.in_thread(kafka.read, "im.message.dead") if letter[0] == key]
        return len(found) >= count
    await cluster.becomes(are_there, what=f"{count} dead letters")
    return found


async def test_an_unusable_record_is_parked_whole_and_the_messages_around_it_arrive(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    key = (await alice.say(bob, "before"))["conversation_id"].encode()
    parked = await total("skein_push_dead_letters_total")
    await cluster.in_thread(kafka.produce, "im.message", [(key, value, {"origin": b"test"}) for value in BAD.values()])
    await alice.say(bob, "after")
    assert [text_of(m) for m in await phone.messages(2)] == ["before", "after"]
    letters = await letters_of(key, len(BAD))
    assert [(headers["dead-reason"], value) for _, value, headers in letters] == list(BAD.items())
    offsets = [int(headers["dead-offset"]) for _, _, headers in letters]
    assert offsets == list(range(offsets[0], offsets[0] + len(BAD)))
    for _, _, headers in letters:
        assert headers["origin"] == b"test"
        assert headers["dead-partition"] == letters[0][2]["dead-partition"] and int(headers["dead-time"]) > 1e12
    assert await total("skein_push_dead_letters_total") == parked + len(BAD)
    logs = "".join((cluster.RUN_DIR / "logs" / f"{push}.log").read_text() for push in cluster.INTERNAL if "push" in push)
    assert "record cannot be used, parking it" in logs


LONG = "long " * 40  # so that the length of its message takes two bytes


def of_a_newer_im(record, text):
    """The record of the next message, with fields that nobody knows yet: in the record, and in its message."""
    unknown = b"\xa2\x06\x03new"  # field 100
    assert record[:3] == b"\x08\x01\x12" and record[3] & 0x80 and not record[4] & 0x80, "version 1, then the message"
    size = record[3] & 0x7f | record[4] << 7
    message = pb.Message.FromString(record[5:5 + size])
    message.seq, message.msg_id, message.body = message.seq + 1, message.msg_id + 1, json.dumps({"text": text})
    nested = message.SerializeToString() + unknown
    assert 128 <= len(nested) < 1 << 14
    return record[:3] + bytes([len(nested) & 0x7f | 0x80, len(nested) >> 7]) + nested + record[5 + size:] + unknown


async def test_a_record_with_fields_of_a_newer_im_is_delivered(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    key = (await alice.say(bob, LONG))["conversation_id"].encode()
    assert text_of(await phone.message()) == LONG
    parked = await total("skein_push_dead_letters_total")
    record, = [value for partition in range(4) for found, value, _ in await cluster.in_thread(kafka.read, "im.message", partition)
               if found == key]
    await cluster.in_thread(kafka.produce, "im.message", [(key, of_a_newer_im(record, LONG + "and more"), {})])
    assert text_of(await phone.message()) == LONG + "and more"
    assert await total("skein_push_dead_letters_total") == parked


async def test_a_record_too_large_for_the_dead_letters_is_parked_without_its_value(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    key = (await alice.say(bob, "before"))["conversation_id"].encode()
    await cluster.in_thread(kafka.produce, "im.message", [(key, b"\xff" * 1_040_000, {})])
    await alice.say(bob, "after")
    assert [text_of(m) for m in await phone.messages(2)] == ["before", "after"]
    (_, value, headers), = await letters_of(key, 1)
    assert value == b"" and headers["dead-value-bytes"] == b"1040000"


async def test_a_message_that_was_never_stored_is_parked_and_keeps_no_real_one_back(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    key = (await alice.say(bob, "before"))["conversation_id"].encode()
    message = b"\x0a" + bytes([len(key)]) + key + b"\x10\x80\x94\xeb\xdc\x03"  # seq 1,000,000,000
    record = b"\x08\x01\x12" + bytes([len(message)]) + message
    await cluster.in_thread(kafka.produce, "im.message", [(key, record, {})])
    (_, value, headers), = await letters_of(key, 1)
    assert value == record and headers["dead-reason"] == b"of a message that is not stored"
    for text in "after", "and after that":
        await alice.say(bob, text)
    assert [text_of(m) for m in await phone.messages(3)] == ["before", "after", "and after that"]


async def test_the_offsets_of_parked_records_are_committed(skein):
    async def is_zero():
        return await total("skein_push_lag") == 0
    alice, bob = await skein.users("alice", "bob")
    key = (await alice.say(bob, "x"))["conversation_id"].encode()
    await cluster.in_thread(kafka.produce, "im.message", [(key, b"garbage", {})] * 50)
    await letters_of(key, 50)
    await cluster.becomes(is_zero, what="nothing is left to commit")
