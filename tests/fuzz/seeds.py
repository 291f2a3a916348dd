#!/usr/bin/python3
"""Writes the seeds of the fuzz targets, tests/fuzz/corpus/TARGET/NAME: small inputs that are good, nearly good, or at a
limit. What was found later and kept is a file there without an entry here."""
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


# ---- protobuf ----

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


# ---- what is text ----

BASE64 = {
    "no-rest": "QUJD",
    "one-byte": "QQ",
    "two-bytes": "QUI",
    "last-digits": "-_-_",
    "other-alphabet": "+/+/",
    "padded": "QQ==",
    "one-digit-too-many": "QUJDQ",
    "bits-left-over": "QR",
    "binary": b"\x00\xff\x80",
}

HTTP_ROUTES = {
    "root": "GET /",
    "literal-before-parameter": "GET /v1/users/me",
    "parameter": "DELETE /v1/users/alice",
    "two-parameters": "PUT /v1/groups/crew/members/bob/role",
    "three-parameters": "POST /v1/groups/crew/members/bob/accept",
    "other-method-of-the-literal": "DELETE /v1/users/me",
    "no-such-method": "TRACE /v1/groups",
    "no-such-path": "GET /v2/users/alice",
    "empty-parameter": "GET /v1/users/",
    "only-slashes": "GET //",
    "longer-than-any": "GET /v1/groups/crew/members/bob/role/of/many",
    "no-path": "GET",
    "two-methods": "GET, PATCH /v1/users/me",
}

HTTP_URI = {
    "query": "/v1/ws?token=a%2Bb&platform=web",
    "encoded-path": "/a%20b+c%C3%A9",
    "absolute": "http://host:80/v1/ws?q=1",
    "absolute-without-path": "http://host?q=/1",
    "absolute-host-only": "http://host",
    "flags-and-gaps": "?flag&=&&a==b&",
    "as-many-fields-as-fit": "/?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8",
    "one-field-too-many": "/?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9",
    "cut-in-a-digit": "/?a=%4",
    "no-digits": "/?a=%zz",
    "encoded-nul": "a=%00",
    "plain-nul": b"a=\x00",
    "encoded-half-a-character": "?bad=%C3&%C3=bad",
    "plain-half-a-character": b"?a=\xc3",
}

IDENT = {
    "uid": "alice",
    "every-kind-of-character": "A-z_0.9",
    "longest": "a" * 64,
    "one-too-long": "a" * 65,
    "platform": "desktop",
    "direct": "u:alice:bob",
    "direct-out-of-order": "u:bob:alice",
    "direct-with-oneself": "u:alice:alice",
    "direct-longest": f"u:{'a' * 64}:{'b' * 64}",
    "direct-with-three": "u:alice:bob:carol",
    "group": "g:crew",
    "room": "r:lobby",
    "no-such-kind": "x:crew",
    "group-of-no-name": "g:",
    "display-name": "Zoë \N{CJK UNIFIED IDEOGRAPH-4E2D}\N{GRINNING FACE}",
    "display-name-longest": "\N{GRINNING FACE}" * 128,
    "display-name-one-too-long": "é" * 129,
    "display-name-with-control": "a\u0085b",
}

INBOX_EPOCH = {
    "usual": "0123456789abcde",
    "greatest": "f" * 15,
    "none": "0" * 15,
    "capitals": "0123456789ABCDE",
    "too-short": "0123456789abcd",
    "too-long": "0123456789abcdef",
    "number": b"\x01\x02\x03\x04\x05\x06\x07\x88",
}

JSON = {
    "every-type": '{"t":"hello","n":null,"b":true,"f":false,"i":7,"r":1.5e3,"o":{},"l":[1,2,3]}',
    "texts-at-limits": '{"a":"x","b":"xy","c":"123456789","d":"1234567890","e":""}',
    "numbers-at-limits": '{"a":-3,"b":-4,"c":1000,"d":1001,"e":9223372036854775807,"f":-9223372036854775808}',
    "reals": '{"a":5.0,"b":-0.0,"c":0.1,"d":1e22,"e":4.9e-324,"f":1.7976931348623157e308,"g":999.9999999}',
    "lists-at-limits": '{"a":[],"b":[1,2,3],"c":[1,2,3,4]}',
    "escapes": r'{"\u00e9\n":"\"\\\/\b\f\r\t\ud83d\ude00","control":"\u0001\u007f"}',
    "names": '{"a":"Zoë B","b":"a\\u0085b","c":"alice"}',
    "blanks": ' {\t"a" :\r\n[ 1 , {"b" : 2} ] } \n',
    "brackets-in-text": '{"a":"[[[[{{{{\\"]]","b":"}"}',
    "deepest": '{"a":' + "[" * 31 + "]" * 31 + "}",
    "too-deep": '{"a":' + "[" * 32 + "]" * 32 + "}",
    "key-twice": '{"id":1,"b":{},"id":2}',
    "integer-out-of-range": '{"id":9223372036854775808}',
    "real-out-of-range": '{"id": 1e999}',
    "nul": r'{"a":"\u0000"}',
    "half-a-surrogate": r'{"a":"\ud83d"}',
    "not-utf8": b'{"a":"\xc3"}',
    "not-an-object": "[1]",
    "cut": '{"a":[1,',
    "something-behind": '{"a":1}{"b":2}',
}

