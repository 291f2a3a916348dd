"""Seeds of the parsers of protobuf and of frames (seeds.py), and what writes protobuf by hand."""
from seeds_of_text import GROUP, ROUTE, TRACE, mentions, send


def varint(value):
    value &= 2**64 - 1
    head = bytearray()
    while value >= 0x80:
        head.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(head) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def fixed(field, value):
    return varint(field << 3 | 1) + value.to_bytes(8, "little")


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def numbers(field, values):
    return text(field, b"".join(map(varint, values)))


def fixed_numbers(field, values):
    return text(field, b"".join(value.to_bytes(8, "little") for value in values))


def message(conversation="g:crew", seq=42, sender="alice", body='{"text":"hi"}', more=b""):
    """proto/client.proto, Message."""
    return (text(1, conversation) + number(2, seq) + fixed(3, 2**64 - 1) + text(4, sender) + text(5, "text") +
            (text(6, body) if body else b"") + number(7, 1700000000123) + more)


WHOLE_MESSAGE = message(more=number(8, 7) + text(9, "bob") + text(9, "*") + number(10, 1) + number(11, 1) +
                        number(12, 41) + text(13, "add") + text(14, "\N{THUMBS UP SIGN}"))


TO_BOB = text(3, "bob")


def frame_send(rid="r1", to=TO_BOB, kind="text", body='{"text":"hi"}', more=b""):
    """proto/client.proto, ClientFrame with a Send."""
    return text(1, text(1, rid) + text(2, "k-1") + to + text(5, kind) + text(6, body) + more)


def json_frame(rest):
    return f'{{"type":"send","rid":"r1","message":{rest}}}'


CLIENT_FRAME = {
    "ping": '{"type":"ping"}',
    "ack": '{"type":"ack","offset":"18446744073709551615"}',
    "ack-out-of-range": '{"type":"ack","offset":"99999999999999999999"}',
    "ack-is-a-number": '{"type":"ack","offset":17}',
    "send": json_frame(send()),
    "send-everything": json_frame(send(GROUP, more=',"reply_to":7,"mentions":["bob","*"]')),
    "send-without-body": json_frame('{"client_msg_id":"k","to":{"user":"bob"},"type":"custom"}'),
    "send-to-both": json_frame(send('{"user":"bob","group":"crew"}')),
    "send-as-many-mentions-as-fit": json_frame(send(GROUP, more=mentions(50))),
    "send-one-mention-too-many": json_frame(send(GROUP, more=mentions(51))),
    "longest-rid": json_frame(send()).replace("r1", "r" * 64),
    "rid-too-long": json_frame(send()).replace("r1", "r" * 65),
    "rid-with-control": json_frame(send()).replace("r1", "\\u0007"),
    "not-served": '{"type":"typing","rid":"r1"}',
    "unknown": '{"type":"shout"}',
    "no-type": "{}",
    "key-twice": '{"type":"send","rid":"r1","rid":"r2"}',
    "numbers-out-of-range": '{"type":"ping","rid":"r1","a":1e999,"b":-1e999,"c":9223372036854775808}',
    "too-deep": '{"type":"ping","rid":"r1","a":' + "[" * 40 + "]" * 40 + "}",
    "half-a-surrogate": r'{"type":"ping","rid":"r1","a":"\ud83d\ud83d\ude00"}',
    "not-json": '{"type":',
    "proto-ping": text(3, b""),
    "proto-ack": text(2, text(1, "17")),
    "proto-ack-nothing": text(2, b""),
    "proto-send": frame_send(),
    "proto-send-everything": frame_send(to=text(4, "crew"), more=number(7, 7) + text(8, "bob") + text(8, "*")),
    "proto-send-to-both": frame_send(to=text(3, "bob") + text(4, "crew")),
    "proto-send-as-many-mentions-as-fit": frame_send(more=text(8, "bob") * 50),
    "proto-send-one-mention-too-many": frame_send(more=text(8, "bob") * 51),
    "proto-send-not-utf8": frame_send(body=b'{"text":"\xc3"}'),
    "proto-send-text-with-nul": frame_send(rid="r\x001"),
    "proto-send-greatest-seq": frame_send(more=number(7, 2**63 - 1)),
    "proto-send-seq-out-of-range": frame_send(more=number(7, 2**63)),
    "proto-two-frames": text(3, b"") + frame_send(),
    "proto-of-a-later-version": text(9, b"") + number(100, 1),
    "proto-cut": frame_send()[:-1],
}

