"""Who is let in by a gateway, who is not, and how long a token lasts (gateway_fixture.py)."""
import asyncio
import os
import subprocess
import time

import grpc
import pytest
import websockets

from gateway_fixture import Gateway, scenario, token
from gateway_peers_fixture import router_pb


async def refusal(url, **headers):
    """Status and problem of a handshake that is refused."""
    try:
        ws = await websockets.connect(url, extra_headers=headers, open_timeout=20)
        await ws.close()
        raise AssertionError(f"was let in: {url[:200]}")
    except websockets.InvalidStatusCode as error:
        return error.status_code


@scenario()
async def test_a_bad_token_is_401_before_the_upgrade(g):
    for bad in ["", "x", "a.b.c", token("alice", -10), token("alice", secret="another secret here"), token("a:b"),
                token("alice", jti="x" * 4096), token("")]:
        assert await refusal(g.url(token=bad)) == 401, bad
    assert await refusal(g.url(token=None)) == 401
    assert await refusal(g.url() + "&token=" + token("alice")) == 401  # twice
    for header in "", "Bearer", "Bearer x", "Basic " + token("alice"), token("alice"):
        assert await refusal(g.url(token=None), Authorization=header) == 401, header
    client = await g.connect(token=None, ws_options={"extra_headers": {"Authorization": "bearer " + token("alice")}})
    assert client.hello["uid"] == "alice"
    assert await g.metric('skein_gateway_handshakes_total{outcome="unauthenticated"}') == 15
    assert await g.metric('skein_gateway_handshakes_total{outcome="ok"}') == 1


async def limited(g, **options):
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        await g.connect(**options)
    assert (refused.value.status_code, refused.value.headers["Retry-After"]) == (429, "1")


@scenario(limits_connect_rate=1, limits_connect_burst=3, ws_workers=2)
async def test_a_user_who_connects_too_often_is_429_before_the_upgrade(g):
    for i in range(3):
        await g.connect(device=f"d{i}")
    await limited(g, device="d3")
    await g.connect("bob")
    assert await g.metric('skein_gateway_handshakes_total{outcome="rate_limited"}') >= 1
    await asyncio.sleep(1.1)  # Retry-After
    await g.connect(device="d4")


@scenario(limits_connect_address_rate=1, limits_connect_address_burst=4, ws_workers=2)
async def test_an_address_that_connects_too_often_is_429_whatever_its_token_is(g):
    for _ in range(4):
        assert await refusal(g.url(token="x")) == 401
    await limited(g)
    await g.connect(ws_options={"local_addr": ("127.0.0.9", 0)})


BAD_PARAMETERS = [
    {"device": None}, {"device": ""}, {"device": "a%20b"}, {"device": "x" * 65}, {"device": "%C3%A9"},
    {"platform": None}, {"platform": ""}, {"platform": "amiga"}, {"platform": "IOS"}, {"platform": "x" * 100},
    {"epoch": "abc"}, {"offset": "1"}, {"epoch": "", "offset": "1"}, {"epoch": "x" * 16, "offset": "1"},
    {"epoch": "x" * 1000, "offset": "1"}, {"epoch": "abc", "offset": ""}, {"epoch": "abc", "offset": "-1"},
    {"epoch": "abc", "offset": "1" * 21}, {"epoch": "abc", "offset": "1.0"}, {"epoch": "abc", "offset": "%2B1"},
    {"ack": ""}, {"ack": "2"}, {"ack": "no"}, {"ack": "00"}, {"device": "a&device=b"}, {"ack": "1&ack=1"},
    {"device": "a%00b"}, {"device": "%ff"},
]


@scenario()
async def test_a_bad_parameter_is_400_and_touches_nothing(g):
    for bad in BAD_PARAMETERS:
        assert await refusal(g.url(**bad)) == 400, bad
    assert not g.router.changes and not g.im.admitted
    for good in {"ack": "0"}, {"ack": "1"}, {"device": "x" * 64}, {"epoch": "x" * 15, "offset": "1" * 20}:
        await g.connect(**good)


@scenario(ws_max_connections=2)
async def test_a_full_node_refuses_with_503(g):
    one = await g.connect("u1")
    await g.connect("u2")
    try:
        assert await refusal(g.url("u3")) == 503
    except (OSError, websockets.InvalidMessage):
        pass  # a worker accepts no more sockets than the whole node may have, and closes the others at once
    await one.ws.close()
    await g.becomes(lambda: len(g.router.routes) == 1)

    async def let_in():
        try:
            await g.connect("u3")
            return True
        except websockets.InvalidStatusCode:
            return False
    await g.becomes(let_in)


@scenario()
async def test_im_decides_who_may_connect(g):
    g.im.refused = {"eve": grpc.StatusCode.UNAUTHENTICATED, "mallory": grpc.StatusCode.UNAVAILABLE}
    assert await refusal(g.url("eve")) == 401
    assert await (await g.open("mallory")).closed() == 1013
    g.router.bind_error = "unavailable"
    assert await (await g.open("alice")).closed() == 1013
    await g.becomes(lambda: not g.router.routes)


@scenario()
async def test_a_client_is_sent_away_when_router_does_not_answer(g):
    g.router.gate.clear()
    client = await g.open()
    start = time.monotonic()
    assert await client.closed() == 1013
    assert "router" in client.ws.close_reason and 7 < time.monotonic() - start < 15
    g.router.gate.set()
    await g.becomes(lambda: any(c.op == router_pb.RouteChange.UNBIND for c in g.router.changes))
    assert not g.router.routes


WALL_CLOCK = """
/* The wall clock, so many seconds off as the first eight bytes of $CLOCK_FILE say. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_s;

__attribute__((constructor)) static void open_file(void)
{
	offset_s = mmap(NULL, 8, PROT_READ, MAP_SHARED, open(getenv("CLOCK_FILE"), O_RDONLY), 0);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int status = (int)syscall(SYS_clock_gettime, id, now);
	if (id == CLOCK_REALTIME && offset_s)
		now->tv_sec += *offset_s;
	return status;
}
"""


def test_a_token_expires_within_two_seconds_of_the_wall_clock_being_set(tmp_path):
    def set_clock(offset_s):
        with (tmp_path / "clock").open("r+b") as file:
            file.write(offset_s.to_bytes(8, "little", signed=True))

    async def play():
        g = Gateway()
        g.environment = {"LD_PRELOAD": str(tmp_path / "clock.so"), "CLOCK_FILE": str(tmp_path / "clock"),
                         "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        async with g:
            in_an_hour, in_a_day = await g.connect(), await g.connect("bob", token=token("bob", 24 * 3600))
            set_clock(2 * 3600)
            start = time.monotonic()
            assert await in_an_hour.closed() == 4002
            assert time.monotonic() - start < 2
            await in_a_day.nothing_before()
            soon = await g.connect("eve", token=token("eve", 2 * 3600 + 3))
            set_clock(3600)  # set back: the token lives an hour longer than its timer assumed
            with pytest.raises(asyncio.TimeoutError):
                await soon.read(5)
            await soon.nothing_before()

    (tmp_path / "clock").write_bytes(bytes(8))
    (tmp_path / "clock.c").write_text(WALL_CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    asyncio.run(play())


@scenario()
async def test_a_token_that_expires_closes_with_4002_within_two_seconds(g):
    expiry = int(time.time()) + 2
    client = await g.connect(token=token("alice", expiry - time.time()))
    assert await client.closed() == 4002
    assert expiry - 0.1 <= time.time() < expiry + 2