JWT_HEADER = '{"alg":"HS256","typ":"JWT"}\n'
JWT = {
    "plain": "\x00\x00" + JWT_HEADER + '{"sub":"alice","exp":1700003600}',
    "every-claim": "\x00\x01" + JWT_HEADER +
                   '{"sub":"alice","exp":1700003600,"iat":1700000000,"nbf":1700000000,"scope":"read admin","jti":"id-1"}',
    "header-in-other-order": 'ab{"typ":"JWT","kid":"1","alg":"HS256"}\n{"sub":"alice","exp":1700003600.9}',
    "no-algorithm": 'ab{"alg":"none"}\n{"sub":"alice","exp":1700003600}',
    "critical": 'ab{"alg":"HS256","crit":["x"]}\n{"sub":"alice","exp":1700003600}',
    "just-expired": "ab" + JWT_HEADER + '{"sub":"alice","exp":1700000000}',
    "just-not-expired": "ab" + JWT_HEADER + '{"sub":"alice","exp":1700000001}',
    "latest": "ab" + JWT_HEADER + '{"sub":"alice","exp":253402300799}',
    "too-late": "ab" + JWT_HEADER + '{"sub":"alice","exp":253402300800}',
    "expiry-is-text": "ab" + JWT_HEADER + '{"sub":"alice","exp":"1700003600"}',
    "not-valid-yet": "ab" + JWT_HEADER + '{"sub":"alice","exp":1700003600,"nbf":1700000001}',
    "issued-never": "ab" + JWT_HEADER + '{"sub":"alice","exp":1700003600,"iat":0.5}',
    "sub-is-no-uid": "ab" + JWT_HEADER + '{"sub":"a b","exp":1700003600}',
    "scope-is-no-text": "ab" + JWT_HEADER + '{"sub":"alice","exp":1700003600,"scope":["admin"]}',
    "long-id": "ab" + JWT_HEADER + '{"sub":"alice","exp":1700003600,"jti":"' + "é" * 40 + '"}',
    "payload-is-no-json": "ab" + JWT_HEADER + "sub=alice",
    "too-long": "ab" + JWT_HEADER + '{"sub":"alice","x":"' + "x" * 3000 + '"}',
    "signed-by-somebody": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9." + "A" * 43,
    "four-segments": "e30.e30.e30.e30",
    "authorization": "bearer   e30.e30.e30",
}

NODE = "gw1\nepoch\n7\ngrpc\n127.0.0.1:9301\nws\nws://127.0.0.1:8080/v1/ws\ncell\nc1\n"
NODE_RECORD = {
    "whole": NODE + "draining\n1\nconnections\n10\nqueue_bytes\n20\nlag_ms\n30",
    "of-a-later-version": NODE + "draining\n0\nshoe_size\n44",
    "twice": "gw1\nepoch\n7\nepoch\n8",
    "greatest-numbers": f"gw1\nepoch\n{2**64 - 1}\nlag_ms\n{2**64 - 1}",
    "number-out-of-range": f"gw1\nepoch\n{2**64}",
    "no-epoch": "gw1\ngrpc\n127.0.0.1:9301",
    "epoch-zero": "gw1\nepoch\n0",
    "value-of-another-type": "gw1\nepoch\n!\ncell\nc1",
    "field-of-another-type": "gw1\n!\n7\nepoch\n7",
    "field-without-value": "gw1\nepoch\n7\ncell",
    "name-is-no-name": "g w\nepoch\n7",
    "longest-address": "gw1\nepoch\n7\ngrpc\n" + "a" * 127,
    "address-too-long": "gw1\nepoch\n7\ngrpc\n" + "a" * 128,
    "seen": "7|1700000000000",
    "seen-never": "7|",
}