NODE_EPOCH = 0x0101010101010101


def connections(conns, offsets=None, epochs=None):
    """proto/audience.proto, Connections."""
    return (fixed_numbers(1, conns) + numbers(2, offsets or range(1, len(conns) + 1)) +
            fixed_numbers(3, epochs or [5] * len(conns)))


def own(conns, **more):
    """proto/audience.proto, Audience of Targets, as it stands in a Delivery."""
    return text(3, text(1, text(1, connections(conns, **more))))


def others(conns, **more):
    return text(3, text(1, text(2, connections(conns, **more))))


def delivery(to=b"", ident=1, epoch=NODE_EPOCH, shown=None, more=b""):
    """proto/delivery.proto, DeliverBatch with one Delivery."""
    return text(1, number(1, ident) + fixed(2, epoch) + to + text(4, message() if shown is None else shown) + more)


EVENT = text(5, text(1, "typing") + text(2, '{"uid":"alice"}'))

DELIVER_BATCH = {
    "to-others": delivery(others([1, 2**64 - 1])),
    "to-own": delivery(own([3]), more=text(6, "k-1")),
    "to-both": delivery(own([1]) + others([1]), more=text(6, "k-1")),
    "several": b"".join(delivery(others([i]), i) for i in range(1, 4)),
    "same-id-twice": delivery(others([1])) * 2,
    "to-nobody": delivery(),
    "other-registration": delivery(others([1]) + own([2]), epoch=1),
    "lists-of-different-lengths": delivery(others([1, 2], offsets=[1])),
    "offset-zero-and-too-great": delivery(others([1, 2], offsets=[0, 2**64 - 1], epochs=[0, 1])),
    "not-a-message": delivery(others([1]), shown=b"\xff"),
    "message-without-seq": delivery(others([1]), shown=message(seq=0)),
    "numbers-without-a-message": delivery(others([1]), shown=b""),
    "event": text(1, number(1, 1) + fixed(2, NODE_EPOCH) + text(3, text(1, text(2, fixed_numbers(1, [1, 2])))) + EVENT),
    "event-with-numbers": delivery(others([1]), more=EVENT),
    "to-users": delivery(text(3, text(2, text(1, "alice") + text(1, "bob")))),
    "to-a-group": delivery(text(3, text(3, text(1, "crew") + number(2, 7)))),
    "to-a-room": delivery(text(3, text(4, "lobby"))),
    "two-audiences": delivery(others([1]) + text(3, text(4, "lobby"))),
    "empty-audience": delivery(text(3, b"")),
    "empty-delivery": text(1, b""),
    "empty": b"",
    "of-a-later-version": delivery(others([1]), more=number(99, 1)),
    "cut": delivery(others([1]))[:-1],
}


def message_frame(shown, for_own=False, key_length=0, unknown=0, key_is_escaped=False):
    """The byte of choices, then the message: tests/fuzz/message_frame_fuzz.c."""
    return bytes([for_own | key_length << 1 | unknown << 3 | key_is_escaped << 6]) + shown


MESSAGE_FRAME = {
    "for-others": message_frame(message()),
    "for-own": message_frame(message(), for_own=True, key_length=2),
    "for-own-escaped": message_frame(message(), for_own=True, key_length=2, key_is_escaped=True),
    "for-own-without-key": message_frame(message(), for_own=True),
    "for-own-with-long-key": message_frame(message(), for_own=True, key_length=3, key_is_escaped=True),
    "everything": message_frame(WHOLE_MESSAGE),
    "long-frame": message_frame(message(), for_own=True, key_length=1, unknown=5),
    "too-long": message_frame(message(), unknown=6),
    "long-and-long-key": message_frame(message(), for_own=True, key_length=3, unknown=4),
    "no-body": message_frame(message(body="")),
    "body-is-no-object": message_frame(message(body="[1]")),
    "body-is-nearly-an-object": message_frame(message(body='{"a":1}}')),
    "text-to-escape": message_frame(message(sender='a"\\\x01\u2028')),
    "not-utf8": message_frame(message(sender=b"\xc3")),
    "no-seq": message_frame(message(seq=0)),
    "has-a-key-already": message_frame(message(more=text(15, "k"))),
    "empty-key-already": message_frame(message(more=text(15, "")), for_own=True, key_length=2),
    "of-a-later-version": message_frame(message(more=number(99, 1))),
    "cut": message_frame(message()[:-1]),
}


