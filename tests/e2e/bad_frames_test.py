"""WebSocket frames wrong in every way: an error that names the field and the connection stays, or a close code that says why."""
import asyncio
import json

import pytest
import websockets
from websockets.frames import Opcode

import schemas
from bad_input_test import MISSING, NO_DOCUMENTS, SEND, Known, changed, nested
from client import text_of, unique
from frames import pb

MAX_FRAME = 16 * 1024


async def still_serves(connection):
    await connection.ping()


async def is_error(connection, rid=None, names=None, code="invalid_argument"):
    error = await connection.expect("error")
    assert error["code"] == code and error.get("rid") == rid, error
    assert names is None or names in error["message"], error
    return error


@pytest.mark.parametrize("field", SEND)
async def test_a_bad_field_of_a_sent_message_is_an_error_that_names_it_and_nothing_is_stored(skein, field):
    alice, bob = await skein.users("alice", "bob")
    connection = await alice.connect()
    body = alice.draft(bob, key="k")
    for number, case in enumerate(SEND[field]):
        value, is_known = (case.value, True) if isinstance(case, Known) else (case, False)
        frame = {"type": "send", "rid": f"r {number}", "message": changed(body, field, value)}
        assert is_known or schemas.client_frame_fault(frame), f"asyncapi.yaml would allow {field} {value!r}"
        await connection.send(**frame)
        await is_error(connection, f"r {number}", field.rsplit(".", 1)[-1])
    assert await alice.read(bob) == []
    assert (await connection.say(bob, key="k"))["seq"] == 1


BAD_RIDS = [MISSING, None, 7, True, [], {}, "", "r" * 65, "é", "\n", "\x7f"]


async def test_a_bad_rid_is_an_error_without_one(skein):
    alice, bob = await skein.users("alice", "bob")
    connection = await alice.connect()
    for rid in BAD_RIDS:
        frame = changed({"type": "send", "rid": "x", "message": alice.draft(bob)}, "rid", rid)
        assert schemas.client_frame_fault(frame)
        await connection.send(**frame)
        await is_error(connection, None, "rid")
    for rid in "r" * 64, " ", "~!":
        await connection.say(bob, rid=rid)


async def test_a_send_without_a_message_is_an_error(skein):
    connection = await skein.user("alice").connect()
    for message in MISSING, None, "x", 7, [], True:
        frame = changed({"type": "send", "rid": "1", "message": 0}, "message", message)
        await connection.send(**frame)
        await is_error(connection, "1", "message")
    await still_serves(connection)


async def test_a_bad_offset_is_an_error(skein):
    alice, bob = await skein.users("alice", "bob")
    connection = await bob.connect()
    await alice.say(bob)
    await connection.message()
    for offset in [MISSING, None, 1, True, [], {}, "", "x", "-1", "1 ", "1.0", "0x1", "1" * 21, "é", "\u0661"]:
        frame = changed({"type": "ack", "offset": "1"}, "offset", offset)
        assert schemas.client_frame_fault(frame), frame
        await connection.send(**frame)
        await is_error(connection, None, "offset")
    for never in "2", "9" * 20, "18446744073709551616":
        await connection.send(type="ack", offset=never)
        await is_error(connection)
    await still_serves(connection)


async def test_what_the_recipient_or_the_group_says_no_to_is_an_error_with_its_code(skein):
    alice, bob, owner = await skein.users("alice", "bob", "owner")
    others, group = await owner.group(bob), await owner.group(alice)
    for proto in False, True:
        connection = await alice.connect(proto=proto)
        key = unique("k")
        first = await connection.say(bob, "one", key=key)
        for to, fields, code in [
                ({"user": unique("nobody")}, {}, "not_found"), ({"group": unique("nogroup")}, {}, "not_found"),
                (others, {}, "not_member"), (group, {"mentions": ["*"]}, "permission_denied"),
                (bob, {"reply_to": first["seq"] + 5}, "invalid_argument"), (bob, {"key": key, "text": "two"}, "idempotency_conflict"),
                (bob, {"mentions": ["*"]}, "invalid_argument")]:
            rid = await connection.post(to, **fields)
            await is_error(connection, rid, code=code)
        again = await connection.say(bob, "one", key=key)
        assert again["duplicate"]


async def test_what_is_not_served_yet_is_an_error_and_no_end(skein):
    connection = await skein.user("alice").connect()
    for frame in {"type": "join", "rid": "1", "room": "r"}, {"type": "leave", "rid": "2", "room": "r"}, \
            {"type": "focus", "rid": "4", "conversations": []}:
        await connection.send(**frame)
        await is_error(connection, frame.get("rid"), frame["type"], "failed_precondition")
    await still_serves(connection)