REDIS_URI = {
    "usual": "redis://127.0.0.1:6379",
    "everything": "redis://user:p%40ss:w%2Ford@redis.local:6380/15",
    "password-only": "redis://:a@b/c@host",
    "user-only": "redis://user@host",
    "ipv6": "redis://[::1]:6379/0",
    "ipv6-without-port": "redis://[fe80::1]",
    "ipv6-without-end": "redis://[::1",
    "brackets-in-brackets": "redis://[[x]",
    "bracket-and-more": "redis://[::1]6379",
    "greatest-port-and-db": "redis://host:65535/65535",
    "port-out-of-range": "redis://host:65536",
    "port-with-zeros": "redis://host:00001",
    "db-out-of-range": "redis://host/65536",
    "bad-encoding": "redis://:%4@host",
    "longest-host": "redis://" + "h" * 255,
    "host-too-long": "redis://" + "h" * 256,
    "no-host": "redis://:6379",
    "other-scheme": "rediss://host",
}

ROUTE = {
    "usual": "gw1|81985529216486895|9|ios|1700000000000",
    "zeros-in-front": "gw1|007|09|web|0",
    "greatest": "|".join(["n" * 64, str(2**64 - 1), str(2**64 - 1), "android", str(2**64 - 1)]),
    "out-of-range": f"gw1|{2**64}|9|ios|1",
    "field-missing": "gw1|7|9|ios",
    "field-too-many": "gw1|7|9|ios|1|2",
    "no-such-platform": "gw1|7|9|fridge|1",
    "node-without-name": "|7|9|ios|1",
}

RPC_TARGETS = {
    "ipv4": "127.0.0.1:9301",
    "several-ipv4": "127.0.0.1:9301,127.0.0.2:65535",
    "several-ipv6": "[::1]:9301,dns:[2001:db8::2]:9302",
    "name": "im.skein.local:9301",
    "name-as-grpc-has-it": "dns:im_1:9301",
    "several-names": "im1:9301,im2:9301",
    "mixed": "127.0.0.1:9301,[::1]:9301",
    "port-zero": "127.0.0.1:0",
    "port-out-of-range": "127.0.0.1:65536",
    "no-port": "127.0.0.1",
    "ipv6-without-brackets": "::1:9301",
    "nul": b"127.0.0.1\x00:9301",
    "longest-name": "h" * 253 + ":1",
    "name-too-long": "h" * 254 + ":1",
    "comma-at-the-end": "127.0.0.1:9301,",
}


def send(to='{"user":"bob"}', kind="text", body='{"text":"hi"}', more=""):
    return f'{{"client_msg_id":"k-1","to":{to},"type":"{kind}","body":{body}{more}}}'


GROUP = '{"group":"crew"}'


def mentions(count):
    return ',"mentions":[' + ",".join(f'"u{i}"' for i in range(count)) + "]"


SEND_REQUEST = {
    "to-a-user": send(),
    "to-a-group": send(GROUP, more=',"reply_to":7,"mentions":["bob","*"]'),
    "to-both": send('{"user":"bob","group":"crew"}'),
    "to-nobody": send('{"user":null}'),
    "as-many-mentions-as-fit": send(GROUP, more=mentions(50)),
    "one-mention-too-many": send(GROUP, more=mentions(51)),
    "everyone-of-two": send(more=',"mentions":["*"]'),
    "mention-is-a-number": send(GROUP, more=',"mentions":[1]'),
    "image": send(kind="image", body='{"url":"x","width":1.50,"tags":[null,true,"é\\u0001"]}'),
    "custom-and-empty": send(kind="custom", body="{}"),
    "text-without-text": send(body="{}"),
    "empty-text": send(body='{"text":""}'),
    "no-such-type": send(kind="system"),
    "greatest-seq": send(more=f',"reply_to":{2**53 - 1}'),
    "seq-out-of-range": send(more=f',"reply_to":{2**53}'),
    "seq-zero": send(more=',"reply_to":0'),
    "seq-as-a-real": send(more=',"reply_to":7.0'),
    "deepest-body": send(kind="custom", body='{"a":' + "[" * 30 + "]" * 30 + "}"),
    "body-deeper-than-a-frame-has": send(kind="custom", body='{"a":' + "[" * 29 + "]" * 29 + "}"),
    "longest-key": send().replace("k-1", "k" * 64),
    "key-too-long": send().replace("k-1", "k" * 65),
    "key-with-a-blank": send().replace("k-1", "k 1"),
}

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACEPARENT = {
    "usual": f"00-{TRACE}",
    "later-version": f"cc-{TRACE}-what-comes-next",
    "this-version-and-more": f"00-{TRACE}-more",
    "forbidden-version": f"ff-{TRACE}",
    "no-trace": f"00-{'0' * 32}-00f067aa0ba902b7-01",
    "no-parent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    "capitals": f"00-{TRACE.upper()}",
    "one-too-short": f"00-{TRACE}"[:-1],
    "longest": f"01-{TRACE}-".ljust(128, "x"),
    "too-long": f"01-{TRACE}-".ljust(129, "x"),
    "blank-at-the-end": f"01-{TRACE}- ",
}


