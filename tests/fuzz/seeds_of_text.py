"""Seeds of the parsers of text: JSON, HTTP, tokens, addresses, names (seeds.py)."""

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

SERVER_ANSWER = {
    "endpoints": '{"gateways":[{"url":"wss://a/ws","node":"g"}],"retry":{"min_ms":1,"max_ms":2}}',
    "history": '{"messages":[{"conversation_id":"g:1","seq":4,"msg_id":"1","from":"bob","type":"text","body":{},"time":5}],'
               '"next_cursor":"4"}',
    "page": '{"epoch":"e","head":"9","next_offset":"5","more":true,"reset":false,"messages":[{"offset":"4","message":'
            '{"conversation_id":"g:1","seq":4,"msg_id":"1","from":"bob","type":"text","body":{},"time":5}}],'
            '"hot":[{"conversation_id":"g:2","last_seq":3}]}',
    "reset": '{"epoch":"f","next_offset":"9","reset":true,"conversations":[{"conversation_id":"g:1","last_seq":4}],"messages":[]}',
    "sent": '{"msg_id":"1","conversation_id":"g:1","seq":4,"time":5,"duplicate":true}',
    "state": '{"conversations":{"g:1":4},"hot":true,"epoch":"e","offset":"3"}',
}

SYNC_REQUEST = {
    "position": "0123456789abcde\n41\n100\nu:alice:bob 7",
    "beyond": f"x\n{2**64}\n\ng:team 1",
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


UTF8 = {
    "ascii": "eight bytes and more",
    "widths": "a\N{LATIN SMALL LETTER E WITH ACUTE}\N{EURO SIGN}\N{MUSICAL SYMBOL G CLEF}\u4e2d\u6587",
    "last": b"\xf4\x8f\xbf\xbf\xf4\x90\x80\x80",
    "surrogate": b"\xed\xa0\x80",
    "overlong": b"abcdefgh\xc0\xaf",
    "cut": b"ab\xe4\xb8",
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

SEEDS = {
    "base64": BASE64,
    "http_routes": HTTP_ROUTES,
    "http_uri": HTTP_URI,
    "ident": IDENT,
    "inbox_epoch": INBOX_EPOCH,
    "json": JSON,
    "jwt": JWT,
    "node_record": NODE_RECORD,
    "redis_uri": REDIS_URI,
    "route": ROUTE,
    "rpc_targets": RPC_TARGETS,
    "send_request": SEND_REQUEST,
    "server_answer": SERVER_ANSWER,
    "sync_request": SYNC_REQUEST,
    "traceparent": TRACEPARENT,
    "utf8": UTF8,
    "ws_request": WS_REQUEST,
}