# ---- what closes ----

NO_FRAMES = {
    "no type": b'{"rid": "1"}', "a null type": b'{"type": null}', "a number as type": b'{"type": 7}', "an empty type": b'{"type": ""}',
    "an unknown type": b'{"type": "dance"}', "another case": b'{"type": "Ping"}', "a frame of the server": b'{"type": "hello"}',
    "a blank more": b'{"type": "ping "}', "a list of frames": b'[{"type": "ping"}]', "two frames": b'{"type": "ping"}{"type": "ping"}',
}
NOT_JSON = {name: data for name, data in NO_DOCUMENTS.items() if len(data) <= MAX_FRAME}
NOT_UTF8 = {"Latin-1", "UTF-16", "overlong UTF-8", "half a character", "a surrogate in UTF-8", "beyond Unicode"}


@pytest.mark.parametrize("name", [*NO_FRAMES, *(name for name in NOT_JSON if name not in NOT_UTF8)])
async def test_what_is_no_frame_closes_with_4003(skein, name):
    connection = await skein.user("alice").connect()
    await connection.send_raw({**NOT_JSON, **NO_FRAMES}[name].decode())
    assert await connection.closed() == 4003


@pytest.mark.parametrize("text", [
    b'{"type": "ping", "type": "ping"}', b'{"type": "ping", "n": 1e999}', b'{"type": "ping", "n": 99999999999999999999}',
    b'{"type": "ping", "x": ' + nested(100) + b"}", b'{"type": "send", "rid": "1", "rid": "1"}',
    b'{"type": "join", "x": ' + nested(40) + b"}", b'{"type": "ping", "x": "\\u0000"}', b'{"type": "ping", "x": "\\ud83d"}',
], ids=lambda text: text.decode()[:40])
async def test_a_known_type_in_unclean_json_is_an_error_and_no_end(skein, text):
    connection = await skein.user("alice").connect()
    await connection.send_raw(text.decode())
    assert (await connection.expect("error"))["code"] == "invalid_argument"
    await still_serves(connection)


@pytest.mark.parametrize("name", sorted(NOT_UTF8))
async def test_text_that_is_not_utf8_closes_with_1007(skein, name):
    connection = await skein.user("alice").connect()
    await connection.socket.write_frame(True, Opcode.TEXT, NO_DOCUMENTS[name])
    assert await connection.closed() == 1007


async def test_the_wrong_kind_of_message_closes_with_1003(skein):
    alice = skein.user("alice")
    connection = await alice.connect()
    await connection.send_raw(b'{"type": "ping"}')
    assert await connection.closed() == 1003
    connection = await alice.connect(proto=True)
    await connection.send_raw('{"type": "ping"}')
    assert await connection.closed() == 1003


def ping_of(size):
    frame = b'{"type": "ping", "pad": ""}'
    return frame.replace(b'""', b'"' + b"x" * (size - len(frame)) + b'"')


async def test_a_frame_of_16_kib_is_taken_and_one_more_byte_closes_with_1009(skein):
    alice = skein.user("alice")
    connection = await alice.connect()
    await connection.send_raw(ping_of(MAX_FRAME).decode())
    await connection.expect("pong")
    await connection.send_raw(ping_of(MAX_FRAME + 1).decode())
    assert await connection.closed() == 1009


async def test_the_limit_counts_over_all_fragments(skein):
    alice = skein.user("alice")
    connection = await alice.connect()
    whole = ping_of(MAX_FRAME)
    await connection.send_raw([part.decode() for part in (whole[:9000], whole[9000:9001], whole[9001:])])
    await connection.expect("pong")
    await connection.socket.write_frame(False, Opcode.TEXT, whole[:9000])
    await connection.socket.write_frame(False, Opcode.CONT, whole[9000:])
    await connection.socket.write_frame(False, Opcode.CONT, b"xx")
    assert await connection.closed() == 1009
    endless = await alice.connect()
    with pytest.raises((websockets.InvalidState, websockets.ConnectionClosed)):
        await endless.socket.write_frame(False, Opcode.TEXT, b"x")
        while True:
            await endless.socket.write_frame(False, Opcode.CONT, b"x" * 100)
            await asyncio.sleep(0)
    assert await endless.closed() == 1009