def handshake(line="GET /v1/ws?token=a.b.c&platform=web HTTP/1.1", host="Host: skein.local\r\n", more=""):
    return (f"{line}\r\n{host}Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n")


WS_REQUEST = {
    "usual": handshake(more="Sec-WebSocket-Protocol: skein.v1.proto, skein.v1.json\r\nAuthorization: Bearer a.b.c\r\n"),
    "several-offers": handshake(more="Sec-WebSocket-Protocol: chat\r\nsec-websocket-protocol: ,, skein.v1.json\r\n"),
    "as-many-offers-as-fit": handshake(more="Sec-WebSocket-Protocol: chat\r\n" * 8),
    "one-offer-too-many": handshake(more="Sec-WebSocket-Protocol: chat\r\n" * 9),
    "absolute-target": handshake("GET http://skein.local/v1/ws?a=%C3%A9&b=+ HTTP/1.1"),
    "as-many-query-fields-as-fit": handshake(f"GET /?{'a=1&' * 32} HTTP/1.1"),
    "one-query-field-too-many": handshake(f"GET /?{'a=1&' * 33} HTTP/1.1"),
    "bad-query": handshake("GET /?a=%zz HTTP/1.1"),
    "not-get": handshake("POST /v1/ws HTTP/1.1"),
    "old-version": handshake("GET /v1/ws HTTP/1.0"),
    "no-host": handshake(host=""),
    "two-hosts": handshake(more="host: other\r\n"),
    "empty-values": handshake(more="Authorization:\r\nX-Empty: \t \r\n"),
    "body": handshake(more="Content-Length: 5\r\n") + "hello",
    "chunked-body": handshake(more="Transfer-Encoding: chunked\r\n"),
    "no-body": handshake(more="Content-Length: 0\r\n") + "the next request",
    "continued-line": handshake(more="X-Long: a\r\n b\r\n"),
    "control-in-value": handshake(more="X-Bell: \x07\r\n"),
    "bare-line-feeds": handshake().replace("\r\n", "\n"),
    "cut": handshake()[:-2],
    "key-too-short": handshake().replace("bub25jZQ==", "bub25j"),
    "other-websocket-version": handshake().replace("13", "8"),
    "no-upgrade": "GET /v1/ws HTTP/1.1\r\nHost: skein.local\r\n\r\n",
}


# ---- what is JSON or protobuf ----

def frame_send(rid="r1", to=text(3, "bob"), kind="text", body='{"text":"hi"}', more=b""):
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
    """A client's frame; `length` is what it announces where that is not the truth."""
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

SEEDS = {
    "base64": BASE64,
    "client_frame": CLIENT_FRAME,
    "deliver_batch": DELIVER_BATCH,
    "event_record": EVENT_RECORD,
    "message_frame": MESSAGE_FRAME,
    "http_routes": HTTP_ROUTES,
    "http_uri": HTTP_URI,
    "ident": IDENT,
    "inbox_epoch": INBOX_EPOCH,
    "json": JSON,
    "jwt": JWT,
    "message_record": MESSAGE_RECORD,
    "node_record": NODE_RECORD,
    "protobuf_wire": WIRE,
    "redis_uri": REDIS_URI,
    "reflection": REFLECTION,
    "route": ROUTE,
    "route_changes": ROUTE_CHANGES,
    "rpc_targets": RPC_TARGETS,
    "send_request": SEND_REQUEST,
    "traceparent": TRACEPARENT,
    "ws_request": WS_REQUEST,
    "ws_server": WS_SERVER,
}


def main():
    for target, seeds in SEEDS.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (CORPUS / target / name).write_bytes(content.encode() if isinstance(content, str) else content)


if __name__ == "__main__":
    main()
