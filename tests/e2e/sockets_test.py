"""Clients that speak broken HTTP or WebSocket, or are too slow, too large or too many. Other clients do not notice."""
import asyncio
import contextlib
import json
import resource
import socket
import time
import urllib.parse

import pytest

import cluster
from client import PATIENCE_S

# How long a client may take (http.idle_timeout, the gateway's handshake), plus time for a busy machine.
HTTP_DEADLINE_S, HANDSHAKE_DEADLINE_S, SLACK_S = 30, 10, 5


def address(url):
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port


@contextlib.asynccontextmanager
async def dialed(url):
    reader, writer = await asyncio.open_connection(*address(url))
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_answer(reader):
    """Status, headers and body of one answer, or None if the connection ends without one."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    status_line, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(status_line.split()[1]), headers, body


async def converse(url, data):
    """The answer to these bytes, or None if the server hangs up."""
    async with dialed(url) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        return await asyncio.wait_for(read_answer(reader), PATIENCE_S)


async def serves(skein):
    """Checks that the cluster still serves other clients."""
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(1)
    for at in range(len(cluster.HTTP)):
        await alice.say(bob, at=at)
        await phone.message()


def request(*lines, body=b""):
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\r\n\r\n" + body


POST = "POST /v1/auth/login HTTP/1.1"
# What is sent, and the status with which im and a gateway refuse it. None: im hangs up without an answer. A gateway knows no
# bodies: to it, a request for anything but /ws is 404.
MALFORMED = {
    "no HTTP": (b"hello there\r\n\r\n", 400, 400),
    "noise": (bytes(range(255, -1, -1)) + b"\r\n\r\n", 400, 400),
    "HTTP/0.9": (b"GET /v1/endpoints\r\n\r\n", 400, 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400),
    "another version": (request("GET / HTTP/9.9", "Host: x"), 505, 400), "no method": (request(" / HTTP/1.1", "Host: x"), None, 400),
    "no Host": (request("GET /v1/endpoints HTTP/1.1"), 400, 400),
    "two Hosts": (request(POST, "Host: x", "Host: y", "Content-Length: 0"), 400, 400),
    "two lengths": (request(POST, "Host: x", "Content-Length: 2", "Content-Length: 3", body=b"{}"), 400, 404),
    "a length and chunks": (request(POST, "Host: x", "Content-Length: 2", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), 400, 404),
    "a negative length": (request(POST, "Host: x", "Content-Length: -1"), 400, 404),
    "a length in words": (request(POST, "Host: x", "Content-Length: two"), 400, 404),
    "a length beyond 64 bits": (request(POST, "Host: x", "Content-Length: 99999999999999999999999"), 413, 404),
    "a plus before the length": (request(POST, "Host: x", "Content-Length: +2", body=b"{}"), 400, 404),
    "a blank before the colon": (request(POST, "Host: x", "Content-Length : 2", body=b"{}"), 400, 400),
    "another coding": (request(POST, "Host: x", "Transfer-Encoding: gzip", body=b"{}"), 400, 404),
    # libmicrohttpd takes this line for the end of the head, and the rest of the head for a malformed request.
    "a header without a name": (request(POST, "Host: x", ": y", "Content-Length: 0"), 400, 400),
    "a bad chunk": (request(POST, "Host: x", "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"), 400, 404),
}
CODES = {400: "invalid_argument", 404: "not_found", 413: "too_large"}


def _everything_said(url, data):
    said = b""
    with socket.create_connection(address(url), timeout=PATIENCE_S) as link:
        with contextlib.suppress(ConnectionError):  # it may hang up before it has read all of it
            link.sendall(data)
        with contextlib.suppress(ConnectionError):
            while part := link.recv(65536):
                said += part
    return said


async def everything_said(url, data):
    """All that the server says to these bytes until it hangs up, which it must."""
    return await cluster.in_thread(_everything_said, url, data)


def check_refusal(said, status, code=None):
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), said[:1000]
    assert code is None or json.loads(body)["code"] == code, said[:1000]


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_http_is_refused_by_its_status_and_touches_nobody_else(skein, name):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    data, im_status, gateway_status = MALFORMED[name]
    # What follows it on the connection is not taken for a request.
    after = request("GET /v1/endpoints HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}")
    said = await everything_said(cluster.HTTP[0], data + after)
    assert b"gateways" not in said, "the second request was served"
    if im_status:
        check_refusal(said, im_status)
    else:
        assert said == b""
    check_refusal(await everything_said(cluster.WS[0], data + after), gateway_status, CODES[gateway_status])
    await alice.say(bob)
    await phone.message()


async def test_huge_headers_are_431_at_an_im_and_413_at_a_gateway(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect(0)
    for size in 22_000, 1_000_000:
        for lines in [f"X-Pad: {'x' * size}"], [f"X-Pad-{i}: {'x' * 100}" for i in range(size // 110)]:
            check_refusal(await everything_said(cluster.HTTP[0], request("GET /v1/endpoints HTTP/1.1", "Host: x", *lines)), 431)
            check_refusal(await everything_said(cluster.WS[0], request("GET /ws HTTP/1.1", "Host: x", *lines)), 413, "too_large")
    said = await everything_said(cluster.HTTP[0], request("GET /v1/endpoints HTTP/1.1", "Host: x", f"X-Pad: {'x' * 21_000}"))
    check_refusal(said, 431, "too_large")
    check_refusal(await everything_said(cluster.HTTP[0], request(f"GET /v1/{'x' * 100_000} HTTP/1.1", "Host: x")), 414)
    (await alice.request("GET", "/v1/endpoints", headers={"X-Pad": "x" * 15_000})).expect(200)
    await alice.say(bob)
    await phone.message()


async def test_a_body_over_64_kib_is_413_however_it_comes(skein):
    alice, bob = await skein.users("alice", "bob")
    head = ["POST /v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}"]
    body = json.dumps(alice.draft(bob, "x" * 65536)).encode()
    one = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    many = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
    for data in (request(*head, f"Content-Length: {len(body)}", body=body), request(*head, "Content-Length: 104857600"),
                 request(*head, "Content-Length: 18446744073709551615", body=b"x"), request(*head, "Transfer-Encoding: chunked", body=one),
                 request(*head, "Transfer-Encoding: chunked", body=many)):
        status, _, text = await converse(cluster.HTTP[0], data)
        assert status == 413 and json.loads(text)["code"] == "too_large", (status, text)
    assert await alice.read(bob) == []


async def test_chunks_and_expect_continue_are_served(skein):
    alice, bob = await skein.users("alice", "bob")
    head = ["POST /v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}"]
    body = json.dumps(alice.draft(bob)).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1], body[1:50], body[50:])) + b"0\r\n\r\n"
    assert (await converse(cluster.HTTP[0], request(*head, "Transfer-Encoding: chunked", body=chunks)))[0] == 200
    async with dialed(cluster.HTTP[0]) as (reader, writer):
        writer.write(request(*head, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert (await asyncio.wait_for(read_answer(reader), PATIENCE_S))[0] == 100
        writer.write(body)
        status, _, text = await asyncio.wait_for(read_answer(reader), PATIENCE_S)
        assert status == 200 and json.loads(text)["duplicate"]


async def test_requests_one_after_the_other_on_a_connection_are_answered_in_order(skein):
    alice, bob = await skein.users("alice", "bob")
    bodies = [json.dumps(alice.draft(bob, str(i))).encode() for i in range(20)]
    async with dialed(cluster.HTTP[0]) as (reader, writer):
        writer.write(b"".join(request("POST /v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}",
                                      f"Content-Length: {len(body)}", body=body) for body in bodies))
        answers = [await asyncio.wait_for(read_answer(reader), PATIENCE_S) for _ in bodies]
    assert [json.loads(text)["seq"] for _, _, text in answers] == list(range(1, 21))


async def test_a_client_that_hangs_up_in_the_middle_leaves_nothing_behind(skein):
    alice, bob = await skein.users("alice", "bob")
    head = ["POST /v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}"]
    body = json.dumps(alice.draft(bob)).encode()
    for data in b"", b"POST", request(*head)[:-2], request(*head, f"Content-Length: {len(body)}", body=body[:-1]):
        for url in cluster.HTTP[0], cluster.WS[0]:
            async with dialed(url) as (_, writer):
                writer.write(data)
    assert await alice.read(bob) == []
    await serves(skein)


# ---- slow ones ----

async def hang_up_time(url, data, drip=None):
    """Seconds until the server hangs up on a client that sends `data`, then `drip` again and again."""
    start = time.monotonic()
    async with dialed(url) as (reader, writer):
        writer.write(data)

        async def go_on():
            while drip:
                await asyncio.sleep(0.5)
                writer.write(drip)
        dripping = asyncio.ensure_future(go_on())
        try:
            with contextlib.suppress(ConnectionError):
                while await asyncio.wait_for(reader.read(1000), HTTP_DEADLINE_S + 2 * SLACK_S):
                    pass
        finally:
            dripping.cancel()
    return time.monotonic() - start


async def test_slow_requests_and_handshakes_die_at_their_deadline_and_hurt_nobody(skein):
    alice = skein.user("alice")
    http, ws = cluster.HTTP[0], cluster.WS[0]
    tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200  # a line that does not end
    begun = request(POST, "Host: x", "Content-Length: 1000")
    slow_http = [(http, b"", None), (http, b"", b"\r\n"), (http, b"POST /v1/a", b"b"), (http, b"POST / HTTP/1.1\r\n", b"a: b\r\n"),
                 (http, begun, None), (http, begun, b"{"), (http, tls, None), (http, b"\0" * 100, None),
                 (http, request(POST, "Host: x", "Transfer-Encoding: chunked"), b"1\r\n \r\n")]
    slow_ws = [(ws, b"", None), (ws, b"GET /ws?", b"a"), (ws, b"GET /ws HTTP/1.1\r\n", b"a: b\r\n"), (ws, b"GET", None),
               (ws, tls, None), (ws, b"\0" * 100, None)]
    times = asyncio.gather(*(hang_up_time(*slow) for slow in slow_http + slow_ws))
    while not times.done():  # meanwhile other clients are served
        (await alice.request("GET", "/v1/endpoints")).expect(200)
        await (await alice.connect()).ping()
        await asyncio.wait([times], timeout=3)
    times = times.result()
    for (_, data, drip), seconds in zip(slow_http, times[:len(slow_http)], strict=True):
        assert seconds < HTTP_DEADLINE_S + SLACK_S, (data, drip)
    for (_, data, drip), seconds in zip(slow_ws, times[len(slow_http):], strict=True):
        assert seconds < HANDSHAKE_DEADLINE_S + SLACK_S, (data, drip)


# ---- many ----

@contextlib.asynccontextmanager
async def crowd(url, count):
    """Opens this many silent connections. Yields those on which the server did not hang up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 65536 else max(soft, 65536), hard))
    opened = []
    try:
        for _ in range(count):
            opened.append(await asyncio.open_connection(*address(url)))
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def refused_count(opened):
    await cluster.becomes(lambda: any(reader.at_eof() or reader.exception() for reader, _ in opened), PATIENCE_S,
                          "the server hangs up on some")
    # An accepted connection waits. The others were closed in the order in which they came.
    last = opened[-1][0]
    await cluster.becomes(lambda: last.at_eof() or last.exception(), PATIENCE_S, "the last one is among them")
    return sum(bool(reader.at_eof() or reader.exception()) for reader, _ in opened)


async def test_connections_of_one_address_have_a_cap(skein):
    alice = skein.user("alice")
    (await alice.request("GET", "/v1/endpoints")).expect(200)
    async with crowd(cluster.HTTP[1], 2100) as opened:
        refused = await refused_count(opened)
        assert 100 <= refused < 200, refused
        (await alice.request("GET", "/v1/endpoints", at=0)).expect(200)

    async def serves_again():
        with contextlib.suppress(Exception):
            return (await alice.request("GET", "/v1/endpoints", at=1)).status == 200
    await cluster.becomes(serves_again, PATIENCE_S, "im serves again")


async def test_handshakes_of_one_address_have_a_cap_that_connections_do_not_count_for(skein):
    alice = skein.user("alice")
    connection = await alice.connect(1)
    async with crowd(cluster.WS[1], 2300) as opened:
        await cluster.becomes(lambda: any(r.at_eof() or r.exception() for r, _ in opened), PATIENCE_S, "some are refused")
        await connection.ping()
        await (await alice.connect(0, device="laptop")).ping()

    async def serves_again():
        with contextlib.suppress(Exception):
            return await alice.connect(1, device="tablet")
    await cluster.becomes(serves_again, PATIENCE_S, "the gateway serves again")
    await connection.ping()