async def test_of_a_terabyte_that_is_announced_no_more_than_the_limit_is_read(skein):
    connection = await skein.user("alice").connect()
    connection.socket.transport.write(b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0" + b" " * (MAX_FRAME + 1))
    assert await connection.closed() == 1009


BAD_PROTO = {
    "nothing": b"", "garbage": b"\xff" * 40, "an unknown field only": b"\xf8\x07\x01", "cut off": pb.ClientFrame(
        ack=pb.AckUpTo(offset="12345")).SerializeToString()[:-2], "a length beyond the end": b"\x0a\x7f", "JSON": b'{"type":"ping"}',
    "a frame of the server": pb.ServerFrame(pong=pb.Pong()).SerializeToString(),
}


@pytest.mark.parametrize("name", BAD_PROTO)
async def test_what_is_no_binary_frame_closes_with_4003(skein, name):
    connection = await skein.user("alice").connect(proto=True)
    await connection.send_raw(BAD_PROTO[name])
    assert await connection.closed() == 4003


def binary_send(bob, **fields):
    values = {"rid": "1", "client_msg_id": "k", "to_user": bob.uid, "type": "text", "body": '{"text": "x"}', **fields}
    return pb.ClientFrame(send=pb.Send(**values)).SerializeToString()


BAD_BINARY = {
    "client_msg_id": ["", "k" * 65, "a b", "é"], "to": [], "to.user": ["x" * 65, "a b", "é"], "type": ["", "TEXT", "recall", "x" * 17],
    "body": ["", "x", "[]", "7", '{"text": 1e999}', '{"a": "\\u0000"}', '{"text": "x", "text": "x"}', '{"a": ' + nested(100).decode() + "}"],
    "reply_to": [2**53, 2**63, 2**64 - 1], "mentions": [[""], ["a b"], ["x" * 65], ["a"] * 51, ["*"]],
}


@pytest.mark.parametrize("field", BAD_BINARY)
async def test_a_bad_field_of_a_binary_send_is_an_error_that_names_it(skein, field):
    alice, bob = await skein.users("alice", "bob")
    connection = await alice.connect(proto=True)
    values = BAD_BINARY[field] if field != "to" else [None]
    for value in values:
        fields = {"to_user": "", "to_group": ""} if field == "to" else {field.replace(".", "_"): value}
        await connection.send_raw(binary_send(bob, **fields))
        await is_error(connection, "1", field if field != "body" else None)
    await connection.send_raw(binary_send(bob, to_group="g"))
    await is_error(connection, "1", "to")
    assert await alice.read(bob) == []
    assert (await connection.say(bob, key="k"))["seq"] == 1


async def test_text_that_is_not_utf8_in_a_binary_send_is_an_error(skein):
    alice, bob = await skein.users("alice", "bob")
    connection = await alice.connect(proto=True)
    for place in b"hello hello", b"text":
        frame = binary_send(bob, body='{"text": "hello hello"}')
        await connection.send_raw(frame.replace(place, b"\xff" * len(place), 1))
        await is_error(connection, "1")
    assert await alice.read(bob) == []
    await still_serves(connection)


async def test_a_text_with_a_nul_in_a_binary_send_is_an_error(skein):
    alice, bob = await skein.users("alice", "bob")
    connection = await alice.connect(proto=True)
    for field, value in ("to_user", bob.uid), ("client_msg_id", "k"), ("type", "text"), ("body", '{"text": "x"}'), ("mentions", bob.uid):
        bad = f"{value}\0more"
        await connection.send_raw(binary_send(bob, **{field: [bad] if field == "mentions" else bad}))
        await is_error(connection, "1", "NUL")
    await connection.send_raw(binary_send(bob, rid="1\0more"))
    await is_error(connection, None, "NUL")
    assert await alice.read(bob) == []
    await still_serves(connection)


async def test_frames_faster_than_a_person_are_errors_and_then_close_with_4006(skein):
    connection = await skein.user("alice").connect()
    with pytest.raises(websockets.ConnectionClosed):
        while True:
            await connection.send_raw('{"type": "ping"}')
            await asyncio.sleep(0)
    assert await connection.closed() == 4006
    answers = [frame["type"] for frame in connection.log if frame["type"] != "hello"]
    refusals = [frame for frame in connection.log if frame["type"] == "error"]
    assert answers[:300] == ["pong"] * 300 # limits.frame_burst
    assert {frame["code"] for frame in refusals} == {"rate_limited"}, "there is one before the close"


async def test_who_says_things_before_hello_is_answered_after_it(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    connection = await alice.open()
    await connection.send(type="ping")
    await connection.post(bob, "early")
    await connection.expect("hello")
    assert {(await connection.expect(kind))["type"] for kind in ("pong", "ack")} == {"pong", "ack"}
    assert text_of(await phone.message()) == "early"


async def test_no_close_and_no_error_of_one_connection_touches_another(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    for text in "x", '{"type": "dance"}', json.dumps({"type": "send"}):
        bad = await alice.connect(device=unique("d"))
        await bad.send_raw(text)
    await alice.say(bob)
    await phone.message()