def record(shown=None, version=1, more=b""):
    """proto/record.proto, MessageRecord."""
    return number(1, version) + text(2, shown or message()) + number(3, 7) + text(4, f"00-{TRACE}") + more


MESSAGE_RECORD = {
    "of-a-group": record(),
    "of-two": record(message("u:alice:bob")),
    "everything": record(WHOLE_MESSAGE),
    "of-a-change-of-members": record(more=text(5, text(1, "bob") + text(1, "carol") + text(2, "dave"))),
    "of-a-change-of-nobody": record(more=text(5, b"")),
    "of-members-that-are-no-uids": record(more=text(5, text(1, "a b") + text(2, "") + text(2, "x" * 65))),
    "of-a-room": record(message("r:lobby")),
    "no-conversation": record(message("alice")),
    "no-seq": record(message(seq=0)),
    "no-message": number(1, 1),
    "other-version": record(version=2),
    "of-a-later-version": record() + text(99, b"x"),
    "empty": b"",
    "cut": record()[:-1],
}

EVENT_USERS = text(1, text(2, text(1, "alice") + text(1, "bob")))
EVENT_CONTENT = text(2, text(1, "read") + text(2, '{"conversation_id":"u:alice:bob","uid":"bob","seq":7}'))
EMITTED = text(2, EVENT_USERS + EVENT_CONTENT + text(3, f"00-{TRACE}"))
EVENT_RECORD = {
    "usual": number(1, 1) + EMITTED,
    "two": number(1, 1) + EMITTED + EMITTED,
    "other-version": number(1, 2) + EMITTED,
    "for-everybody": number(1, 1) + text(2, text(1, text(2, b"")) + EVENT_CONTENT),
    "for-what-is-no-uid": number(1, 1) + text(2, text(1, text(2, text(1, "a b"))) + EVENT_CONTENT),
    "for-a-room": number(1, 1) + text(2, text(1, text(4, "lobby")) + EVENT_CONTENT),
    "for-users-and-a-room": number(1, 1) + text(2, EVENT_USERS + text(1, text(4, "lobby")) + EVENT_CONTENT),
    "no-audience": number(1, 1) + text(2, EVENT_CONTENT),
    "no-event": number(1, 1) + text(2, EVENT_USERS),
    "no-kind": number(1, 1) + text(2, EVENT_USERS + text(2, text(2, "{}"))),
    "second-spoilt": number(1, 1) + EMITTED + text(2, EVENT_USERS),
    "empty": b"",
    "cut": (number(1, 1) + EMITTED)[:-1],
}

FILE = text(1, "a.proto") + text(2, "p") + text(4, text(1, "M")) + text(5, text(1, "E")) + text(6, text(1, "S"))
REFLECTION = {
    "list": text(7, ""),
    "list-of-a-host": text(1, "host") + text(7, ""),
    "file": text(3, "proto/im.proto"),
    "no-such-file": text(3, "proto/none.proto"),
    "symbol": text(4, "skein.v1.Im.Send"),
    "no-such-symbol": text(4, "skein.v1.I"),
    "extension": text(5, number(2, 7)),
    "extension-numbers": text(6, "skein.v1.Im"),
    "two-questions": text(3, "proto/im.proto") + text(7, ""),
    "question-is-a-number": number(7, 1),
    "no-question": text(1, "host"),
    "own-set-list": text(1, FILE) + text(7, ""),
    "own-set-file": text(1, FILE) + text(3, "a.proto"),
    "own-set-symbol": text(1, FILE) + text(4, "p.M.field"),
    "own-set-without-package": text(1, text(6, text(1, "S"))) + text(4, "S"),
    "own-set-with-a-broken-file": text(1, FILE[:-1]) + text(4, "p.M"),
    "cut": text(4, "skein.v1.Im")[:-1],
}


def change(operation, uid="alice", platform="ios", conn=9):
    """proto/router.proto, RouteChanges with one RouteChange."""
    return text(1, number(1, 1) + number(2, operation) + text(3, uid) + text(4, "phone") + text(5, "gw1") +
                fixed(6, 7) + fixed(7, conn) + text(8, platform) + number(9, 1700000000000))


ROUTE_CHANGES = {
    "bind": b"\n" + change(0),
    "bind-replaces": b"gw2|7|9|web|1700000000000\n" + change(0),
    "bind-replaces-nonsense": b"gw2|7\n" + change(0),
    "bind-replaces-longest": ROUTE["greatest"].encode() + b"\n" + change(0),
    "bind-without-platform": b"\n" + change(0, platform="fridge"),
    "unbind": b"\n" + change(1),
    "unbind-kept": b"\n" + change(1, conn=10),
    "renew": b"\n" + change(2, conn=11),
    "each": b"gw2|7|9|web|1\n" + change(0) + change(1) + change(2),
    "no-such-operation": b"\n" + change(9) + change(-1),
    "uid-is-none": b"\n" + change(2, uid="a b"),
    "empty-change": b"\n" + text(1, b""),
    "empty": b"\n",
    "cut": b"\n" + change(0)[:-1],
}

WIRE = {
    "each-type": number(1, 150) + fixed(2, 7) + text(3, "abc") + varint(4 << 3 | 5) + b"1234",
    "greatest-number": number(2**29 - 1, 2**64 - 1),
    "field-zero": number(0, 1),
    "field-out-of-range": number(2**29, 1),
    "group": varint(1 << 3 | 3) + varint(1 << 3 | 4),
    "not-the-shortest-form": b"\x88\x80\x00" + b"\x81\x80\x80\x00",
    "more-than-64-bits": b"\x08" + b"\xff" * 9 + b"\x02",
    "eleven-bytes": b"\x08" + b"\x80" * 10 + b"\x00",
    "longer-than-there-is": b"\x0a\x04abc",
    "length-of-64-bits": b"\x0a" + varint(2**64 - 1) + b"abc",
    "twice": text(1, "first") + text(1, "last"),
    "cut-in-fixed": fixed(1, 7)[:-1],
}


def masked_frame(first, payload, length=None):
    """A client's frame. `length`: the announced length, if it differs from the real one."""
    mask, length = b"\x11\x22\x33\x44", len(payload) if length is None else length
    head = bytes([first, 0x80 | length]) if length < 126 else bytes([first, 0xFE]) + length.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


STEP = b"\x02"  # the first byte: how many bytes arrive at a time

WS_SERVER = {
    "frames": STEP + masked_frame(0x81, b'{"type":"ping"}') + masked_frame(0x01, b"be") + masked_frame(0x89, b"p") +
              masked_frame(0x80, b"gin") + masked_frame(0x88, b"\x0f\xa5no ack"),
    "long": STEP + masked_frame(0x82, b"x" * 200) + masked_frame(0x8A, b""),
    "unmasked": STEP + b"\x81\x02hi",
    "not-shortest": STEP + b"\x81\xfe\x00\x05\x11\x22\x33\x44hello",
    "too-large": STEP + masked_frame(0x82, b"", length=4097),
}

WS_CLIENT = {
    "frames": b"\x01\x81\x02hi\x89\x01p\x01\x01a\x80\x01b\x88\x02\x0f\xa1",
    "upgrade": b"\x03HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
}

SEEDS = {
    "client_frame": CLIENT_FRAME,
    "deliver_batch": DELIVER_BATCH,
    "event_record": EVENT_RECORD,
    "message_frame": MESSAGE_FRAME,
    "message_record": MESSAGE_RECORD,
    "reflection": REFLECTION,
    "route_changes": ROUTE_CHANGES,
    "protobuf_wire": WIRE,
    "ws_client": WS_CLIENT,
    "ws_server": WS_SERVER,
}
